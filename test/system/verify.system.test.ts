// Owns the proof of the boundary check by check: all hold in every profile, for root and a plain user, and can fail outside.
import tap, { type Test } from 'tap';
import { type Scene, sandboxFile, sceneOf, testAsBoth } from './scene.ts';
import { findProcesses } from './traces.ts';

/** Images of the five profiles, and the user of the scene. */
export const needs = ['root', 'crun', 'base-tools', 'python-tools', 'node-tools', 'go-tools', 'secops-tools'];

const profiles = ['base-tools', 'python-tools', 'node-tools', 'go-tools', 'secops-tools'];

interface Verified {
  readonly profile: string;
  readonly ok: boolean;
  readonly counts: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly checks: readonly {
    readonly id: string;
    readonly level: string;
    readonly seen: string;
    readonly control: boolean;
  }[];
}

async function verify(
  t: Test,
  scene: Scene,
  args: readonly string[],
): Promise<{ status: number | null; verified: Verified }> {
  const { status, stdout, stderr } = await scene.call(['verify', '--json', ...args]);
  if (stdout === '') throw new Error(stderr);
  t.strictSame(
    findProcesses('cofferdam-probe').filter(({ command }) => command.includes('/cofferdam-probe')),
    [],
    'nothing of it still runs',
  );
  return { status, verified: JSON.parse(stdout) as Verified };
}

const seen = ({ checks }: Verified, level: string) =>
  checks.filter((check) => check.level === level).map(({ id, seen: what }) => `${id}: ${what}`);

testAsBoth('every check passes for each of the five profiles', async (t, scene) => {
  for (const profile of profiles) {
    const { status, verified } = await verify(t, scene, ['--profile', profile]);
    t.strictSame(seen(verified, 'FAIL'), [], profile);
    t.equal(status, 0, profile);
    t.ok(verified.ok && verified.counts.passed >= 80, `${verified.counts.passed} passed`);
    t.strictSame(seen(verified, 'SKIP'), [], profile);
  }
});

tap.test("every check passes where the host's mounts are shared, as systemd makes them", async (t) => {
  const words = ['--mount', '--propagation', 'unchanged', 'sh', '-c', 'mount --make-rshared / && exec "$@"', 'sh'];
  const call = (...args: string[]) => sceneOf('root').spawn('/usr/bin/unshare', [...words, ...args]).ended;
  const control = await call('grep', '-c', ' shared:', '/proc/self/mountinfo');
  t.ok(Number(control.stdout) > 0, 'control: they are');
  const { status, stdout } = await call(sandboxFile, 'verify', '--json', '--profile', 'base-tools');
  t.strictSame(seen(JSON.parse(stdout) as Verified, 'FAIL'), []);
  t.equal(status, 0);
});

tap.test('outside of a sandbox every check that has a control fails', async (t) => {
  for (const profile of profiles) {
    const { status, verified } = await verify(t, sceneOf('plain user'), ['--unconfined', '--profile', profile]);
    t.strictSame(seen(verified, 'PASS'), [], profile);
    t.equal(status, 0);
    t.ok(verified.counts.failed >= 80, `${verified.counts.failed} failed`);
    t.ok(verified.checks.every(({ control }) => control));
  }
});

tap.test('a person gets a line for each check, and a count', async (t) => {
  const { stdout, status } = await sceneOf('plain user').sandbox(['verify', '--profile', 'base-tools']);
  const lines = stdout.trimEnd().split('\n');
  t.equal(status, 0);
  t.match(lines.at(-1), /^[0-9]+ passed, 0 failed, [0-9]+ skipped$/);
  for (const line of lines.slice(0, -1)) t.match(line, /^(PASS|SKIP) [a-z]+\.[a-z0-9_-]+ \S/);
});

tap.test('the list starts nothing and says which checks have a control', async (t) => {
  const { stdout, status } = await sceneOf('plain user').sandbox(['verify', '--list', '--json']);
  const list = JSON.parse(stdout) as { id: string; control: boolean; why: string | null }[];
  t.equal(status, 0);
  t.ok(list.length >= 80);
  for (const { id, control, why } of list) t.equal(why === null, control, id);
});

tap.test('refuses the control run to root, unless the machine can be thrown away', async (t) => {
  const { status, stderr, stdout } = await sceneOf('root').sandbox(['verify', '--unconfined']);
  t.equal(status, 2);
  t.equal(stdout, '');
  t.match(stderr, /--unconfined is not for root/);
});

testAsBoth('refuses what a run of the profile refuses', async (t, scene) => {
  const { status, stderr } = await scene.call(['verify', '--profile', 'no-such-profile']);
  t.equal(status, 2);
  t.match(stderr, /no-such-profile/);
});
