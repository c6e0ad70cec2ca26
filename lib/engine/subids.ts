// Owns reading whose subordinate ids a sandbox gets (subuid(5), subgid(5)).
import { CofferdamError } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import type { HostIds, SubidRange } from '../spec/uidmap.ts';

/** The system user whose ranges root-run sandboxes use; `sandbox setup` makes it. */
export const systemUser = 'cofferdam';

/** The largest range of `names` (login name or decimal uid) in the text of /etc/subuid or /etc/subgid. */
export function parseSubids(text: string, names: readonly string[]): SubidRange | undefined {
  let best: SubidRange | undefined;
  for (const line of text.split('\n')) {
    const match = /^([^:#]+):([0-9]{1,10}):([0-9]{1,10})$/.exec(line.trim());
    if (match === null || !names.includes(match[1] ?? '')) continue;
    const range = { start: Number(match[2]), count: Number(match[3]) };
    if (range.start > 0 && (best === undefined || range.count > best.count)) best = range;
  }
  return best;
}

/** Login name of `uid` in the text of /etc/passwd. */
export function nameOfUid(passwd: string, uid: number): string | undefined {
  return passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[2] === String(uid))?.[0];
}

export interface SubidFiles {
  readonly passwd: string;
  readonly subuid: string;
  readonly subgid: string;
}

export const subidFiles: SubidFiles = { passwd: '/etc/passwd', subuid: '/etc/subuid', subgid: '/etc/subgid' };

/** The ids that sandboxes of `uid` use. Throws HOST_UNPREPARED when there are none. */
export function readHostIds(uid: number, gid: number, files: SubidFiles = subidFiles): HostIds {
  const user = uid === 0 ? systemUser : nameOfUid(readTextIfPresent(files.passwd) ?? '', uid);
  const names = uid === 0 ? [systemUser] : [...(user === undefined ? [] : [user]), String(uid)];
  const subuids = parseSubids(readTextIfPresent(files.subuid) ?? '', names);
  const subgids = parseSubids(readTextIfPresent(files.subgid) ?? '', names);
  if (subuids === undefined || subgids === undefined) {
    const whom = user ?? `uid ${uid}`;
    throw new CofferdamError(
      'HOST_UNPREPARED',
      `${whom} has no subordinate ids in ${files.subuid} and ${files.subgid}`,
      {
        remedy: uid === 0 ? 'sandbox setup' : `as root: sandbox setup --user ${whom}`,
      },
    );
  }
  return { callerUid: uid, callerGid: gid, subuids, subgids };
}
