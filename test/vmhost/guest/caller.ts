// Owns what all cases inside the virtual worker host share: who calls, starting things, seeing groups, reporting.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Named on the command line: root, service, session, lonely, best-effort, booted. */
export const who = process.argv[2] ?? '';
export const sandbox = '/opt/cofferdam/bin/sandbox';
export const root = process.getuid?.() === 0;
export const home = root ? '/root' : homedir();

/** Most of the time goes into Node's starts, and under emulation half of each into machine code that soon is not needed any more. */
export function quickNode(folder: string) {
  return { NODE_COMPILE_CACHE: join(folder, '.cache/node'), NODE_OPTIONS: '--jitless' };
}

export const env = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: home,
  LANG: 'C.UTF-8',
  ...quickNode(home),
};
/** lib/base/paths.ts, without XDG variables. */
export const runFolder = root ? '/run/cofferdam' : join(home, '.local/state/cofferdam/run');
export const work = join(home, 'work');
export const top = '/sys/fs/cgroup';
/** One plan, so that all but the first run take the short way. So little of the one processor that all callers at once must wait for it. */
export const base = ['-p', `small-${who}`, '--memory', '64m', '--cpus', '0.2', '--pids', '20'];

const log = root ? '/var/lib/cofferdam/state/runs.log' : join(home, '.local/state/cofferdam/runs.log');

export function report(what: string, seen: unknown): void {
  const at = Number(readSoft('/proc/uptime').split(' ')[0]);
  // In one write, because several processes share the port.
  writeFileSync(1, `${JSON.stringify({ who, what, at, seen })}\n`);
}

export function readSoft(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

export function call(file: string, args: readonly string[], started = Date.now()) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { env, encoding: 'utf8', timeout: 1_800_000 });
  const words = error === undefined ? stderr : `${stderr}\n${error.message}`;
  return { status, stdout, stderr: words, ms: Date.now() - started };
}

/** The run's line of runs.log: [..., exit status, reason, bytes, bytes, marks]. */
export function recordOf(id: string): string[] {
  const line = readSoft(log)
    .split('\n')
    .find((text) => text.split(' ')[1] === id);
  return line?.split(' ').slice(7) ?? [];
}

export function run(name: string, args: readonly string[]) {
  const id = `${who}-${name}`;
  const ended = call(sandbox, ['run', '--id', id, ...args]);
  return { ...ended, record: recordOf(id), left: findLeaves(id) };
}

/** Groups named by the run, wherever they are. Other callers' leaves are not ours to read, and come and go meanwhile. */
export function findLeaves(id: string): string[] {
  return call('find', [top, '-type', 'd', '-name', id]).stdout.split('\n').filter(Boolean);
}

/** Patient, because the machine may share its processors: 50 ms between looks, ten minutes in all. */
export async function until(holds: () => boolean, tries = 12_000): Promise<boolean> {
  for (let look = 0; look < tries; look++) {
    if (holds()) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}
