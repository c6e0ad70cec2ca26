// Owns the checks of mounts and files: what is mounted, what can be written, what can be executed. Sizes: places.ts.
import { basename } from 'node:path';
import { setsMountFlags, targetsBeside } from '../../../engine/matrix.ts';
import { maskedPaths, readonlyPaths } from '../../../spec/build.ts';
import { deviceNodes, sharedMemory } from '../../../spec/dev.ts';
import { initTarget, wayOutTarget } from '../../../spec/mounts.ts';
import { sysFolders } from '../../../spec/sys.ts';
import {
  type Check,
  harmless,
  noControl,
  nothingOf,
  outside,
  refusedAnyway,
  refuses,
  sees,
  verdict,
} from '../check.ts';
import type { Evidence, Expected } from '../evidence.ts';
import { hasOutline } from '../outline.ts';
import { type Mount, mountAt, visibleMounts } from '../procfs.ts';

const devicePaths: readonly string[] = deviceNodes.map((name) => `/dev/${name}`);
const kernel = ['/proc', '/dev', '/dev/pts', '/sys'];

function expectedTargets({ program, expected: { profile, engine } }: Evidence): Set<string> {
  return new Set([
    '/',
    ...kernel,
    ...sysFolders.map((path) => `/sys/${path}`),
    ...devicePaths,
    '/tmp',
    '/run',
    ...(hasOutline(program) ? [] : ['/dev/shm']),
    '/artifacts',
    '/workspace',
    ...(profile.workspace.mode === 'scratch' ? [] : ['/sandbox']),
    initTarget,
    ...(profile.network.mode === 'proxy' ? [wayOutTarget] : []),
    ...maskedPaths,
    ...readonlyPaths,
    ...targetsBeside(engine),
    ...profile.mounts.map(({ target }) => target),
  ]);
}

/** Read-only mounts over places in a writable workspace that run code on the host: a protection, not a door. */
function isGuarded({ target, options }: Mount, { profile }: Expected): boolean {
  return profile.workspace.mode === 'rw' && target.startsWith('/workspace/') && options.includes('ro');
}

/** An empty read-only file system: a runtime's way to hide what is below, never a door. */
function isMask({ type, options, superOptions }: Mount): boolean {
  return type === 'tmpfs' && options.includes('ro') && superOptions.includes('size=0k');
}

/** One device node of the host, alone: no folder to write to, no program to execute. */
function isNode({ type, root }: Mount): boolean {
  return type === 'devtmpfs' && deviceNodes.some((name) => root === `/${name}`);
}

/** The other way: nothing, in a file's place. */
function isNull(mount: Mount): boolean {
  return isNode(mount) && mount.root === '/null' && maskedPaths.some((path) => path === mount.target);
}

function writableTargets({ program, expected: { profile } }: Evidence): Set<string> {
  const { mode } = profile.workspace;
  return new Set([
    '/proc',
    '/dev/pts',
    ...(hasOutline(program) ? [] : ['/dev', '/dev/shm']),
    '/tmp',
    '/run',
    '/artifacts',
    ...(mode === 'ro' ? [] : ['/workspace']),
    ...(mode === 'scratch' ? [] : ['/sandbox']),
    ...devicePaths,
    ...profile.mounts.filter((mount) => mount.mode === 'rw').map(({ target }) => target),
  ]);
}

const mounts: Check[] = [
  outside('fs.root-read-only', 'the root file system is mounted read-only', harmless, ({ program }) => {
    const options = mountAt(program, '/')?.options ?? [];
    return verdict(options.includes('ro'), options.join(','));
  }),
  outside('fs.no-other-mounts', 'nothing is mounted but what the spec says', harmless, (evidence) => {
    const wanted = expectedTargets(evidence);
    const all = visibleMounts(evidence.program);
    const others = all
      .filter(({ target }) => !wanted.has(target))
      .filter((mount) => !isGuarded(mount, evidence.expected) && !isMask(mount));
    return nothingOf(
      others.map(({ target }) => target),
      `${all.length} mounts`,
    );
  }),
  outside('fs.writable-places', 'only the places meant for it are mounted writable', harmless, (evidence) => {
    const wanted = writableTargets(evidence);
    const writable = visibleMounts(evidence.program).filter(({ options }) => options.includes('rw'));
    const others = writable.filter((mount) => !wanted.has(mount.target) && !isNull(mount));
    return nothingOf(
      others.map(({ target }) => target),
      writable.map(({ target }) => target).join(' '),
    );
  }),
  outside('fs.no-set-id', 'on no writable mount do set-id bits work', harmless, (evidence) => {
    const open = visibleMounts(evidence.program).filter(
      (mount) => mount.options.includes('rw') && !mount.options.includes('nosuid') && !isNode(mount),
    );
    return nothingOf(
      open.map(({ target }) => target),
      'nosuid everywhere',
    );
  }),
  outside('fs.no-devices', 'on no writable mount do device nodes work, but for those of /dev', harmless, (evidence) => {
    const open = visibleMounts(evidence.program).filter(
      ({ options, target }) =>
        options.includes('rw') && !options.includes('nodev') && !['/dev/pts', ...devicePaths].includes(target),
    );
    return nothingOf(
      open.map(({ target }) => target),
      'nodev everywhere',
    );
  }),
  outside(
    'fs.private',
    'no mount made on the host appears inside, nor the other way round',
    noControl('the mounts of a host may be private, too'),
    (evidence) => {
      const joined = visibleMounts(evidence.program).filter(({ propagation }) => propagation.length > 0);
      return nothingOf(
        joined.map(({ target, propagation }) => `${target} ${propagation.join()}`),
        'private',
      );
    },
  ),
  outside(
    'fs.way-out',
    'the way out is one read-only folder, or there is none',
    noControl('there is none outside'),
    ({ program, expected }) => {
      const options = mountAt(program, wayOutTarget)?.options;
      if (expected.profile.network.mode === 'none') return verdict(options === undefined, options?.join(',') ?? 'none');
      const wanted = ['ro', ...(setsMountFlags(expected.engine) ? ['nosuid', 'nodev', 'noexec'] : [])];
      return verdict(
        wanted.every((option) => options?.includes(option) === true),
        options?.join(',') ?? 'none',
      );
    },
  ),
  outside('fs.no-cgroup-tree', 'no control group file system is mounted', harmless, (evidence) => {
    const trees = visibleMounts(evidence.program).filter(({ type }) => type.startsWith('cgroup'));
    return nothingOf(
      trees.map(({ target }) => target),
      'none',
    );
  }),
];

const notWritable = noControl('a plain user outside may not write there either');
const acts: Check[] = [
  refuses('fs.create-in-root', 'nothing can be created in /', ['EROFS']),
  refuses('fs.create-in-usr', 'nothing can be created in /usr/bin', ['EROFS']),
  refuses('fs.create-in-etc', 'nothing can be created in /etc', ['EROFS']),
  refuses('fs.write-passwd', '/etc/passwd cannot be written', ['EACCES', 'EROFS'], notWritable),
  refuses('fs.write-shell', '/bin/sh cannot be written', ['EACCES', 'EROFS'], notWritable),
  refuses('fs.read-shadow', '/etc/shadow of the image cannot be read', ['EACCES'], refusedAnyway),
  refuses('fs.read-init', 'our init cannot be read', ['EACCES'], noControl('there is none outside')),
  refuses('fs.execute-in-tmp', 'nothing in /tmp can be executed', ['EACCES']),
  refuses('fs.execute-in-shm', 'nothing in /dev/shm can be executed', ['EACCES']),
  refuses('fs.execute-in-run', 'nothing in /run can be executed', ['EACCES'], notWritable),
  refuses(
    'fs.execute-in-artifacts',
    'nothing in /artifacts can be executed',
    ['EACCES'],
    noControl('no such folder outside'),
  ),
  sees('fs.run-is-empty', '/run holds nothing of the host: no socket, no state', harmless, (text, { program }) =>
    ['', ...(hasOutline(program) ? [basename(sharedMemory)] : [])].includes(text),
  ),
  sees(
    'fs.tmp-is-empty',
    '/tmp holds nothing of the host',
    noControl('/tmp outside may be empty, too'),
    (text) => text === '',
  ),
];

export const filesystemChecks: readonly Check[] = [...mounts, ...acts];
