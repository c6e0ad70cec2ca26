// Owns the proof of what a command line may change, and that it is read as strictly as a file.
import { test } from 'tap';
import { loadProfile } from '../../lib/profile/load.ts';
import { applyOverrides, type Overrides } from '../../lib/profile/overrides.ts';
import { makeWorld } from './world.ts';

test('flags stand over the profile, and may exceed it', async (t) => {
  const world = makeWorld(t);
  world.profile('mine', 'extends: base-tools\nenv: {A: "1", B: "1"}\nlabels: {a: "1"}\n');
  const { ceiling } = world.request();
  const loaded = loadProfile({ ...world.request(), profile: 'mine' });
  const before = structuredClone(loaded.profile);
  const changed = applyOverrides(
    loaded,
    {
      memory: '4g',
      cpus: '1.5',
      pids: '512',
      timeout: '1h',
      engine: 'podman',
      workspace: 'copy',
      env: ['B=2', 'C=', 'D=a=b', 'B=3'],
      labels: ['a=2', 'team/b=x'],
    },
    ceiling,
  );
  t.match(changed.limits, { memory: 4 * 1024 ** 3, cpus: 1.5, pids: 512, timeout: 3_600_000 });
  t.same(changed.env, { A: '1', B: '3', C: '', D: 'a=b' });
  t.same(changed.labels, { a: '2', 'team/b': 'x' });
  t.same([changed.engine, changed.workspace.mode], ['podman', 'copy']);
  t.equal(changed.workspace.size, before.workspace.size, 'what no flag names stays');
  t.same(loaded.profile, before, 'the loaded profile is left as it was');
  t.same(applyOverrides(loaded, {}, ceiling), before, 'no flag changes nothing');
});

const refused: readonly (readonly [Overrides, string, RegExp])[] = [
  [{ memory: '64' }, 'VALUE_INVALID', /^--memory: must be between 8m and 64t/],
  [{ memory: '64 m' }, 'VALUE_INVALID', /^--memory: not a size/],
  [{ memory: '-1m' }, 'VALUE_INVALID', /^--memory: not a size/],
  [{ memory: '' }, 'VALUE_INVALID', /^--memory: not a size/],
  [{ memory: '999999999999t' }, 'VALUE_INVALID', /^--memory: must be between/],
  [{ timeout: '30' }, 'VALUE_INVALID', /^--timeout: not a duration/],
  [{ timeout: '0s' }, 'VALUE_INVALID', /^--timeout: must be between/],
  [{ cpus: '0' }, 'VALUE_INVALID', /^--cpus: must be at least 0\.01/],
  [{ cpus: '1e3' }, 'VALUE_INVALID', /^--cpus: "1e3" is not a number/],
  [{ cpus: 'Infinity' }, 'VALUE_INVALID', /^--cpus/],
  [{ cpus: '' }, 'VALUE_INVALID', /^--cpus/],
  [{ pids: '0x10' }, 'VALUE_INVALID', /^--pids/],
  [{ pids: '10.5' }, 'VALUE_INVALID', /^--pids: must be a whole number/],
  [{ pids: '1' }, 'VALUE_INVALID', /^--pids: must be at least 4/],
  [{ engine: 'cron' }, 'ENGINE_UNKNOWN', /^--engine: must be one of .*did you mean "crun"\?/],
  [{ workspace: 'wr' }, 'VALUE_INVALID', /^--workspace: must be one of/],
  [{ labels: ['A=b'] }, 'VALUE_INVALID', /^--label: not a label name/],
  [{ labels: ['a'] }, 'VALUE_INVALID', /^--label "a": not of the form NAME=value/],
  [{ env: ['PATH'] }, 'ENV_INVALID', /^--env "PATH": not of the form NAME=value/],
  [{ env: ['=x'] }, 'ENV_INVALID', /^--env: not of the form NAME=value/],
  [{ env: ['A-B=x'] }, 'ENV_INVALID', /^--env "A-B" is not a variable name/],
  [{ env: ['A\u001b[31m=x'] }, 'ENV_INVALID', /^--env "A\\x1b\[31m" is not a variable name/],
  [{ env: ['__proto__=x'] }, 'ENV_INVALID', /^--env "__proto__"/],
  [{ env: ['SANDBOX_TASK_ID=x'] }, 'ENV_INVALID', /SANDBOX_TASK_ID is set by us alone/],
  [{ env: ['A=\u0000'] }, 'VALUE_INVALID', /^--env: holds a NUL/],
  [{ env: [`A=${'x'.repeat(40_000)}`] }, 'VALUE_INVALID', /^--env: must be at most 32768 characters/],
  [{ env: ['GITHUB_TOKEN=abc'] }, 'ENV_SECRET', /^--env GITHUB_TOKEN: its name is that of a secret$/],
  [{ engine: 'lxc' }, 'ENGINE_UNKNOWN', /^--engine/],
  [{ workspace: 'task' }, 'NOT_YET_ENFORCED', /^--workspace {2}workspace\.mode: not yet enforced \(task\)/],
  [{ memory: '17g' }, 'HOST_FORBIDS', /^--memory {2}limits\.memory: 17g is more than this host's 16g/],
  [{ cpus: '65' }, 'HOST_FORBIDS', /^--cpus/],
  [{ pids: '4097' }, 'HOST_FORBIDS', /^--pids/],
  [{ timeout: '25h' }, 'HOST_FORBIDS', /^--timeout/],
];

test('refuses flags with the flag in the message', async (t) => {
  const world = makeWorld(t);
  const { ceiling } = world.request();
  const loaded = loadProfile({ ...world.request(), profile: 'base-tools' });
  for (const [flags, code, message] of refused) {
    t.throws(() => applyOverrides(loaded, flags, ceiling), { code, message }, JSON.stringify(flags).slice(0, 80));
  }
});

test('refuses a value whose name was forgotten without printing it', async (t) => {
  const world = makeWorld(t);
  const { ceiling } = world.request();
  const loaded = loadProfile({ ...world.request(), profile: 'base-tools' });
  for (const word of [
    'sk-Ab3dEf6hIj9kLmN0pQrStUvWx',
    `ghp_${'a1B2'.repeat(12)}`,
    '=hunter2',
    'TOKEN_X=ghp_a1B2a1B2a1B2a1B2a1B2',
  ]) {
    try {
      applyOverrides(loaded, { env: [word] }, ceiling);
      t.fail('taken');
    } catch (thrown) {
      t.notMatch(`${thrown}`, /a1B2|Ab3d|hunter2/);
    }
  }
});

test('a flag may ask for more isolation than the profile, and is refused when it asks for less', async (t) => {
  const world = makeWorld(t);
  world.profile('strong', 'extends: base-tools\nisolation: gvisor\n');
  const { ceiling } = world.request();
  const load = (profile: string) => loadProfile({ ...world.request(), profile });
  t.equal(applyOverrides(load('base-tools'), { isolation: 'gvisor' }, ceiling).isolation, 'gvisor');
  t.equal(applyOverrides(load('strong'), {}, ceiling).isolation, 'gvisor');
  t.throws(() => applyOverrides(load('strong'), { isolation: 'process' }, ceiling), { code: 'VALUE_INVALID' });
  t.throws(() => applyOverrides(load('strong'), { isolation: 'gviser' }, ceiling), {
    code: 'VALUE_INVALID',
    message: /^--isolation/,
  });
});
