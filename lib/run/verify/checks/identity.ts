// Owns the checks of who the program is: ids, maps, capabilities, and ways to become somebody else.
import type { IdMapping } from '../../../spec/types.ts';
import type { SubidRange } from '../../../spec/uidmap.ts';
import { type Check, harmless, noControl, outside, refusedAnyway, refuses, verdict } from '../check.ts';
import type { Evidence } from '../evidence.ts';
import { fourIds, parseIdMap, statusField, terminalOf } from '../procfs.ts';

const kinds = [
  { kind: 'uid', field: 'Uid', map: 'uid_map' },
  { kind: 'gid', field: 'Gid', map: 'gid_map' },
] as const;

function within(range: SubidRange, id: number): boolean {
  return id >= range.start && id < range.start + range.count;
}

/** What an id inside is on the host. How many are mapped is another check. */
function hostIdOf(map: readonly IdMapping[], inside: number): number | undefined {
  const entry = map.find(({ containerID, size }) => inside >= containerID && inside < containerID + size);
  return entry === undefined ? undefined : entry.hostID + inside - entry.containerID;
}

const ownIds = kinds.flatMap(({ kind, field, map }): Check[] => {
  const mapOf = ({ program }: Evidence) => parseIdMap(program.text(map));
  const idsOf = ({ program }: Evidence) => fourIds(program, field);
  const rangeOf = ({ expected: { ids } }: Evidence) => (kind === 'uid' ? ids.subuids : ids.subgids);
  const rootOf = ({ expected: { ids } }: Evidence) => (kind === 'uid' ? ids.callerUid : ids.callerGid);
  return [
    outside(`identity.${kind}`, `the program's ${kind} inside is the profile's`, harmless, (evidence) => {
      const outer = hostIdOf(mapOf(evidence), evidence.expected.profile.user[kind]);
      const ids = idsOf(evidence);
      return verdict(
        outer !== undefined && ids.length === 4 && ids.every((id) => id === outer),
        `${ids.join(' ')} on the host`,
      );
    }),
    outside(`identity.${kind}-map`, `two ${kind}s are mapped, root inside and the program`, harmless, (evidence) => {
      const entries = mapOf(evidence);
      const inside = entries.map(({ containerID, size }) => `${containerID}+${size}`).sort();
      const wanted = ['0+1', `${evidence.expected.profile.user[kind]}+1`].sort();
      return verdict(
        inside.join() === wanted.join(),
        entries.map(({ containerID, hostID, size }) => `${containerID}=${hostID}+${size}`).join(' '),
      );
    }),
    outside(`identity.${kind}-map-no-root`, `the host's ${kind} 0 is not in the sandbox`, harmless, (evidence) => {
      const lowest = mapOf(evidence).map(({ hostID }) => hostID);
      return verdict(lowest.length > 0 && !lowest.includes(0), `from ${lowest.join(' ')}`);
    }),
    outside(
      `identity.${kind}-subordinate`,
      `the program's ${kind} on the host is a subordinate one of the caller, or the owner of its workspace`,
      harmless,
      (evidence) => {
        const [id = 0] = idsOf(evidence);
        const owner = evidence.expected.owner?.[kind];
        return verdict(owner === undefined ? within(rangeOf(evidence), id) : id === owner, String(id));
      },
    ),
    outside(
      `identity.${kind}-of-root-inside`,
      `root inside is, on the host, the plain user who calls or a subordinate ${kind}`,
      harmless,
      (evidence) => {
        const root = hostIdOf(mapOf(evidence), 0);
        if (root === undefined) return verdict(false, 'not mapped');
        const caller = evidence.expected.ids.callerUid !== 0 && root === rootOf(evidence);
        return verdict(caller || within(rangeOf(evidence), root), String(root));
      },
    ),
  ];
});

const capabilitySets = ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) =>
  outside(
    `identity.capabilities-${set.toLowerCase()}`,
    `the capability set ${set} is empty`,
    set === 'Bnd' ? harmless : noControl('a plain user outside has none either'),
    ({ program }) => verdict(/^0+$/.test(statusField(program, `Cap${set}`)), statusField(program, `Cap${set}`)),
  ),
);

const state: Check[] = [
  outside('identity.uid-alone', 'no process outside has the uid of the program', harmless, ({ strangers, expected }) =>
    // With a writable host folder the program has its owner's uid, who may well be at work elsewhere.
    verdict(strangers.length === 0 || expected.owner !== undefined, `${strangers.length} others`),
  ),
  outside(
    'identity.no-groups',
    'the program is in no supplementary group of the host',
    noControl('a service outside may have none either'),
    ({ program, expected }) => {
      const groups = statusField(program, 'Groups')
        .split(/\s+/)
        .filter((group) => group !== '');
      const own = fourIds(program, 'Gid')[0];
      const others = groups.filter((group) => Number(group) !== own);
      return verdict(
        others.length === 0,
        others.length === 0 ? `none but ${expected.profile.user.gid}` : groups.join(' '),
      );
    },
  ),
  outside('identity.no-new-privs', 'no program can gain privileges by being executed', harmless, ({ program }) =>
    verdict(statusField(program, 'NoNewPrivs') === '1', `NoNewPrivs ${statusField(program, 'NoNewPrivs')}`),
  ),
  outside('identity.seccomp', 'a syscall filter is loaded', harmless, ({ program }) =>
    verdict(statusField(program, 'Seccomp') === '2', `mode ${statusField(program, 'Seccomp')}`),
  ),
  outside(
    'identity.init-confined',
    'PID 1 inside has no capability, a filter and no_new_privs, too',
    noControl('outside of a sandbox there is no such process'),
    ({ init }) => {
      if (init === undefined) return verdict(false, 'no PID 1');
      const seen = ['CapPrm', 'CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp'].map((name) => statusField(init, name));
      return verdict(/^0+ 0+ 0+ 1 2$/.test(seen.join(' ')), seen.join(' '));
    },
  ),
  outside(
    'identity.no-terminal',
    'the program has no controlling terminal and no session of the host',
    noControl('a service outside has none either'),
    ({ program, members }) => {
      const { session, terminal } = terminalOf(program);
      return verdict(terminal === 0 && members.includes(session), `session of ${session}, terminal ${terminal}`);
    },
  ),
];

const acts: Check[] = [
  refuses('identity.become-root', 'setuid(0) is refused', ['EPERM'], refusedAnyway),
  refuses('identity.become-root-group', 'setgid(0) is refused', ['EPERM'], refusedAnyway),
  refuses('identity.set-groups', 'setgroups is refused', ['EPERM'], refusedAnyway),
  refuses('identity.raise-capability', 'no capability can be raised', ['EPERM'], refusedAnyway),
  refuses('identity.drop-no-new-privs', 'no_new_privs cannot be taken back', ['EINVAL'], refusedAnyway),
  refuses('identity.drop-seccomp', 'the filter cannot be taken off', ['EINVAL'], refusedAnyway),
];

export const identityChecks: readonly Check[] = [...ownIds, ...capabilitySets, ...state, ...acts];
