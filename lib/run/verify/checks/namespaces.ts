// Owns the checks of namespaces: that the sandbox has its own, and that no more can be had inside.
import { initTarget } from '../../../spec/mounts.ts';
import { type Check, harmless, noControl, outside, refuses, sees, verdict } from '../check.ts';
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

const rest: Check[] = [
  refuses('ns.clone-high', 'bits above the low 32 of a register do not blind the filter', ['EPERM']),
  outside(
    'ns.init',
    'PID 1 inside is our init',
    noControl('outside of a sandbox there is no such process'),
    ({ init }) => {
      const words = init?.text('cmdline').split('\0') ?? [];
      return verdict(words.slice(0, 5).join(' ') === `${initTarget} -p SIGKILL -g --`, words.slice(0, 5).join(' '));
    },
  ),
  outside('ns.members', 'the sandbox holds its init and its program, and nobody else', harmless, (evidence) => {
    const { init, program, members } = evidence;
    const wanted = [init?.pid, program.pid];
    const alone = members.length === 2 && wanted.every((pid) => pid !== undefined && members.includes(pid));
    return verdict(alone, `${members.length} processes`);
  }),
  outside('ns.init-is-first', 'the program has a pid of its own numbering', harmless, ({ program, host }) => {
    const [inside, ours] = [namespaceIds(program, 'NSpid'), namespaceIds(host, 'NSpid')];
    return verdict(inside.length > ours.length, inside.join(' '));
  }),
  // Init, the probe, and the child that looks.
  sees('ns.own-processes', '/proc shows the processes of the sandbox only', harmless, (text) => text === '3'),
  sees('ns.host-name', 'the host name inside is "sandbox"', harmless, (text) => text === 'sandbox'),
];

export const namespaceChecks: readonly Check[] = [...own, ...ways, ...rest];
