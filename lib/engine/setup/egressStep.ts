// Owns the step that installs the way out as a service of the host (systemd/cofferdam-egress.service), for root and every prepared user.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { ensureDirectory, readTextIfPresent, writeFileAtomic } from '../../base/files.ts';
import { bridgeUser } from '../../firewall/identities.ts';
import { type Account, parseAccounts } from './accounts.ts';
import type { Step } from './step.ts';
import { isSystemd, parseUsers, renderUnit } from './unitStep.ts';

const units = ['cofferdam-proxy.socket', 'cofferdam-proxy.service', 'cofferdam-egress.service'] as const;
/** Those that a boot starts; the third is started by its socket. */
const enabled = ['cofferdam-proxy.socket', 'cofferdam-egress.service'] as const;
const unitFile = (unit: string) => `/etc/systemd/system/${unit}`;
/** Longer than the units' own limits (systemd/), which say more. */
const startMs = 600_000;
const foldersFile = '/etc/tmpfiles.d/cofferdam-egress.conf';

/** Whether an earlier set-up was asked for it. */
export function isEgressInstalled(): boolean {
  return existsSync(unitFile('cofferdam-egress.service'));
}

/**
 * tmpfiles.d(5): the folders in which the bridge and each caller meet. A gate is its caller's own, because user namespaces of
 * theirs have rights over what is theirs alone, and the bridge passes it by an ACL; root's sandboxes pass root's as other uids.
 */
export function renderFolders(callers: readonly Account[]): string {
  const [run, state] = ['/run/cofferdam/egress', '/var/lib/cofferdam/egress'];
  const lines = callers.flatMap(({ uid, gid }) => [
    `d ${run}/callers/${uid} ${uid === 0 ? '0711' : '0700'} ${uid} ${gid} -`,
    `a ${run}/callers/${uid} - - - - u:${bridgeUser}:-wx`,
    `d ${state}/${uid} 0700 ${bridgeUser} ${bridgeUser} -`,
    `a ${state}/${uid} - - - - u:${uid}:r-x`,
  ]);
  return [
    '# Where the way out and its callers meet. Written by: sandbox setup --egress',
    'd /run/cofferdam 0711 root root -',
    `d ${run} 0711 root root -`,
    `d ${run}/callers 0755 root root -`,
    `d ${state} 0711 ${bridgeUser} ${bridgeUser} -`,
    ...lines,
    '',
  ].join('\n');
}

function listCallers(usersFile: string): Account[] {
  const users = ['root', ...parseUsers(readTextIfPresent(usersFile) ?? '')];
  return parseAccounts(readTextIfPresent('/etc/passwd', 16 << 20) ?? '').filter(({ name }) => users.includes(name));
}

async function listInactive(): Promise<string[]> {
  const asked = await Promise.all(
    enabled.flatMap((unit) =>
      ['is-enabled', 'is-active'].map(async (what) => {
        const { exitCode } = await runTool('systemctl', [what, '--quiet', unit], { accept: [0, 1, 3, 4] });
        return exitCode === 0 ? [] : [`${unit} ${what.replace('is-', 'is not ')}`];
      }),
    ),
  );
  return asked.flat();
}

/** Throws HOST_UNPREPARED on a host without systemd. */
export function egressStep(install: string, usersFile: string): Step {
  const wanted = () => [
    ...units.map((unit) => {
      const template = readFileSync(join(install, 'systemd', unit), 'utf8');
      return { file: unitFile(unit), text: renderUnit(template, install) };
    }),
    { file: foldersFile, text: renderFolders(listCallers(usersFile)) },
  ];
  const stale = () => wanted().filter(({ file, text }) => readTextIfPresent(file) !== text);
  return {
    id: 'egress',
    title: 'the way out as a service of this host',
    async missing() {
      if (!isSystemd()) {
        throw new CofferdamError('HOST_UNPREPARED', 'this host has no systemd that could run the way out', {
          remedy: 'leave --egress away: each user’s sandboxes have a way out that is started when they need it',
        });
      }
      const lacks = stale().map(({ file }) => file);
      const all = lacks.length > 0 ? lacks : await listInactive();
      return all.length === 0 ? undefined : all.join(' ');
    },
    async apply() {
      const changed = stale();
      ensureDirectory('/etc/tmpfiles.d', 0o755);
      for (const { file, text } of changed) writeFileAtomic(file, text, 0o644);
      await runTool('systemd-tmpfiles', ['--create', foldersFile]);
      await runTool('systemctl', ['daemon-reload']);
      await runTool('systemctl', ['enable', '--quiet', ...enabled]);
      // One whose unit is another now is started again; else it is told that there are callers it does not know.
      if (changed.some(({ file }) => file !== foldersFile))
        await runTool('systemctl', ['restart', ...enabled], { timeoutMs: startMs });
      await runTool('systemctl', ['start', ...enabled], { timeoutMs: startMs });
      await runTool('systemctl', ['kill', '--signal=HUP', '--kill-who=main', 'cofferdam-egress.service']);
    },
  };
}
