// Owns the step that unpacks Debian's squid-openssl beside squid: the two packages exclude each other, their programs do not.
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { ensureDirectory, readTextIfPresent, writeFileAtomic } from '../../base/files.ts';
import { strictSquidFolder } from '../../firewall/squid/places.ts';
import type { Step } from './step.ts';

const name = 'squid-openssl';
const twoMinutes = 120_000;

/** Version of squid that is installed: both come from one source, and share files that have no version of their own. */
async function findVersion(): Promise<string | undefined> {
  const { stdout } = await runTool('dpkg-query', ['-W', '-f', '${Version}', 'squid'], { accept: [0, 1] });
  return /^[A-Za-z0-9.+:~-]{1,100}$/.test(stdout) ? stdout : undefined;
}

const stampOf = (folder: string) => join(folder, '.version');

/** Fetches by apt, which checks against the signed lists, and unpacks without running anything of the package. */
async function unpack(folder: string, version: string, env: Readonly<Record<string, string>>): Promise<void> {
  ensureDirectory(dirname(folder), 0o755);
  const beside = mkdtempSync(`${folder}.`);
  try {
    const options = ['-q', '-o', 'APT::Sandbox::User=root'];
    const tree = join(beside, 'tree');
    await runTool('apt-get', [...options, 'download', `${name}=${version}`], {
      env,
      cwd: beside,
      timeoutMs: twoMinutes,
    });
    const [file] = readdirSync(beside).filter((one) => one.endsWith('.deb'));
    if (file === undefined) throw new CofferdamError('TOOL_FAILED', `apt-get gave no file of ${name}`);
    await runTool('dpkg', ['-x', join(beside, file), tree]);
    writeFileAtomic(stampOf(tree), `${version}\n`, 0o644);
    rmSync(folder, { recursive: true, force: true });
    renameSync(tree, folder);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/** Optional: without it only `sni: strict` is refused. */
export function strictSquidStep(env: Readonly<Record<string, string>>, folder = strictSquidFolder): Step {
  return {
    id: 'squid-openssl',
    title: `${name} beside squid, for sni: strict`,
    optional: true,
    async missing() {
      const version = await findVersion();
      return version !== undefined && readTextIfPresent(stampOf(folder))?.trim() === version ? undefined : folder;
    },
    async apply() {
      const version = await findVersion();
      if (version === undefined) throw new CofferdamError('TOOL_FAILED', 'squid is not installed');
      await unpack(folder, version, env);
    },
  };
}
