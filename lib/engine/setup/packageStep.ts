// Owns the step that installs Debian packages: only missing ones, never another version of what is there.
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { CofferdamError, errnoOf, messageOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { findTool } from '../tools.ts';
import { daemonUnits, missingPackages, packageNames } from './packages.ts';
import type { Step } from './step.ts';

export interface PackageOptions {
  /** Also what bin/test needs. */
  readonly tests: boolean;
  /** Proxy and TLS settings of the caller, for apt. */
  readonly env: Readonly<Record<string, string>>;
}

const tenMinutes = 600_000;

async function listMissing(tests: boolean): Promise<string[]> {
  const wanted = packageNames(tests);
  if (findTool('dpkg-query') === undefined || findTool('apt-get') === undefined) {
    throw new CofferdamError('HOST_UNPREPARED', 'this host has no dpkg and apt-get: setup prepares Debian hosts', {
      remedy: `install by hand what these Debian packages hold: ${wanted.join(' ')}; then: sandbox doctor`,
    });
  }
  const { stdout } = await runTool('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\\n'], {});
  return missingPackages(wanted, stdout);
}

const policyFile = '/usr/sbin/policy-rc.d';

// Some of these packages are daemons whose program alone is wanted: installing one must not start it on this host
// (invoke-rc.d(8); 101: forbidden). A policy of the host's own stays.
async function withoutStarting(install: () => Promise<void>): Promise<void> {
  let made = false;
  try {
    writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { flag: 'wx' });
    made = true;
    chmodSync(policyFile, 0o755);
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause;
  }
  try {
    await install();
  } finally {
    if (made) rmSync(policyFile, { force: true });
  }
}

const unitFolder = '/etc/systemd/system';

/**
 * Masks `units` (systemctl(1), mask) before their packages come: installing would enable them for the next boot, and an interrupted
 * set-up would leave them so. Only packages that are missing are asked about: who has a proxy of their own keeps it.
 */
function maskUnits(units: readonly string[]): void {
  for (const unit of units) {
    const file = `${unitFolder}/${unit}`;
    if (existsSync(file)) continue;
    mkdirSync(unitFolder, { recursive: true, mode: 0o755 });
    try {
      symlinkSync('/dev/null', file);
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw cause;
    }
  }
}

export function packageStep({ tests, env }: PackageOptions): Step {
  const apt = (...args: string[]) =>
    runTool('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: { ...env, DEBIAN_FRONTEND: 'noninteractive' },
      timeoutMs: tenMinutes,
    });
  return {
    id: 'packages',
    title: 'Debian packages',
    async missing() {
      const names = await listMissing(tests);
      return names.length === 0 ? undefined : names.join(' ');
    },
    async apply() {
      const names = await listMissing(tests);
      maskUnits(daemonUnits(names));
      const install = () => apt('install', '--no-install-recommends', '--no-upgrade', ...names);
      await withoutStarting(async () => {
        try {
          await install();
        } catch {
          // The lists of a fresh host are empty, those of an old one name files that are gone.
          await apt('update');
          await install().catch((cause: unknown) => {
            throw new CofferdamError('TOOL_FAILED', `the packages could not be installed: ${messageOf(cause)}`, {
              remedy: `as root: apt-get install ${names.join(' ')}`,
              cause,
            });
          });
        }
      });
    },
  };
}
