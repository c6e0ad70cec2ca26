// Owns the checks of limits: read back from outside, and taken to their end from inside where that is quick.
import { leafWrites } from '../../../engine/cgroup.ts';
import { type Check, harmless, noControl, outside, refusedAnyway, refuses, verdict } from '../check.ts';
import { parseCgroups, rlimit } from '../procfs.ts';

const files = ['memory', 'swap', 'oom-group', 'pids', 'cpu', 'cpu-period'] as const;
const names: Readonly<Record<(typeof files)[number], Readonly<Record<1 | 2, string | undefined>>>> = {
  memory: { 1: 'memory.limit_in_bytes', 2: 'memory.max' },
  swap: { 1: 'memory.memsw.limit_in_bytes', 2: 'memory.swap.max' },
  'oom-group': { 1: undefined, 2: 'memory.oom.group' },
  pids: { 1: 'pids.max', 2: 'pids.max' },
  cpu: { 1: 'cpu.cfs_quota_us', 2: 'cpu.max' },
  'cpu-period': { 1: 'cpu.cfs_period_us', 2: 'cpu.max' },
};

const says: Readonly<Record<(typeof files)[number], string>> = {
  memory: "the group's memory is the profile's",
  swap: 'memory and swap together are no more than memory',
  'oom-group': 'out of memory ends the whole sandbox',
  pids: "the group's number of processes is the profile's",
  cpu: "the group's processor time is the profile's",
  'cpu-period': 'processor time is counted over 100 ms',
};

/** v2 has quota and period in one file (cgroup-v2.rst, cpu.max): the part that the check is about. */
function partOf(file: (typeof files)[number], name: string, text: string | undefined): string | undefined {
  return name === 'cpu.max' ? text?.split(' ')[file === 'cpu' ? 0 : 1] : text;
}

const groups = files.map(
  (file): Check => ({
    // A fresh group has this period by itself.
    ...outside(
      `limit.${file}`,
      says[file],
      file === 'cpu-period' ? noControl('it is the same in every group') : harmless,
      (evidence) => {
        const { expected } = evidence;
        if (file === 'oom-group' && expected.cgroupVersion === 1)
          return verdict(
            evidence.oomWatched,
            `the supervisor ${evidence.oomWatched ? 'watches' : 'does not watch'} memory.oom_control`,
          );
        const name = names[file][expected.cgroupVersion];
        const wanted = leafWrites(expected.cgroupVersion, expected.profile.limits).find((write) => write.file === name);
        if (wanted === undefined) return verdict(false, 'nothing was to be written');
        const found = evidence.limits.get(wanted.file);
        return verdict(
          found !== undefined && partOf(file, wanted.file, found) === partOf(file, wanted.file, wanted.value),
          `${wanted.file} ${found ?? 'is not there'}`,
        );
      },
    ),
  }),
);

const resources = [
  { id: 'open-files', name: 'Max open files', of: 'openFiles' },
  { id: 'file-size', name: 'Max file size', of: 'fileSize' },
] as const;

const rlimits = resources.map(({ id, name, of }) =>
  outside(`limit.${id}`, `${name}: the profile's, soft and hard`, harmless, ({ program, expected }) => {
    const found = rlimit(program, name);
    const wanted = expected.profile.limits[of];
    return verdict(found === `${wanted} ${wanted}`, found);
  }),
);

const rest: Check[] = [
  outside('limit.core', 'no core dump, and none handed to a program of the host', harmless, ({ program }) =>
    // 1, not 0: with a pipe in core_pattern the kernel takes 0 for "as much as it likes" (core(5)).
    verdict(rlimit(program, 'Max core file size') === '1 1', rlimit(program, 'Max core file size')),
  ),
  outside(
    'limit.own-group',
    'the program is in the control groups of its own run',
    harmless,
    ({ program, expected }) => {
      const groupsOf = parseCgroups(program.text('cgroup'));
      const wanted = expected.cgroupVersion === 2 ? [''] : ['memory', 'pids', 'cpu'];
      const found = wanted.map((controller) => groupsOf.get(controller) ?? 'none');
      // podman puts nothing below: the program is in the very group that has the limits.
      return verdict(
        found.every((path) => path.endsWith(`/${expected.id}`)),
        found[0] ?? 'none',
      );
    },
  ),
  outside(
    'limit.oom-killable',
    'the kernel may end the program when memory runs out',
    noControl('it may outside, too'),
    ({ program, host }) => {
      const [inside, ours] = [program, host].map((facts) => Number(facts.text('oom_score_adj')));
      return verdict((inside ?? -1000) >= (ours ?? 0), `oom_score_adj ${inside}`);
    },
  ),
];

const wouldHarm = noControl('it would take from others outside');
const acts: Check[] = [
  {
    ...refuses('limit.processes-hold', 'no more processes can be made than the limit', ['EAGAIN'], wouldHarm),
    unless: ({ profile }) => (profile.limits.pids > 4096 ? 'too many to try' : undefined),
  },
  refuses(
    'limit.descriptors-hold',
    'no more descriptors can be had than the limit',
    ['EMFILE'],
    noControl('a limit holds outside, too'),
  ),
  refuses('limit.file-size-holds', 'no file can grow beyond its bound', ['EFBIG']),
  refuses('limit.tmp-size-holds', '/tmp cannot grow beyond its size', ['ENOSPC', 'EFBIG'], wouldHarm),
  refuses('limit.raise-descriptors', 'a hard limit cannot be raised', ['EPERM'], refusedAnyway),
  refuses('limit.raise-priority', 'priority cannot be raised', ['EACCES', 'EPERM'], refusedAnyway),
  refuses('limit.become-realtime', 'no real-time scheduling', ['EPERM'], refusedAnyway),
  refuses('limit.escape-oom', 'the program cannot make the kernel end others first', ['EACCES'], refusedAnyway),
];

export const limitChecks: readonly Check[] = [...groups, ...rlimits, ...rest, ...acts];
