// Owns what the doctor says about ids: subordinate ranges, and the two programs that map them.
import { readFileSync, statSync } from 'node:fs';
import { messageOf } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { countSlots } from '../../spec/uidmap.ts';
import { findOverlaps, hasRange, parseAccounts, parseRanges, rangeSize } from '../setup/accounts.ts';
import { readHostIds, subidFiles, systemUser } from '../subids.ts';
import { findTool } from '../tools.ts';
import { type Check, type DoctorInput, type Finding, fail, ok, setupCommandFor, warn } from './check.ts';

/** Permission bit of set-user-id. */
const setuid = 0o4000;

/** Whether the text of a `security.capability` attribute would let a program map ids; here only whether there is one. */
function describePrivilege(mode: number): string | undefined {
  return (mode & setuid) === 0 ? undefined : 'set-user-id';
}

function checkMapper(name: string, input: DoctorInput): Finding {
  const id = `ids.${name}`;
  const file = findTool(name);
  if (file === undefined) return fail(id, `${name} is not installed`, setupCommandFor(input));
  const privilege = describePrivilege(statSync(file).mode);
  if (privilege !== undefined) return ok(id, `${file}, ${privilege}`);
  // File capabilities would do as well; the live try (namespaces.user) is what tells.
  if (input.uid === 0) return ok(id, `${file}, not set-user-id, which root does not need`);
  return warn(
    id,
    `${file} is not set-user-id: it maps ids only if it has file capabilities`,
    `as root: apt-get install --reinstall uidmap`,
  );
}

function checkRanges(input: DoctorInput): Finding[] {
  try {
    const ids = readHostIds(input.uid, input.gid);
    const slots = countSlots(ids);
    const { start, count } = ids.subuids;
    const seen = `${count} uids from ${start}, gids from ${ids.subgids.start}: ${slots} sandboxes at once`;
    const range = slots < 64 ? warn('ids.range', seen, setupCommandFor(input)) : ok('ids.range', seen);
    return [range, ...checkOverlaps(input)];
  } catch (cause) {
    return [fail('ids.range', messageOf(cause), setupCommandFor(input))];
  }
}

function checkOverlaps(input: DoctorInput): Finding[] {
  const passwd = parseAccounts(readTextIfPresent(subidFiles.passwd, 16 << 20) ?? '');
  const ranges = parseRanges(readTextIfPresent(subidFiles.subuid) ?? '');
  const name = input.uid === 0 ? systemUser : input.user;
  const account = passwd.find((candidate) => candidate.name === name);
  if (account === undefined) return [fail('ids.account', `there is no account ${name}`, setupCommandFor(input))];
  const overlaps = findOverlaps(account, ranges, passwd);
  const build = hasRange(account, ranges)
    ? []
    : [warn('ids.build', `less than ${rangeSize} ids: images cannot be built`, setupCommandFor(input))];
  if (overlaps.length === 0) return build;
  const remedy = 'two owners could read and kill each other; mend /etc/subuid and /etc/subgid by hand';
  return [...build, fail('ids.overlap', overlaps.join('; '), remedy)];
}

/** Inside a user namespace that maps little (a container), subordinate ids may not exist at all. */
export function mapsAll(uidMap: string): boolean {
  return uidMap.split('\n').some((line) => /^\s*0\s+0\s+4294967295$/.test(line));
}

function checkOuter(): Finding {
  if (mapsAll(readFileSync('/proc/self/uid_map', 'utf8'))) return ok('ids.outer', 'in the first user namespace');
  return warn(
    'ids.outer',
    'in a user namespace that maps some ids only (a container?)',
    'run Cofferdam on the host itself',
  );
}

export const checkIds: Check = async (input) => [
  checkOuter(),
  checkMapper('newuidmap', input),
  checkMapper('newgidmap', input),
  ...checkRanges(input),
];
