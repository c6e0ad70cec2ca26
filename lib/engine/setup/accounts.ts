// Owns finding accounts and choosing subordinate ids that overlap nobody's (subuid(5)).
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface OwnedRange {
  readonly owner: string;
  readonly start: number;
  readonly count: number;
}

/** Ids that one owner gets: what images of Debian need. */
export const rangeSize = 65_536;
/** SUB_UID_MIN of Debian's login.defs(5). */
const firstId = 100_000;
/** Ids from here on mean "nobody" somewhere (uid_t, 32 bits). */
const lastId = 4_294_900_000;

/** Accounts in the text of /etc/passwd. */
export function parseAccounts(passwd: string): Account[] {
  return passwd.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    return /^[0-9]+$/.test(uid) && /^[0-9]+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

/** The account called `name`. Throws HOST_UNPREPARED when there is none. */
export function findAccount(passwd: string, name: string): Account {
  const found = parseAccounts(passwd).find((account) => account.name === name);
  if (found === undefined) {
    throw new CofferdamError('HOST_UNPREPARED', `this host has no user called "${printable(name, 60)}"`, {
      remedy: 'name an existing user: sandbox setup --user NAME',
    });
  }
  return found;
}

/** Ranges in the text of /etc/subuid or /etc/subgid. */
export function parseRanges(text: string): OwnedRange[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([^:#]+):([0-9]{1,10}):([0-9]{1,10})$/.exec(line.trim());
    return match === null ? [] : [{ owner: match[1] ?? '', start: Number(match[2]), count: Number(match[3]) }];
  });
}

function isOf({ name, uid }: Account, { owner }: OwnedRange): boolean {
  return owner === name || owner === String(uid);
}

/** Whether `account` owns a range that is large enough. */
export function hasRange(account: Account, ranges: readonly OwnedRange[]): boolean {
  return ranges.some((range) => isOf(account, range) && range.count >= rangeSize);
}

function overlaps(a: { start: number; count: number }, b: { start: number; count: number }): boolean {
  return a.start < b.start + b.count && b.start < a.start + a.count;
}

/** Who else owns ids of `account`'s ranges: another range's owner or a user of this host. One line each. */
export function findOverlaps(account: Account, ranges: readonly OwnedRange[], accounts: readonly Account[]): string[] {
  const own = ranges.filter((range) => isOf(account, range));
  const others = [
    ...ranges.filter((range) => !isOf(account, range)),
    ...accounts.map(({ name, uid }) => ({ owner: name, start: uid, count: 1 })),
  ];
  return own.flatMap((range) =>
    others
      .filter((other) => overlaps(range, other))
      .map(
        (other) =>
          `${range.start}+${range.count} of ${account.name} and ${other.start}+${other.count} of ${other.owner}`,
      ),
  );
}

/**
 * The first id of a free range of `rangeSize`, the same for uids and gids. Throws HOST_UNPREPARED when none is left.
 */
export function chooseRange(ranges: readonly OwnedRange[], accounts: readonly Account[]): number {
  const taken = [
    ...ranges,
    ...accounts.flatMap(({ uid, gid }) => [
      { start: uid, count: 1 },
      { start: gid, count: 1 },
    ]),
  ].sort((a, b) => a.start - b.start);
  let start = firstId;
  for (const range of taken) {
    if (overlaps({ start, count: rangeSize }, range)) start = range.start + range.count;
  }
  if (start + rangeSize > lastId) {
    throw new CofferdamError('HOST_UNPREPARED', 'no free range of subordinate ids is left', {
      remedy: 'remove unused lines of /etc/subuid and /etc/subgid',
    });
  }
  return start;
}
