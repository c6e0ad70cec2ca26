// Owns the proof that bad input gets an error of its own, says what to do, and starts nothing.
import { readdirSync } from 'node:fs';
import type { Test } from 'tap';
import { declareNeeds } from './needs.ts';
import { type JsonResult, newId, type Scene, sandboxFile, sceneOf, testAsBoth, testAsUser, until } from './scene.ts';

declareNeeds('crun', 'unshare', 'base-tools');

const base = ['-p', 'base-tools'];
const command = ['--', 'echo', 'started'];

interface Refusal {
  readonly args: readonly string[];
  readonly code: string;
  readonly status: number;
  /** What the text must say, beside the code. */
  readonly says: RegExp;
}

/** Asks twice, for a person and for a machine; gives all that was printed. */
async function check(t: Test, scene: Scene, { args, code, status, says }: Refusal): Promise<string> {
  const told = await scene.sandbox(['run', ...args, ...command]);
  const json = await scene.call(['run', '--json', ...args, ...command]);
  t.equal(told.status, status, `${args.join(' ')}: ${told.stderr}`);
  t.match(told.stderr, says, args.join(' '));
  t.match(told.stderr, /^sandbox: .+\n(.*\n)* {2}\S.*\n$/, 'what happened, and what to do');
  t.notMatch(told.stderr + told.stdout, /started|unexpected|at file:|node:internal/, 'nothing ran and nothing crashed');
  const result = JSON.parse(json.stdout || '{}') as JsonResult;
  t.match(result, { status: 'refused', exitCode: status, error: { code } }, `${args.join(' ')}: ${json.stderr}`);
  t.equal(json.status, status);
  return `${told.stdout}${told.stderr}${json.stdout}${json.stderr}`;
}

testAsUser('refuses ids that are not ids, on both ways', async (t, scene) => {
  const bad = ['a b', '', '../x', 'a.b', 'é\n', 'x'.repeat(65)].map((id) => `--id=${id}`);
  for (const option of [...bad, '--task-id=a b', '--job-id=a.b']) {
    await check(t, scene, { args: [...base, option], code: 'ID_INVALID', status: 2, says: /id/ });
  }
  t.equal(
    (await scene.sandbox(['run', ...base, '--id', `${newId()}-${'x'.repeat(64)}`.slice(0, 64), ...command])).status,
    0,
    'sixty-four are allowed',
  );
});

testAsBoth('refuses a second run with the id of one that runs, which goes on', async (t, scene) => {
  for (const way of [[], ['--label', 'way=node']]) {
    const id = newId();
    const first = scene.spawn(
      sandboxFile,
      ['run', ...base, '--id', id, '--stdin', '--', 'sh', '-c', 'echo up; read line; echo "$line"'],
      { input: 'open' },
    );
    t.ok(await until(() => first.out().length > 0));
    await check(t, scene, {
      args: [...base, ...way, '--id', id],
      code: 'ID_IN_USE',
      status: 125,
      says: new RegExp(`the id ${id} exists`),
    });
    first.child.stdin?.end('untouched\n');
    t.match(await first.ended, { status: 0, stdout: 'up\nuntouched\n' });
    t.strictSame(scene.traces(id), []);
  }
});

testAsUser('refuses secrets in the environment, and prints their value nowhere', async (t, scene) => {
  const value = `AKIA${'Q7ZK3'.repeat(3)}W`;
  for (const pair of [`DB_PASSWORD=hunter-${value}`, `PLAIN=${value}`]) {
    const told = await check(t, scene, {
      args: [...base, '--env', pair],
      code: 'ENV_SECRET',
      status: 2,
      says: /DB_PASSWORD|PLAIN/,
    });
    t.notMatch(told, value);
  }
  const kept = await scene.spawn('/bin/grep', ['-rlF', value, scene.paths.data, scene.paths.state, scene.paths.run])
    .ended;
  t.equal(kept.stdout, '');
  await check(t, scene, {
    args: [...base, '--env', 'SANDBOX_RUN_ID=x'],
    code: 'ENV_INVALID',
    status: 2,
    says: /SANDBOX_RUN_ID/,
  });
  await check(t, scene, { args: [...base, '--env', 'no-name=x'], code: 'ENV_INVALID', status: 2, says: /no-name/ });
  t.match(await scene.run([...base, '--env', 'A=b c', '--', 'sh', '-c', 'echo "$A"']), { status: 0, stdout: 'b c\n' });
});

testAsUser('refuses options and commands that it does not know, with the near name', async (t, scene) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['run', ...base, '--memroy', '1g', ...command], /--memory/],
    [['run', ...base, '--memroy=1g', ...command], /--memory/],
    [['run', '--profil', 'base-tools', ...command], /--profile/],
    [['run', ...command], /--profile/],
    [['run', ...base], /command/],
    [['runn'], /run/],
  ];
  for (const [args, says] of cases)
    t.match(await scene.sandbox(args), { status: 2, stdout: '', stderr: says }, args.join(' '));
});

testAsUser('refuses limits without a unit, with a wrong one, and out of bounds', async (t, scene) => {
  const cases: readonly string[] = [
    '--memory=5x',
    '--memory=1',
    '--memory=',
    '--timeout=5',
    '--timeout=0s',
    '--timeout=-1s',
    '--cpus=x',
    '--cpus=0',
    '--pids=0',
    '--pids=1e9',
    '--engine=crum',
  ];
  const told = await Promise.all(cases.map((option) => scene.sandbox(['run', ...base, option, ...command])));
  for (const [at, { status, stderr }] of told.entries()) {
    const option = cases[at];
    t.equal(status, 2, `${option}: ${stderr}`);
    t.match(stderr, /^sandbox: .+\n {2}.+\n$/);
  }
});

testAsUser('refuses profiles that it cannot take as they stand, naming file, line and column', async (t, scene) => {
  const file = (name: string, text: string) => ['-p', scene.write(`profiles/${name}.yaml`, text)];
  const place = (name: string, at: string) => new RegExp(`profiles/${name}\\.yaml:${at}`);
  const zeros = `sha256:${'0'.repeat(64)}`;
  const cases: readonly Refusal[] = [
    { args: ['-p', 'bse-tools'], code: 'PROFILE_UNKNOWN', status: 2, says: /did you mean "base-tools"/ },
    { args: ['-p', './none.yaml'], code: 'PROFILE_UNKNOWN', status: 2, says: /none\.yaml/ },
    {
      args: file('syntax', 'extends: base-tools\nlimits: [1, 2\n'),
      code: 'YAML_INVALID',
      status: 2,
      says: place('syntax', '[0-9]+:[0-9]+'),
    },
    {
      args: file('key', 'extends: base-tools\nlimits:\n  memroy: 1g\n'),
      code: 'CONFIG_INVALID',
      status: 2,
      says: /key\.yaml:3:3 .*limits\.memroy.*did you mean "memory"/,
    },
    {
      args: file('unit', 'extends: base-tools\nlimits:\n  timeout: 5\n'),
      code: 'CONFIG_INVALID',
      status: 2,
      says: place('unit', '3:3'),
    },
    {
      args: file('loose', 'extends: base-tools\nlimits: { pids: 10000 }\n'),
      code: 'PROFILE_LOOSENS',
      status: 2,
      says: place('loose', '2:[0-9]+'),
    },
    {
      args: file('early', 'extends: base-tools\nnetwork: { mode: proxy }\n'),
      code: 'PROFILE_LOOSENS',
      status: 2,
      says: /network/,
    },
    {
      args: file('pin', `extends: base-tools\nimage: { name: base-tools, digest: "${zeros}" }\n`),
      code: 'IMAGE_DIGEST',
      status: 125,
      says: /digest/,
    },
    { args: file('image', 'image: bse-tools\n'), code: 'IMAGE_UNKNOWN', status: 2, says: /base-tools/ },
  ];
  for (const one of cases) await check(t, scene, one);
});

testAsBoth('refuses a profile whose image is not built, with the command that builds it', async (t, scene) => {
  const hide =
    'mount -t tmpfs tmpfs /var/lib/cofferdam/images; exec setpriv --reuid="$1" --regid="$2" --clear-groups "$0" run -p base-tools -- true';
  const root = { PATH: scene.env['PATH'] ?? '', HOME: scene.home };
  const words = [
    '--mount',
    '--propagation',
    'private',
    '/bin/sh',
    '-c',
    hide,
    sandboxFile,
    String(scene.uid),
    String(scene.gid),
  ];
  const ended = await sceneOf('root').spawn('/usr/bin/unshare', words, { env: root }).ended;
  t.match(ended, { status: 125, stderr: /sandbox image build base-tools/ });
});

testAsUser('never prints an escape sequence that a name carries', async (t, scene) => {
  const evil = 'evil\u001b]0;owned\u0007\u001b[31m\u202e';
  const names = [
    ['-p', evil],
    ['-p', `./${evil}.yaml`],
    [...base, '--workspace', `./${evil}`],
    [...base, '--env', `${evil}=1`],
    [...base, '--label', `${evil}=1`],
    [...base, '--artifacts', `./${evil}/x`],
    [...base, `--${evil}`],
    [...base, '--id', evil],
    [...base, '--memory', evil],
    [...base, '--engine', evil],
  ];
  for (const args of names) {
    const forms = [scene.sandbox(['run', ...args, ...command]), scene.call(['run', '--json', ...args, ...command])];
    for (const ended of await Promise.all(forms)) {
      t.equal(ended.status, 2, JSON.stringify(args));
      t.notMatch(ended.stdout + ended.stderr, /[\u001b\u0007\u202e]/, JSON.stringify(args));
    }
  }
  t.notOk(
    readdirSync(scene.home).some((name) => name.startsWith('evil')),
    'nothing was made',
  );
});
