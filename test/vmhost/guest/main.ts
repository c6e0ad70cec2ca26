// Owns the cases that one caller goes through inside the virtual worker host; each reports what was seen, and judges nothing.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './ask.ts';
import { base, home, readSoft, report, root, run, top, who, work } from './caller.ts';
import { killOurs } from './kills.ts';
import { meetLimits, small } from './limits.ts';

const profiles = join(root ? '/etc/cofferdam' : join(home, '.config/cofferdam'), 'profiles');

async function findChecks(): Promise<unknown> {
  const { stdout, stderr } = await ask('sandbox', ['doctor', '--json']);
  if (stdout === '') return stderr;
  const { findings } = JSON.parse(stdout) as { findings: { id: string }[] };
  return findings.filter(({ id }) => id.startsWith('cgroups.'));
}

/** `sandbox verify`, of which only what did not pass is told. */
async function verify(): Promise<void> {
  const { status, stdout, stderr } = await ask('sandbox', ['verify', '--json', '--profile', 'base-tools']);
  const found = stdout === '' ? undefined : (JSON.parse(stdout) as { counts: unknown; checks: { level: string }[] });
  const others = found?.checks.filter(({ level }) => level !== 'PASS');
  report('verify', { status, counts: found?.counts, others, stderr });
}

process.on('uncaughtException', (error) => {
  report('failed', String(error.stack));
  process.exit(1);
});
mkdirSync(work, { recursive: true });
mkdirSync(profiles, { recursive: true });
writeFileSync(join(profiles, `small-${who}.yaml`), small);
if (root) writeFileSync(join(profiles, 'idle.yaml'), 'extends: base-tools\nlimits: { idle: 3s }\n');
// Only for who goes without: a user's profile may not have the name of one of root's.
if (who === 'lonely' || who === 'best-effort')
  writeFileSync(join(profiles, 'best.yaml'), 'image: base-tools\nlimits: { enforce: best-effort }\n');
report('membership', readSoft('/proc/self/cgroup'));
const start = ['--', 'echo', 'started'];
if (who === 'best-effort') {
  report('best', run('best', ['-p', 'best', ...start]));
  report('json', await ask('sandbox', ['run', '--json', '-p', 'best', ...start]));
} else if (who === 'lonely') {
  report('strict', run('strict', [...base, ...start]));
  report('best', await ask('sandbox', ['run', '-p', 'best', ...start]));
} else {
  await meetLimits();
  await killOurs();
  await verify();
  report('services', existsSync(join(top, 'cofferdam')) ? 'a folder behind the back of systemd' : 'none');
}
if (who !== 'best-effort') report('doctor', await findChecks());
