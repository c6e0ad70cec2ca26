// Owns which platform of runsc a host offers: the way the sentry intercepts system calls. Judged by a real start.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { requireTool } from '../tools.ts';

/**
 * Those that we use, the best first. Not kvm: its guest threads are no threads of the host, so no control group bounds their
 * number, and limits.pids would not hold.
 */
const known = ['systrap', 'ptrace'] as const;
export type Platform = (typeof known)[number];

/** Flags for the version of `date` (YYYYMMDD). From 2023 on the sentry opens files itself unless told to leave it to the gofer. */
export function flagsOf(date: string): string[] {
  return date >= '20230601' ? ['--directfs=false'] : [];
}

/** The smallest bundle: an init that says its version and ends. */
function writeBundle(folder: string, init: string): void {
  const root = join(folder, 'rootfs');
  mkdirSync(root);
  copyFileSync(init, join(root, 'init'));
  chmodSync(join(root, 'init'), 0o755);
  const spec = {
    ociVersion: '1.0.2',
    process: { args: ['/init', '--version'], cwd: '/', user: { uid: 0, gid: 0 }, noNewPrivileges: true },
    root: { path: root, readonly: true },
    mounts: [],
    linux: { namespaces: [{ type: 'pid' }, { type: 'network' }, { type: 'mount' }] },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(spec));
}

async function tryStart(runsc: string, platform: Platform, flags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-runsc-'));
  try {
    writeBundle(folder, requireTool('tini-static', 'tini'));
    const around = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'];
    const options = [
      '--root',
      join(folder, 'state'),
      '--rootless',
      '--platform',
      platform,
      '--network',
      'none',
      ...flags,
    ];
    // Its control socket has the id's name in the host's network namespace: two at once must not have the same.
    const command = [...options, '--ignore-cgroups', 'run', '--bundle', folder, basename(folder)];
    await runTool(requireTool('unshare', 'util-linux'), [...around, runsc, ...command], { timeoutMs: 60_000 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The platforms in the text of `runsc help platforms`. */
export function parsePlatforms(text: string): Platform[] {
  const listed = text.split('\n').map((line) => line.trim());
  return known.filter((name) => listed.includes(name));
}

/** The best platform on which something really starts. Throws ENGINE_MISSING with what the last one said. */
export async function findPlatform(runsc: string, date: string): Promise<Platform> {
  const { stdout } = await runTool(runsc, ['help', 'platforms'], { timeoutMs: 60_000 });
  let said = `it offers none of ${known.join(', ')}`;
  for (const platform of parsePlatforms(stdout)) {
    try {
      await tryStart(runsc, platform, flagsOf(date));
      return platform;
    } catch (error) {
      said = messageOf(error);
    }
  }
  throw new CofferdamError('ENGINE_MISSING', `${runsc} starts nothing on this host: ${said}`, {
    remedy: 'see: sandbox doctor',
  });
}
