// Owns the checks of devices and terminals.
import { takesOurBundle } from '../../../engine/matrix.ts';
import { deviceNodes } from '../../../spec/dev.ts';
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
import type { Evidence } from '../evidence.ts';
import { hasOutline, sharedTarget } from '../outline.ts';
import { mountAt, parseMounts } from '../procfs.ts';

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

/** `target` inside is of another file system than what the host has there. */
function isOwn({ program, host }: Evidence, target: string): boolean {
  const inside = mountAt(program, target)?.device;
  return inside !== undefined && inside !== mountAt(host, target)?.device;
}

const seenAt = ({ program }: Evidence, target: string) => mountAt(program, target)?.device ?? 'no mount';

const ownFileSystems = [
  outside('device.own-terminals', "/dev/pts is not the host's", harmless, (evidence) =>
    verdict(isOwn(evidence, '/dev/pts'), seenAt(evidence, '/dev/pts')),
  ),
  outside('device.own-shared-memory', "/dev/shm is not the host's", harmless, (evidence) => {
    const { program, host } = evidence;
    const target = sharedTarget(program);
    const inside = mountAt(program, target)?.device;
    // The host's /run need not be a mount of its own.
    const isHosts = parseMounts(host.text('mountinfo')).some(({ device }) => device === inside);
    return verdict(isOwn(evidence, target) && !(isHosts && hasOutline(program)), seenAt(evidence, target));
  }),
  outside('device.own-dev', "/dev is not the host's, and read-only where the bundle is ours", harmless, (evidence) => {
    const isAsMade = !takesOurBundle(evidence.expected.engine) || hasOutline(evidence.program);
    return verdict(isOwn(evidence, '/dev') && isAsMade, seenAt(evidence, '/dev'));
  }),
];

const listing: Check = {
  id: 'device.listing',
  says: '/dev holds the minimal set and nothing else',
  control: harmless,
  inside: true,
  judge: ({ attempts, program }) => {
    const { name, detail } = attempts.get('device.listing');
    if (name !== 'ok') return verdict(false, name);
    const names = detail.split(',');
    // An empty file, where no terminal is mounted on it.
    const isKnown = (entry: string) => knownEntries.has(entry) || (entry === 'console' && hasOutline(program));
    return nothingOf(
      names.filter((entry) => !isKnown(entry)),
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
