// Owns what each check means under gVisor, where the program is no process of the host: whose /proc it is judged on, or why
// not at all. A check from outside that is not listed fails.
import { printable } from '../../base/printable.ts';
import { initWords } from '../../spec/build.ts';
import { wayOutTarget } from '../../spec/mounts.ts';
import { type Check, fail, type Verdict, verdict } from './check.ts';
import { knownEntries, knownNodes } from './checks/devices.ts';
import { placeOf } from './checks/places.ts';
import type { AroundGuest, Evidence } from './evidence.ts';
import { fourIds, mountAt, parseCgroups, rows, statusField } from './procfs.ts';

type View =
  /** Judged as everywhere, on this process. */
  | 'sentry'
  | 'gofer'
  | 'guest'
  /** Why it does not apply. */
  | { readonly skip: string }
  /** Judged in another way. */
  | ((around: AroundGuest, evidence: Evidence) => Verdict);

const each = <T>(names: readonly string[], prefix: string, view: T) =>
  Object.fromEntries(names.map((name) => [`${prefix}.${name}`, view]));

const own = (field: 'Uid' | 'Gid', kind: 'uid' | 'gid'): View => {
  return ({ guest: { program } }, { expected }) => {
    const ids = fourIds(program, field);
    return verdict(
      ids.length === 4 && ids.every((id) => id === expected.profile.user[kind]),
      `${ids.join(' ')} inside`,
    );
  };
};

// Guests have their own numbers; on the host the sentry alone acts for them, in a writable folder through the gofer.
const subordinate = (field: 'Uid' | 'Gid', kind: 'subuids' | 'subgids'): View => {
  return ({ sentry }, { expected }) => {
    const { start, count } = expected.ids[kind];
    const ids = fourIds(sentry, field);
    return verdict(ids.length === 4 && ids.every((id) => id >= start && id < start + count), `sentry ${ids[0]}`);
  };
};

const confined: View = ({ sentry, gofer }, { host }) => {
  const ours = host.links('ns').get('user');
  const seen = [sentry, gofer].map((facts) =>
    [statusField(facts, 'NoNewPrivs'), statusField(facts, 'Seccomp'), facts.links('ns').get('user') !== ours].join(' '),
  );
  return verdict(
    seen.every((text) => text === '1 2 true'),
    `no_new_privs, filter, user namespace: sentry ${seen[0]}, gofer ${seen[1]}`,
  );
};

const size =
  (name: string): View =>
  ({ guest: { program } }, { expected }) => {
    const { target, bytes } = placeOf(name, expected);
    const mount = mountAt(program, target);
    const found = mount?.superOptions.find((option) => option.startsWith('size=')) ?? 'no size';
    return verdict(mount?.type === 'tmpfs' && found === `size=${bytes}`, `${found}; inodes are the sentry's memory`);
  };

const noexec =
  (name: string): View =>
  ({ guest: { program } }, { expected }) => {
    const { target, noexec: wanted } = placeOf(name, expected);
    const options = mountAt(program, target)?.options ?? [];
    return verdict(options.includes('rw') && options.includes('noexec') === wanted, options.join(','));
  };

const kernelNoexec: View = ({ guest: { program } }) => {
  const found = ['/proc', '/sys'].map((target) => mountAt(program, target)?.options.join() ?? 'no mount');
  return verdict(
    found.every((options) => options.split(',').includes('noexec')),
    found.join(' '),
  );
};

const hostPipes: View = ({ guest: { program } }) => {
  const found = [...program.links('fd').values()];
  return verdict(
    found.every((target) => /^(host|pipe):\[[0-9]+\]$/.test(target)),
    found.join(' '),
  );
};

const initFirst: View = ({ guest: { init } }, { expected }) => {
  const wanted = initWords(expected.profile);
  const words = init.text('cmdline').split('\0').slice(0, wanted.length).join(' ');
  return verdict(words === wanted.join(' '), words);
};

// This kernel shows no other flags of a folder of the host; fs.no-set-id and fs.no-devices say why it needs none.
const wayOut: View = ({ guest: { program } }, { expected }) => {
  const options = mountAt(program, wayOutTarget)?.options;
  const holds =
    expected.profile.network.mode === 'none'
      ? options === undefined
      : ['ro', 'noexec'].every((option) => options?.includes(option) === true);
  return verdict(holds, options?.join(',') ?? 'none');
};

// The guest's own sockets are the sentry's alone, also the forwarder's.
const noTcp: View = ({ sentry }) => {
  const found = rows(sentry.text('net/tcp'));
  return verdict(found.length === 0, `${found.length} entries`);
};

/** The same attempt, refused with another number: this kernel refuses at another place, or has no such call at all. */
const answers = (id: string, ...wanted: readonly string[]): Readonly<Record<string, View>> => ({
  [id]: (_, { attempts }) => {
    const { name } = attempts.get(id);
    return verdict(wanted.includes(name), name);
  },
});

/** What the probe looked at inside, held against what this kernel shows in every sandbox. */
const sees = (id: string, holds: (text: string) => boolean): Readonly<Record<string, View>> => ({
  [id]: (_, { attempts }) => {
    const { name, detail } = attempts.get(id);
    return verdict(name === 'ok' && holds(detail), name === 'ok' ? printable(detail, 160) || 'nothing' : name);
  },
});

const sentryDevices = 'fuse=c10:229';
const sentryEntries = ['fuse', 'net'];

const setId = { skip: 'the sentry runs no set-id program as another user, wherever it lies' };
const ownKernel = {
  skip: "its /proc and /sys are the sentry's own; what they say and take is attempted (proc.read-, proc.write-)",
};
const otherKernel = { skip: 'its file systems are those of another kernel, whose numbers are not comparable' };
const noLimitsFile = {
  skip: 'this kernel has no /proc/PID/limits; the limit is taken to its end instead (limit.…-hold)',
};

const ownInit = {
  skip: "init has the program's ids and environment, and is read by way of the gofer; the filter refuses to trace it",
};

const places = ['tmp', 'shm', 'run', 'artifacts', 'scratch'];

export const views: Readonly<Record<string, View>> = {
  'identity.uid': own('Uid', 'uid'),
  'identity.gid': own('Gid', 'gid'),
  ...each(['uid-map', 'gid-map', 'uid-map-no-root', 'gid-map-no-root'], 'identity', 'gofer'),
  ...each(['uid-of-root-inside', 'gid-of-root-inside'], 'identity', 'gofer'),
  'identity.uid-subordinate': subordinate('Uid', 'subuids'),
  'identity.gid-subordinate': subordinate('Gid', 'subgids'),
  ...each(['capabilities-inh', 'capabilities-prm', 'capabilities-eff', 'capabilities-bnd'], 'identity', 'guest'),
  'identity.capabilities-amb': { skip: 'this kernel shows no ambient set; it is no larger than the permitted one' },
  ...each(['uid-alone', 'no-groups', 'no-new-privs', 'no-terminal'], 'identity', 'sentry'),
  'identity.seccomp': 'guest',
  'identity.init-confined': confined,
  ...each(['user', 'pid', 'ipc', 'uts', 'net', 'mnt', 'cgroup', 'init-is-first'], 'ns', 'sentry'),
  'ns.init': initFirst,
  'ns.members': {
    skip: 'its members are the sentry, its stubs and those who serve it; ns.own-processes counts those inside',
  },
  ...Object.fromEntries(
    places.flatMap((name) => [
      [`fs.${name}-size`, size(name)],
      [`fs.${name}-flags`, noexec(name)],
    ]),
  ),
  ...each(['root-read-only', 'no-other-mounts', 'writable-places', 'no-cgroup-tree'], 'fs', 'guest'),
  'fs.shm-place': otherKernel,
  'fs.way-out': wayOut,
  'fs.no-set-id': setId,
  'fs.no-devices': {
    skip: 'the sentry opens no device of the host, and the filter refuses to make nodes (device.make-)',
  },
  'fs.private': 'sentry',
  'proc.masked': ownKernel,
  'proc.read-only': ownKernel,
  'proc.sys-read-only': 'guest',
  'proc.flags': kernelNoexec,
  ...each(['own-terminals', 'own-shared-memory', 'own-dev'], 'device', otherKernel),
  ...each(['interfaces', 'routes', 'addresses', 'no-tcp6', 'no-udp', 'no-udp6', 'no-unix'], 'net', 'sentry'),
  'net.no-tcp': noTcp,
  ...each(['memory', 'swap', 'oom-group', 'pids', 'cpu', 'cpu-period', 'own-group', 'oom-killable'], 'limit', 'sentry'),
  'limit.open-files': noLimitsFile,
  'limit.file-size': noLimitsFile,
  'limit.core': { skip: 'the sentry writes no core dump and starts no program of the host' },
  ...each(['descriptors', 'environment', 'run-id'], 'leak', 'guest'),
  'leak.stdio': hostPipes,
  'leak.init-command-line': ({ guest: { init } }) => {
    const words = init.text('cmdline').split('\0');
    return verdict(
      words.every((word) => !/^\/(home|root|var\/lib)\//.test(word)),
      `${words.length} words`,
    );
  },
  ...answers('identity.raise-capability', 'EPERM', 'EINVAL'),
  // It asks for permission before it looks at the mount, which fs.root-read-only does.
  ...answers('fs.create-in-root', 'EROFS', 'EACCES'),
  ...answers('fs.create-in-usr', 'EROFS', 'EACCES'),
  ...answers('fs.create-in-etc', 'EROFS', 'EACCES'),
  ...answers('proc.write-sysctl', 'EACCES', 'EROFS', 'ENOENT'),
  ...answers('syscall.mount_setattr', 'EPERM', 'ENOSYS'),
  ...answers('syscall.pidfd_getfd', 'EPERM', 'ENOSYS'),
  ...answers('syscall.abi-x32', 'SIGSYS', 'ENOSYS'),
  'syscall.abi-32-bit': {
    skip: 'the sentry has one table: a 32-bit call is the 64-bit one of its number, filter and all',
  },
  ...answers('device.controlling-terminal', 'ENXIO', 'EIO'),
  ...answers('net.route-ipv4', 'ENETUNREACH', 'EHOSTUNREACH'),
  ...answers('net.route-ipv6', 'ENETUNREACH', 'EHOSTUNREACH'),
  ...answers('limit.become-realtime', 'EPERM', 'EINVAL'),
  'limit.raise-priority': { skip: "priorities are the sentry's own numbers, which order nothing on the host" },
  'limit.escape-oom': { skip: "the number is the sentry's own; limit.oom-killable looks at that of the host" },
  ...each(['init-environment', 'init-descriptors', 'init-namespace'], 'proc', ownInit),
  'fs.read-init': ownInit,
  // The same text in every sandbox of gVisor.
  ...sees('proc.read-cmdline', (text) => ['0', '', '39'].includes(text)),
  ...sees('device.nodes', (text) => {
    const found = text.split(',').filter((node) => node !== '' && node !== sentryDevices);
    return found.sort().join() === knownNodes.join();
  }),
  ...sees('device.listing', (text) =>
    text.split(',').every((name) => knownEntries.has(name) || sentryEntries.includes(name)),
  ),
  ...sees('leak.cgroup-path', (text) => [...parseCgroups(text).values()].every((path) => path === '/')),
  // The sentry gives the host name for it.
  ...sees('leak.domain-name', (text) => ['', '(none)', 'sandbox'].includes(text)),
};

/** `check` as it is meant here. Throws what a look throws. */
export function judgeGuest(check: Check, evidence: Evidence, around: AroundGuest): Verdict {
  const view = views[check.id];
  if (view === undefined) return check.inside ? check.judge(evidence) : fail('nobody says what it means under gVisor');
  if (typeof view === 'function') return view(around, evidence);
  if (typeof view === 'object') return { level: 'SKIP', seen: view.skip };
  return check.judge({ ...evidence, program: view === 'guest' ? around.guest.program : around[view] });
}
