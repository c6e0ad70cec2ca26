import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { runTool } from '../../../lib/base/exec.ts';
import { renderWatch } from '../../../lib/engine/daemon/watch.ts';
import { client, type NerdctlScript, ownFolder, tidy } from '../../../lib/engine/nerdctl/input.ts';
import { renderRuntime } from '../../../lib/engine/nerdctl/runtime.ts';
import { renderRun } from '../../../lib/engine/nerdctl/script.ts';
import { matchGolden } from '../../golden.ts';

const names = 'nerdctl crun sh env setsid nsenter mkdir mkfifo ln sleep cat rm rmdir'.split(' ');
const tools = Object.fromEntries(names.map((name) => [name, `/usr/bin/${name}`])) as NerdctlScript['tools'];
const script: NerdctlScript = {
  tools,
  planDirectory: '/plan',
  options: ['--address', '/run/containerd/containerd.sock', '--namespace', 'cofferdam'],
  containers: '/run/cofferdam/nerdctl/containers',
  flags: ['--rm', '--pull', 'never', '--read-only', '--entrypoint', '/.cofferdam/not-by-this-bundle'],
  rootfs: '/image/rootfs',
  parents: ['memory', 'pids', 'cpu'].map((name) => `/sys/fs/cgroup/${name}/cofferdam/0`),
  label: 'cofferdam.records=/run/cofferdam/records',
  findKit: '',
};
const remove = `${client(script)} rm --force --volumes "$name"`;
const texts = {
  'nerdctl-run.sh': renderRun(script),
  'nerdctl-runtime.sh': renderRuntime(script),
  'nerdctl-watch.sh': renderWatch({ remove, tidy: tidy(script), sleep: tools.sleep }),
};

function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-nerdctl-script-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('the scripts are what was reviewed', async (t) => {
  for (const [name, text] of Object.entries(texts)) matchGolden(t, join(import.meta.dirname, 'golden', name), text);
});

test('the scripts pass shellcheck and shfmt', async (t) => {
  const folder = makeFolder(t);
  for (const [name, text] of Object.entries(texts)) {
    const file = join(folder, name);
    writeFileSync(file, text);
    await t.resolves(runTool('shellcheck', [file]), name);
    t.equal((await runTool('shfmt', ['-d', file])).stdout, '', name);
  }
});

interface Asked {
  readonly bundle?: string;
  readonly command: readonly string[];
  /** What crun does. */
  readonly crun?: string;
}

/** The runtime as a shim calls it, with a crun that says what it was given, below `folder`. */
async function callRuntime(t: Test, { bundle = '{}', command, crun: does = 'pwd\necho crun "$@"\nenv' }: Asked) {
  const folder = makeFolder(t);
  const crun = join(folder, 'crun');
  writeFileSync(crun, `#!/bin/sh\n${does}\n`, { mode: 0o755 });
  const file = join(folder, 'runtime');
  writeFileSync(file, renderRuntime({ ...script, tools: { ...tools, crun }, parents: [join(folder, 'group')] }));
  mkdirSync(join(folder, ownFolder));
  mkdirSync(join(folder, 'bundle'));
  writeFileSync(join(folder, 'bundle', 'config.json'), bundle.replaceAll('@folder@', folder));
  const log = join(folder, 'bundle', 'log.json');
  const words = [
    '--root',
    '/state',
    '--log',
    log,
    '--log-format',
    'json',
    ...command.map((word) => word.replace('@bundle@', join(folder, 'bundle'))),
  ];
  const env = { LD_LIBRARY_PATH: '/opt/containerd/lib', NOTIFY_SOCKET: '/run/notify' };
  const ended = await runTool('sh', [file, ...words], { env, accept: [0, 1, 2] });
  return { ...ended, folder, log: () => readFileSync(log, 'utf8') };
}

const create = ['create', '--bundle', '@bundle@', '--pid-file', '/nonexistent/pid', 'container'];

const ours = '{"annotations":{"cofferdam.run":"1 2 x pipes @folder@"}}';

test("what is not the container's making is crun's, in the run's own state, without the daemon's environment", async (t) => {
  const { stdout, exitCode, folder } = await callRuntime(t, { bundle: ours, command: ['kill', 'container', '9'] });
  t.equal(exitCode, 0);
  t.match(
    stdout,
    `${folder}\ncrun --cgroup-manager=disabled --root ./crun `,
    'never a folder that crun would make anew',
  );
  t.match(stdout, / kill container 9$/m);
  t.notMatch(stdout, /LD_LIBRARY_PATH|NOTIFY_SOCKET/);
});

test('a start is noted for the script that waits for it', async (t) => {
  const { exitCode, folder } = await callRuntime(t, { bundle: ours, command: ['start', 'container'] });
  t.equal(exitCode, 0);
  t.ok(existsSync(join(folder, ownFolder, 'started')));
  const failed = await callRuntime(t, { bundle: ours, command: ['start', 'container'], crun: 'exit 1' });
  t.equal(failed.exitCode, 1);
  t.notOk(existsSync(join(failed.folder, ownFolder, 'started')));
  t.match(readFileSync(join(failed.folder, 'log'), 'utf8'), /crun did not start the program/);
});

test('a container whose state goes while crun looks for it is gone', async (t) => {
  const crun = 'echo crun fails >&2\nexit 1';
  t.equal((await callRuntime(t, { bundle: ours, command: ['delete', 'container'], crun })).exitCode, 0);
  const { exitCode, log } = await callRuntime(t, { bundle: ours, command: ['kill', 'container', '9'], crun });
  t.equal(exitCode, 1);
  t.match(log(), /container does not exist/);
  const state = 'mkdir -p crun.state/x; : >crun.state/x/status; rm crun; ln -s crun.state crun; exit 1';
  const stays = await callRuntime(t, { bundle: ours, command: ['delete', 'container'], crun: state });
  t.equal(stays.exitCode, 1, 'control: one that is there stays, and the failure is told');
});

test('a container of a run that is over is gone, whoever asks', async (t) => {
  const bundle = ours.replace('@folder@', '/nonexistent/run');
  t.equal((await callRuntime(t, { bundle, command: ['delete', '--force', 'container'] })).exitCode, 0);
  const { exitCode, stdout, log } = await callRuntime(t, { bundle, command: ['state', 'container'] });
  t.equal(exitCode, 1);
  t.equal(stdout, '');
  // By these words a shim knows that there is nothing more to remove.
  t.match(log(), /does not exist/);
});

test('refuses to bring in a command by the specification of nerdctl', async (t) => {
  const { stdout, exitCode, log } = await callRuntime(t, { command: ['exec', '--process', '/p.json', 'container'] });
  t.equal(exitCode, 1);
  t.equal(stdout, '');
  t.match(log(), /a sandbox is entered and changed by: sandbox/);
});

test('refuses to make a container that no run of ours asked for', async (t) => {
  const bundles = {
    'no annotation': '{"process":{"args":["sh"]}}',
    'no run': '{"annotations":{"cofferdam.run":""}}',
    'a run with another name': '{"annotations":{"cofferdam.run":"1 2 ../x pipes /run"}}',
    'a process that has another start time': `{"annotations":{"cofferdam.run":"${process.pid} 1 x pipes @folder@"}}`,
    'a process that has ended': '{"annotations":{"cofferdam.run":"4194305 1 x pipes @folder@"}}',
  };
  for (const [name, bundle] of Object.entries(bundles)) {
    const { stdout, exitCode } = await callRuntime(t, { bundle, command: create });
    t.not(exitCode, 0, name);
    t.notMatch(stdout, /crun/, name);
  }
});
