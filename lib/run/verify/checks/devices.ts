// Owns the checks of devices and terminals.
import {
  type Check,
  harmless,
  harmlessIf,
  noControl,
  nothingOf,
  outside,
  refusedAnyway,
  refuses,
  sees,
  verdict,
} from '../check.ts';
import { mountAt } from '../procfs.ts';
import { deviceNodes } from './filesystem.ts';

const numbers: Readonly<Record<(typeof deviceNodes)[number], string>> = {
  null: 'c1:3',
  zero: 'c1:5',
  full: 'c1:7',
  tty: 'c5:0',
  random: 'c1:8',
  urandom: 'c1:9',
};
/** Names in the minimal /dev. */
export const knownEntries: ReadonlySet<string> = new Set<string>([
  ...deviceNodes,
  'core',
  'fd',
  'ptmx',
  'pts',
  'shm',
  'stderr',
  'stdin',
  'stdout',
]);

/** `name=c1:3`, sorted. */
export const knownNodes: readonly string[] = deviceNodes.map((name) => `${name}=${numbers[name]}`).sort();

const hidden = ['kmsg', 'mem', 'kvm', 'fuse', 'net/tun', 'loop-control', 'vsock', 'userfaultfd'].map((path) => {
  const name = path === 'net/tun' ? 'tun' : path === 'loop-control' ? 'loop' : path;
  return refuses(
    `device.${name}`,
    `there is no /dev/${path}`,
    ['ENOENT'],
    harmlessIf((host) => (host.hostHas(`/dev/${path}`) ? undefined : `this host has no /dev/${path}`)),
  );
});

const ownFileSystems = [
  { id: 'device.own-terminals', target: '/dev/pts' },
  { id: 'device.own-shared-memory', target: '/dev/shm' },
  { id: 'device.own-dev', target: '/dev' },
].map(({ id, target }) =>
  outside(id, `${target} is not the host's`, harmless, ({ program, host }) => {
    const [inside, ours] = [mountAt(program, target)?.device, mountAt(host, target)?.device];
    return verdict(inside !== undefined && inside !== ours, inside ?? 'no mount');
  }),
);

const listing: Check = {
  id: 'device.listing',
  says: '/dev holds the minimal set and nothing else',
  control: harmless,
  inside: true,
  judge: ({ attempts }) => {
    const { name, detail } = attempts.get('device.listing');
    if (name !== 'ok') return verdict(false, name);
    const names = detail.split(',');
    return nothingOf(
      names.filter((entry) => !knownEntries.has(entry)),
      `${names.length} entries`,
    );
  },
};

const acts: Check[] = [
  sees('device.nodes', 'the device nodes are null, zero, full, tty, random, urandom', harmless, (text) => {
    const found = text.split(',').filter((node) => node !== '');
    return found.sort().join() === knownNodes.join();
  }),
  refuses('device.make-block', 'no block device can be made', ['EPERM'], refusedAnyway),
  refuses('device.make-character', 'no character device can be made', ['EPERM'], refusedAnyway),
  refuses('device.tiocsti', 'nothing can be typed into a terminal (TIOCSTI)', ['EPERM']),
  refuses('device.tiocsti-high', 'TIOCSTI with bits above the low 32 is refused', ['EPERM']),
  refuses('device.tioclinux', 'TIOCLINUX is refused', ['EPERM']),
  refuses('device.tiocsetd', 'no line discipline can be set', ['EPERM']),
  refuses(
    'device.controlling-terminal',
    'there is no controlling terminal to open',
    ['ENXIO'],
    noControl('a service outside has none either'),
  ),
];

export const deviceChecks: readonly Check[] = [...hidden, ...ownFileSystems, listing, ...acts];
