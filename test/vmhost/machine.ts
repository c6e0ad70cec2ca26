// Owns booting the virtual worker host, and reading what it says on its serial port.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from '../../lib/base/exec.ts';
import { hostDisks, payloadDisk } from './disks.ts';

const images = ['base-tools'];

const usualCache = '/var/cache/cofferdam-tests';
const cache = process.env['COFFERDAM_TEST_CACHE'] ?? usualCache;
/** Built by .ci/install-nerdctl. */
const nerdctl = join(usualCache, 'nerdctl-v2.2.1');
const proxies = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    /_proxy$/i.test(name) && value !== undefined ? [[name, value]] : [],
  ),
);

/** What the guest reports: one line of JSON each, see guest/. */
export interface Report {
  readonly who: string;
  readonly what: string;
  /** Seconds since the boot. */
  readonly at: number;
  readonly seen: unknown;
}

interface Boot {
  readonly kernel: string;
  readonly root: string;
  readonly payload: string;
  /** Folder for what it says. */
  readonly said: string;
  /** On the kernel's command line, where the guest reads it. */
  readonly word: string;
  readonly seconds: number;
}

// Software emulation: a nested KVM hangs on some hosts, and is not there on others. What costs it most is left out: a second
// processor (locks, and calls from one to the other), wide registers, string instructions that it takes byte by byte, checks of user memory,
// a clock outside of the processor. Together half of the time.
const processor = `max,${['erms', 'smap', 'smep', 'la57', 'umip', 'pku', 'xsave', 'avx', 'avx2', 'f16c', 'mpx', 'vaes'].map((name) => `-${name}`).join()}`;
const kernelWords = [
  'root=/dev/nvme0n1 rootfstype=ext4 rw console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off',
  'random.trust_cpu=on tsc=reliable clocksource=tsc clearcpuid=rep_good',
  // Where each takes a hundred times what it takes elsewhere, these limits end what would have come.
  'systemd.default_timeout_start_sec=900 systemd.service_watchdogs=no systemd.setenv=SYSTEMD_BUS_TIMEOUT=600',
];

function machineArguments({ kernel, root, payload, said, word }: Boot): string[] {
  const drive = (id: string, file: string, mode: string) => [
    '-drive',
    `file=${file},format=raw,if=none,id=${id},${mode}`,
  ];
  return [
    ...['-accel', 'tcg', '-M', 'q35', '-cpu', processor, '-smp', '1', '-m', '2560'],
    ...['-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-kernel', kernel],
    ...['-append', [...kernelWords, word].join(' ')],
    ...drive('root', root, 'cache=unsafe'),
    ...drive('payload', payload, 'readonly=on'),
    ...[
      '-device',
      'nvme,id=nvme,serial=vm',
      '-device',
      'nvme-ns,drive=root,bus=nvme,nsid=1',
      '-device',
      'nvme-ns,drive=payload,bus=nvme,nsid=2',
    ],
    ...['-serial', `file:${join(said, 'console')}`, '-serial', `file:${join(said, 'reports')}`],
  ];
}

function readLines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\r', '').split('\n') : [];
}

async function boot(wish: Boot): Promise<Report[]> {
  const { said, seconds } = wish;
  mkdirSync(said);
  await runTool('timeout', ['-k', '5', String(seconds), 'qemu-system-x86_64', ...machineArguments(wish)], {
    timeoutMs: (seconds + 20) * 1000,
    accept: [0, 124],
  });
  const lines = readLines(join(said, 'reports'));
  const reports = lines.filter((line) => line.startsWith('{"who"')).map((line) => JSON.parse(line) as Report);
  if (reports.some(({ what }) => what === 'end')) return reports;
  const tail = [
    ...lines.filter((line) => !line.startsWith('{"who"')).slice(-40),
    ...reports.slice(-3).map(({ who, what, at }) => `${who} reported ${what} at ${at} s`),
    ...readLines(join(said, 'console')).slice(-20),
  ];
  throw new Error(`the virtual host did not come to its end:\n${tail.join('\n')}`);
}

/**
 * Boots, lets the guest do its work, turns the machine off and boots it again; gives the reports of both. Throws with the
 * console's end when it did not come to its end. `part` is which of the guest's cases: `all` of sandboxes, `egress`, or `engines`, which
 * is not booted again.
 */
export async function runGuest(part: 'all' | 'egress' | 'engines'): Promise<Report[]> {
  const disks = await hostDisks(cache, proxies);
  const { kernel } = disks;
  const work = mkdtempSync(join(tmpdir(), 'cofferdam-vmhost-'));
  try {
    const payload = await payloadDisk(work, images, part === 'engines' ? { nerdctl } : undefined);
    const root = join(work, 'root.ext4');
    await runTool('cp', ['--reflink=auto', '--sparse=always', disks.root, root]);
    const first = {
      kernel,
      root,
      payload,
      said: join(work, 'first'),
      word: `cofferdam.test=first cofferdam.part=${part}`,
      seconds: 3600,
    };
    const reports = await boot(first);
    if (part === 'engines') return reports;
    const again = {
      ...first,
      said: join(work, 'again'),
      word: `cofferdam.test=again cofferdam.part=${part}`,
      seconds: 2400,
    };
    return [...reports, ...(await boot(again))];
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
