import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { runTool } from '../../../lib/base/exec.ts';
import { engineSeccomp } from '../../../lib/engine/flags/seccomp.ts';
import { renderContainersConf } from '../../../lib/engine/podman/config.ts';
import { lowerSpec } from '../../../lib/engine/podman/lower.ts';
import { renderRuntime } from '../../../lib/engine/podman/runtime.ts';
import { renderInside, renderOutside } from '../../../lib/engine/podman/script.ts';
import { matchGolden } from '../../golden.ts';
import { sampleTemplate } from './sample.ts';

const names = [
  'podman',
  'crun',
  'conmon',
  'sh',
  'unshare',
  'setpriv',
  'mount',
  'findmnt',
  'ln',
  'mkdir',
  'id',
] as const;
const tools = Object.fromEntries(names.map((name) => [name, `/usr/bin/${name}`])) as Record<
  (typeof names)[number],
  string
>;
const variables = [
  'run_dir',
  'id',
  'task',
  'job',
  'workspace',
  'way_out',
  'root_uid',
  'root_gid',
  'program_uid',
  'program_gid',
  'terminal',
] as const;
const script = { tools, planDirectory: '/plan', variables };
const cannot = (field: string) => new CofferdamError('ENGINE_CANNOT', field);
const golden = join(import.meta.dirname, 'golden');

// The filter has goldens of its own.
const withoutFilter = (text: string) => text.replace(/seccomp_bpf_data=[A-Za-z0-9+/=]+/, 'seccomp_bpf_data=FILTER');

const texts: Record<string, string> = {
  'outside.sh': renderOutside(script),
  'inside.sh': renderInside({ ...script, ...lowerSpec(sampleTemplate(), { cannot }) }),
  'inside-rw.sh': renderInside({ ...script, ...lowerSpec(sampleTemplate('rw'), { cannot }) }),
  'runtime.sh': renderRuntime(tools),
};

test('the scripts are what was reviewed', async (t) => {
  for (const [name, text] of Object.entries(texts)) matchGolden(t, join(golden, name), withoutFilter(text));
});

test('the scripts pass shellcheck and shfmt', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-podman-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(texts)) {
    const file = join(folder, name);
    writeFileSync(file, text);
    await t.resolves(runTool('shellcheck', [file]), name);
    const { stdout } = await runTool('shfmt', ['-d', file], { accept: [0, 1] });
    t.equal(stdout, '', name);
  }
});

test('the configuration names our runtime, and nothing that a host would add', async (t) => {
  const text = renderContainersConf({ conmon: tools.conmon, runtimes: { crun: tools.crun, other: '/tmp/plan/other' } });
  t.match(text, 'crun = ["/usr/bin/crun"]');
  for (const line of [
    'devices = []',
    'volumes = []',
    'hooks_dir = []',
    'env_host = false',
    'http_proxy = false',
    'default_capabilities = []',
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
});

test('the filter is written as podman reads it', async (t) => {
  const section = sampleTemplate().linux.seccomp as { syscalls: { names: string[] }[] };
  const written = engineSeccomp(section);
  t.equal(written.defaultAction, 'SCMP_ACT_ERRNO');
  t.same(
    written.syscalls.map((rule) => rule.names),
    section.syscalls.map((rule) => rule.names),
  );
  t.throws(() => engineSeccomp(undefined), { code: 'SPEC_INVALID' });
});

test('goldens are complete', async (t) => {
  t.match(readFileSync(join(golden, 'inside.sh'), 'utf8'), '--rootfs "$short/rootfs" "$@"');
});
