// Owns who builds images: never root. A plain user builds as themselves, root as the system user `cofferdam`.
import { CofferdamError } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';

export interface BuildUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export const systemUser = 'cofferdam';

interface Accounts {
  passwd: string;
  subuid: string;
  subgid: string;
}

/** Reads the account files of this host. */
export function readAccounts(): Accounts {
  const text = (file: string) => readTextIfPresent(file, 16 << 20) ?? '';
  return { passwd: text('/etc/passwd'), subuid: text('/etc/subuid'), subgid: text('/etc/subgid') };
}

function hasRange(text: string, user: BuildUser): boolean {
  return text.split('\n').some((line) => {
    const [owner, , count] = line.split(':');
    return (owner === user.name || owner === String(user.uid)) && Number(count) >= 65_536;
  });
}

/**
 * The user that a caller with `uid` builds as. Throws HOST_UNPREPARED when root has no user `cofferdam`, or the user
 * has no 65,536 subordinate uids and gids.
 */
export function chooseBuildUser(uid: number, accounts: Accounts): BuildUser {
  const users = accounts.passwd.split('\n').map((line) => line.split(':'));
  const found = users.find((fields) => (uid === 0 ? fields[0] === systemUser : fields[2] === String(uid)));
  if (found === undefined) {
    const who = uid === 0 ? `the system user "${systemUser}"` : `a user with uid ${uid}`;
    throw new CofferdamError('HOST_UNPREPARED', `images are built without root: ${who} is missing in /etc/passwd`, {
      remedy: 'as root: sandbox setup',
    });
  }
  const user = { name: found[0] ?? '', uid: Number(found[2]), gid: Number(found[3]) };
  for (const [file, text] of [
    ['/etc/subuid', accounts.subuid],
    ['/etc/subgid', accounts.subgid],
  ] as const) {
    if (hasRange(text, user)) continue;
    throw new CofferdamError('HOST_UNPREPARED', `${user.name} has no range of 65536 ids in ${file}`, {
      remedy: uid === 0 ? 'as root: sandbox setup' : `as root: sandbox setup --user ${user.name}`,
    });
  }
  return user;
}
