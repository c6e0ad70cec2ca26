// The library, against real sandboxes: what a program that embeds us relies on.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { CofferdamError, run } from '../../lib/sdk/index.ts';
import { until } from '../system/scene.ts';
import { findProcesses } from '../system/traces.ts';

export const needs = ['root or a prepared user', 'image base-tools'];

const host = { hostEnv: process.env, cwd: '/' };

test('gives streams, status and exit code of a program', async (t) => {
  const result = await run({ ...host, profile: 'base-tools', command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
  t.match(result, { status: 'failed', exitCode: 7, reason: 'exited', stdout: 'out\n', stderr: 'err\n', error: null });
});

test('passes bytes on stdin and variables, and nothing of our own environment', async (t) => {
  const command = ['sh', '-c', 'wc -c; env'];
  const result = await run({
    ...host,
    profile: 'base-tools',
    command,
    stdin: 'x'.repeat(70_000),
    env: { GREETING: 'hello' },
  });
  t.match(result.stdout, /^70000\n/);
  t.match(result.stdout, /^GREETING=hello$/m);
  t.notMatch(result.stdout, /^(TAP|npm_|SHELL=)/m);
});

test('cancels when the signal aborts', async (t) => {
  const controller = new AbortController();
  const running = run({ ...host, profile: 'base-tools', command: ['sleep', '4711.5'], signal: controller.signal });
  t.ok(await until(() => findProcesses('sleep 4711.5').some(({ command }) => command === 'sleep 4711.5')));
  controller.abort();
  t.match(await running, { status: 'cancelled', exitCode: 143 });
});

test('brings artifacts out with their digests', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-sdk-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const command = ['sh', '-c', 'echo data > /artifacts/a.txt; ln -s /etc/passwd /artifacts/link'];
  const result = await run({ ...host, profile: 'base-tools', command, artifacts: join(folder, 'out') });
  t.match(result.artifacts, [{ path: 'a.txt', bytes: 5, type: 'file' }]);
  t.match(result.artifactsRefused, [{ path: 'link' }]);
  t.equal(readFileSync(join(folder, 'out', 'a.txt'), 'utf8'), 'data\n');
});

test('throws our error with its code when a request is refused', async (t) => {
  const refusals = [
    { options: { profile: 'no-such', command: ['true'] }, code: 'PROFILE_UNKNOWN' },
    { options: { profile: 'base-tools', command: ['true'], id: 'a b' }, code: 'ID_INVALID' },
    { options: { profile: 'base-tools', command: ['true'], memory: '1q' }, code: 'VALUE_INVALID' },
    { options: { profile: 'base-tools', command: ['true'], workspace: '/' }, code: 'WORKSPACE_INVALID' },
    { options: { profile: 'base-tools', command: ['true'], env: { API_KEY: 'x' } }, code: 'ENV_SECRET' },
  ];
  for (const { options, code } of refusals) {
    const error = await run({ ...host, ...options }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    t.ok(error instanceof CofferdamError && error.code === code, `${code}: ${String(error)}`);
  }
});

test('runs twenty at once, each with its own id', async (t) => {
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, i) => run({ ...host, profile: 'base-tools', command: ['echo', String(i)] })),
  );
  t.same(
    all.map(({ stdout }) => stdout.trim()),
    Array.from({ length: 20 }, (_, i) => String(i)),
  );
  t.equal(new Set(all.map(({ id }) => id)).size, 20);
});
