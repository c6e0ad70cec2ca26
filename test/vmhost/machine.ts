// Owns booting the virtual worker host, and reading what it says on its serial port.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from '../../lib/base/exec.ts';
import { hostDisks, payloadDisk } from './disks.ts';

const image = 'base-tools';

/** What the guest reports: one line of JSON each, see guest/main.ts. */
export interface Report {
  readonly who: string;
  readonly what: string;
  readonly seen: unknown;
}

// Software emulation: a nested KVM hangs on some hosts, and is not there on others.
function machineArguments(kernel: string, root: string, payload: string, work: string): string[] {
  const drive = (id: string, file: string, mode: string) => [
    '-drive',
    `file=${file},format=raw,if=none,id=${id},${mode}`,
  ];
  return [
    ...['-accel', 'tcg,thread=multi', '-M', 'q35', '-cpu', 'max', '-smp', '2', '-m', '2048'],
    ...['-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-kernel', kernel],
    ...[
      '-append',
      'root=/dev/nvme0n1 rootfstype=ext4 rw console=ttyS0 quiet panic=-1 random.trust_cpu=on net.ifnames=0 mitigations=off',
    ],
    ...drive('root', root, 'snapshot=on,cache=unsafe'),
    ...drive('payload', payload, 'readonly=on'),
    ...[
      '-device',
      'nvme,id=nvme,serial=vm',
      '-device',
      'nvme-ns,drive=root,bus=nvme,nsid=1',
      '-device',
      'nvme-ns,drive=payload,bus=nvme,nsid=2',
    ],
    ...['-serial', `file:${join(work, 'console')}`, '-serial', `file:${join(work, 'reports')}`],
  ];
}

function readLines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\r', '').split('\n') : [];
}

/** Boots, lets the guest do its work, and gives its reports. Throws with the console's end when it did not come to its end. */
export async function runGuest(env: Readonly<Record<string, string>>, cache: string): Promise<Report[]> {
  const { kernel, root } = await hostDisks(cache, env);
  const work = mkdtempSync(join(tmpdir(), 'cofferdam-vmhost-'));
  try {
    const payload = await payloadDisk(work, image);
    const seconds = 600;
    await runTool(
      'timeout',
      ['-k', '5', String(seconds), 'qemu-system-x86_64', ...machineArguments(kernel, root, payload, work)],
      {
        timeoutMs: (seconds + 20) * 1000,
        accept: [0, 124],
      },
    );
    const lines = readLines(join(work, 'reports'));
    const reports = lines.filter((line) => line.startsWith('{"who"')).map((line) => JSON.parse(line) as Report);
    if (reports.some(({ what }) => what === 'end')) return reports;
    const tail = [
      ...lines.filter((line) => !line.startsWith('{"who"')).slice(-40),
      ...readLines(join(work, 'console')).slice(-20),
    ];
    throw new Error(`the virtual host did not come to its end:\n${tail.join('\n')}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
