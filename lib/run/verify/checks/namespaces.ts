// Owns the checks of namespaces: that the sandbox has its own, and that no more can be had inside.
import { initWords } from '../../../spec/build.ts';
import { type Check, harmless, noControl, outside, refuses, sees, verdict } from '../check.ts';
import type { Expected } from '../evidence.ts';
import { namespaceIds } from '../procfs.ts';

const own = ['user', 'pid', 'ipc', 'uts', 'net', 'mnt', 'cgroup'].map((name) =>
  outside(`ns.${name}`, `the ${name} namespace is not the host's`, harmless, ({ program, host }) => {
    const [inside, ours] = [program.links('ns').get(name), host.links('ns').get(name)];
    return verdict(inside !== undefined && ours !== undefined && inside !== ours, inside ?? 'none');
  }),
);

const ways = ['user', 'mount', 'network', 'pid', 'ipc', 'uts', 'cgroup', 'time'].flatMap((name) => [
  refuses(`ns.unshare-${name}`, `unshare of a ${name} namespace is refused`, ['EPERM']),
  // The flag for a time namespace lies in clone's exit signal: there is no such way.
  ...(name === 'time' ? [] : [refuses(`ns.clone-${name}`, `clone into a ${name} namespace is refused`, ['EPERM'])]),
]);

/** Of our init: the one that leads to the way out. */
const forwarders = ({ profile }: Expected) => (profile.network.mode === 'proxy' ? 1 : 0);

const rest: Check[] = [
  refuses('ns.clone-high', 'bits above the low 32 of a register do not blind the filter', ['EPERM']),
  outside(
    'ns.init',
    'PID 1 inside is our init',
    noControl('outside of a sandbox there is no such process'),
    ({ init, expected }) => {
      const wanted = initWords(expected.profile);
      const words = (init?.text('cmdline').split('\0') ?? []).slice(0, wanted.length).join(' ');
      return verdict(words === wanted.join(' '), words);
    },
  ),
  outside('ns.members', 'the sandbox holds our init and its program, and nobody else', harmless, (evidence) => {
    const { init, program, members, expected } = evidence;
    const wanted = [init?.pid, program.pid];
    const alone =
      members.length === wanted.length + forwarders(expected) &&
      wanted.every((pid) => pid !== undefined && members.includes(pid));
    return verdict(alone, `${members.length} processes`);
  }),
  outside('ns.init-is-first', 'the program has a pid of its own numbering', harmless, ({ program, host }) => {
    const [inside, ours] = [namespaceIds(program, 'NSpid'), namespaceIds(host, 'NSpid')];
    return verdict(inside.length > ours.length, inside.join(' '));
  }),
  // Init, the probe, and the child that looks.
  sees(
    'ns.own-processes',
    '/proc shows the processes of the sandbox only',
    harmless,
    (text, { expected }) => text === String(3 + forwarders(expected)),
  ),
  sees('ns.host-name', 'the host name inside is "sandbox"', harmless, (text) => text === 'sandbox'),
];

export const namespaceChecks: readonly Check[] = [...own, ...ways, ...rest];
