// Owns when a request gets the plan of the same request before, and that what it gets is what compiling would give.
import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Test, test } from 'tap';
import { resolvePaths } from '../../lib/base/paths.ts';
import { type Host, type PlanWish, preparePlan } from '../../lib/run/prepare.ts';
import { findPrepared } from '../../lib/run/repeated.ts';

export const needs = ['root or a prepared user', 'crun', 'image base-tools'];

const install = resolve(import.meta.dirname, '../..');
const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1];
const plain: PlanWish = { profile: 'own', overrides: { memory: '64m' }, collectsArtifacts: false };

/** Folders and a profile of its own, on this host. */
function makeHost(t: Test) {
  const root = t.testdir({ config: { profiles: {} }, host: {} });
  const at = (name: string) => join(root, name);
  const known = resolvePaths({ uid, env: process.env, install });
  const own = { config: at('config'), data: at('data'), state: at('state'), run: at('run') };
  const paths = { ...known, ...own, hostConfig: at('host/config.yaml') };
  for (const folder of ['.', 'config', 'config/profiles', 'host']) chmodSync(at(folder), 0o755);
  const writeProfile = (text: string) => writeFileSync(at('config/profiles/own.yaml'), text, { mode: 0o644 });
  writeProfile('extends: base-tools\n');
  const signal = new AbortController().signal;
  const host: Host = { paths, uid, gid, cwd: '/', version: '0', home: undefined, signal, notice: () => undefined };
  return { at, host, writeProfile };
}

test('the second request gets what the first one got, without compiling', async (t) => {
  const { host } = makeHost(t);
  t.equal(await findPrepared(plain, host), undefined);
  const { plan, image, ...first } = await preparePlan(plain, host);
  const found = await findPrepared(plain, host);
  const { plan: again, image: same, ...rest } = found ?? {};
  // What comes back from a file has no keys without a value.
  const written = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
  t.strictSame(written(rest), written(first));
  t.strictSame({ ...again, folders: plan.folders }, written(plan));
  t.strictSame(same, { name: image.name, version: image.version, digest: image.digest });
  t.strictSame((await preparePlan(plain, host)).plan.folders, [], 'and preparePlan gives that one');
});

test('timeout and labels, which are bound at launch, are judged each time', async (t) => {
  const { host } = makeHost(t);
  const { plan } = await preparePlan(plain, host);
  const bound = { ...plain, overrides: { ...plain.overrides, timeout: '5s', labels: ['a=b'] } };
  const found = await findPrepared(bound, host);
  t.equal(found?.plan.digest, plan.digest);
  t.match(found?.profile, { limits: { timeout: 5000 }, labels: { a: 'b' } });
  t.match(found?.plan.profile.labels, {});
  const wrong = { ...plain, overrides: { ...plain.overrides, timeout: 'soon' } };
  await t.rejects(preparePlan(wrong, host), { code: 'VALUE_INVALID' });
});

test('refuses the plan of another request', async (t) => {
  const { host } = makeHost(t);
  await preparePlan(plain, host);
  await preparePlan({ ...plain, overrides: {} }, host);
  const others: PlanWish[] = [
    { ...plain, overrides: { memory: '65m' } },
    ...['memory', 'cpus', 'pids', 'engine'].map((name) => ({ ...plain, overrides: { memory: '64m', [name]: '' } })),
    { ...plain, overrides: { ...plain.overrides, env: ['A=b'] } },
    { ...plain, overrides: { ...plain.overrides, publish: ['8000'] } },
    { ...plain, overrides: { ...plain.overrides, isolation: 'process' } },
    { ...plain, overrides: { ...plain.overrides, network: 'none' } },
    { ...plain, workspace: '/srv/project:ro' },
    { ...plain, collectsArtifacts: true },
    { ...plain, terminal: true },
    { ...plain, image: 'base-tools' },
  ];
  for (const other of others) t.equal(await findPrepared(other, host), undefined, JSON.stringify(other));
});

test('refuses a plan whose profile, host configuration or own files have changed', async (t) => {
  const { at, host, writeProfile } = makeHost(t);
  const before = await preparePlan(plain, host);
  writeProfile('extends: base-tools\nlimits:\n  pids: 7\n');
  t.equal(await findPrepared(plain, host), undefined);
  const after = await preparePlan(plain, host);
  t.not(after.plan.digest, before.plan.digest);
  t.equal(after.profile.limits.pids, 7);
  t.equal((await findPrepared(plain, host))?.plan.digest, after.plan.digest);
  appendFileSync(at('config/profiles/own.yaml'), 'limits: broken\n');
  await t.rejects(
    preparePlan(plain, host),
    { code: 'YAML_INVALID' },
    'an invalid profile is never replaced by its plan',
  );
  writeProfile('extends: base-tools\nlimits:\n  pids: 7\n');
  await preparePlan(plain, host);
  t.ok(await findPrepared(plain, host));
  const launch = join(after.plan.directory, 'launch');
  chmodSync(launch, 0o600);
  appendFileSync(launch, '# more\n');
  t.equal(await findPrepared(plain, host), undefined, 'its own files');
});

test('refuses a plan that a new ceiling of the host forbids', async (t) => {
  const { at, host } = makeHost(t);
  await preparePlan(plain, host);
  mkdirSync(at('host'), { recursive: true });
  writeFileSync(at('host/config.yaml'), 'limits:\n  memory: 32m\n', { mode: 0o644 });
  t.equal(await findPrepared(plain, host), undefined);
  await t.rejects(preparePlan(plain, host), { code: 'HOST_FORBIDS' });
});
