// Owns the proof of what a program finds around it: who it is, mounts, devices, descriptors, environment, network.
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import tap from 'tap';
import { maskedPaths } from '../../lib/spec/build.ts';
import { rootfsOf } from './control.ts';
import { declareNeeds } from './needs.ts';
import { newId, type Scene, sceneOf, testAsBoth } from './scene.ts';

declareNeeds('crun', 'base-tools', 'python-tools', 'node-tools', 'go-tools', 'secops-tools');

async function shell(scene: Scene, script: string, options: readonly string[] = []): Promise<string> {
  const ended = await scene.run(['-p', 'base-tools', ...options, '--', 'sh', '-c', script]);
  if (ended.status !== 0) throw new Error(`${script}: ${ended.status}: ${ended.stderr}`);
  return ended.stdout;
}

testAsBoth('the program is not root, in one group, without any capability', async (t, scene) => {
  const text = await shell(scene, 'id -u; id -g; id -G; cat /proc/self/status; umask');
  const [uid, gid, groups, ...status] = text.trim().split('\n');
  t.strictSame([uid, gid, groups], ['65532', '65532', '65532']);
  const lines = status.map((line) => line.replace(/\s+/g, ' ').trim());
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
    t.ok(lines.includes(`${set}: 0000000000000000`), set);
  for (const line of ['NoNewPrivs: 1', 'Seccomp: 2', 'Uid: 65532 65532 65532 65532', 'Groups:'])
    t.ok(lines.includes(line), line);
  t.equal(lines.at(-1), '0022');
  const own = readFileSync('/proc/self/status', 'utf8');
  t.notMatch(own, /CapEff:\s+0{16}/, 'control: the test itself has capabilities');
  t.match(own, /Seccomp:\s+0/);
});

testAsBoth('the user namespace maps two ids, and host uid 0 is in no sandbox', async (t, scene) => {
  const maps = (await shell(scene, 'cat /proc/self/uid_map /proc/self/gid_map'))
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  t.equal(maps.length, 4);
  for (const [inside, host, size] of maps) {
    t.match(inside, /^(0|65532)$/);
    t.not(host, '0');
    t.equal(size, '1');
  }
});

testAsBoth('two sandboxes at once share no host id of the program', async (t, scene) => {
  const script = 'cat /proc/self/uid_map; sleep 1';
  const both = await Promise.all([shell(scene, script), shell(scene, script)]);
  const [one, two] = both.map((text) => text.trim().split('\n').at(-1)?.trim().split(/\s+/)[1]);
  t.ok(one);
  t.not(one, two);
});

testAsBoth('the root is read-only, and what is writable is bounded, nosuid and nodev', async (t, scene) => {
  const mounts = (await shell(scene, 'cat /proc/self/mounts'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const optionsOf = (point: string) =>
    mounts
      .filter((fields) => fields[1] === point)
      .at(-1)?.[3]
      ?.split(',') ?? [];
  t.ok(optionsOf('/').includes('ro'));
  for (const point of ['/tmp', '/run', '/artifacts', '/workspace']) {
    const options = optionsOf(point);
    for (const wanted of ['nosuid', 'nodev']) t.ok(options.includes(wanted), `${point} ${wanted}`);
    t.ok(
      options.some((option) => option.startsWith('size=')) && options.some((option) => option.startsWith('nr_inodes=')),
      point,
    );
    t.equal(options.includes('noexec'), !point.startsWith('/workspace'), `${point} noexec`);
  }
  for (const point of ['/proc/sys', '/sys', '/dev']) t.ok(optionsOf(point).includes('ro'), point);
  const writable = mounts.filter(([, , , options]) => options?.split(',').includes('rw')).map(([, point]) => point);
  const known = /^\/(proc|dev\/(pts|null|zero|full|tty|random|urandom)|tmp|run|workspace(\/\.tmp)?|artifacts)$/;
  t.strictSame(
    writable.filter((point) => !known.test(point ?? '')),
    [],
  );
});

testAsBoth('what names the host or its kernel is masked', async (t, scene) => {
  const script =
    'for p; do [ ! -f "$p" ] || [ -z "$(head -c 1 "$p" | tr "\\0" x)" ] || echo "$p"; [ ! -d "$p" ] || [ -z "$(ls -A "$p")" ] || echo "$p"; done';
  const ended = await scene.run(['-p', 'base-tools', '--', 'sh', '-c', script, 'sh', ...maskedPaths]);
  t.equal(ended.stdout, '');
  t.not(readFileSync('/proc/cmdline', 'utf8'), '', 'control: there is something to mask');
});

testAsBoth('there are only the devices that programs need', async (t, scene) => {
  const names = (await shell(scene, 'ls /dev')).trim().split('\n');
  t.strictSame(names.sort(), [
    'console',
    'core',
    'fd',
    'full',
    'null',
    'ptmx',
    'pts',
    'random',
    'shm',
    'stderr',
    'stdin',
    'stdout',
    'tty',
    'urandom',
    'zero',
  ]);
});

testAsBoth('the network is a loopback and nothing else', async (t, scene) => {
  const text = await shell(
    scene,
    'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "; cat /proc/net/route /proc/net/unix',
  );
  const lines = text.trim().split('\n');
  t.equal(lines[0], 'lo');
  t.equal(lines.length, 3, 'only the headers of the tables follow');
});

testAsBoth('of the devices of the host nothing is shown but processors and memory', async (t, scene) => {
  const list = (folder: string) => `find ${folder} -mindepth 1 -maxdepth 1 | sort | tr '\\n' ' '`;
  const text = await shell(
    scene,
    `${list('/sys /sys/devices /sys/kernel /sys/kernel/mm')}; cat /sys/devices/system/cpu/online`,
  );
  const [shown = '', online = ''] = text.trim().split(/\s(?=\S*$)/);
  t.same(shown.split(' ').sort(), [
    '/sys/devices',
    '/sys/devices/system',
    '/sys/kernel',
    '/sys/kernel/mm',
    '/sys/kernel/mm/transparent_hugepage',
  ]);
  t.equal(online, readFileSync('/sys/devices/system/cpu/online', 'utf8').trim(), 'what runtimes ask for is there');
  for (const name of ['block', 'bus', 'class', 'module'])
    t.ok(existsSync(`/sys/${name}`), `control: the host has ${name}`);
});

testAsBoth('nothing of the environment of the host comes in', async (t, scene) => {
  const ended = await scene.run(['-p', 'base-tools', '--task-id', 'T1', '--', 'env'], {
    env: { PLANTED: 'leak', SANDBOX_TASK_ID: 'leak', LC_ALL: 'C', ENV: '/leak' },
  });
  t.notMatch(ended.stdout, /leak/);
  const names = ended.stdout
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0]);
  t.strictSame(
    names.sort(),
    [
      'HOME',
      'LANG',
      'PATH',
      'SANDBOX_ARTIFACTS_DIR',
      'SANDBOX_JOB_ID',
      'SANDBOX_RUN_ID',
      'SANDBOX_TASK_ID',
      'SANDBOX_WORKSPACE_DIR',
      'TMPDIR',
    ].sort(),
  );
  t.match(ended.stdout, /^SANDBOX_TASK_ID=T1$/m);
});

testAsBoth('a descriptor that the caller left open does not come in', async (t, scene) => {
  const command = 'exec 7</etc/passwd 9>/dev/null; exec "$0" "$@"';
  const id = newId();
  const inside =
    'for f in /proc/self/fd/*; do readlink "$f" || :; done; [ ! -e /proc/self/fd/7 ] && [ ! -e /proc/self/fd/9 ]';
  const file = `${scene.paths.install}/bin/sandbox`;
  const ended = await scene.spawn('/bin/sh', [
    '-c',
    command,
    file,
    'run',
    '--id',
    id,
    '-p',
    'base-tools',
    '--',
    'sh',
    '-c',
    inside,
  ]).ended;
  t.equal(ended.status, 0, ended.stdout + ended.stderr);
  const [zero, one, two] = ended.stdout.split('\n');
  for (const target of [zero, one, two]) t.match(target, /^pipe:/);
  const control = await scene.spawn('/bin/sh', ['-c', command, '/bin/sh', '-c', '[ -e /proc/self/fd/7 ]']).ended;
  t.equal(control.status, 0, 'control: another program gets it');
});

testAsBoth('the host name is not the host’s, and PID 1 survives a kill from inside', async (t, scene) => {
  t.equal((await shell(scene, 'hostname')).trim(), 'sandbox');
  t.not(hostname(), 'sandbox');
  t.equal(await shell(scene, 'kill -9 1; sleep 0.2; echo alive'), 'alive\n');
  t.equal(
    await shell(scene, 'sleep 60 & kill -9 $!; wait $! || echo $?'),
    '137\n',
    'control: another process dies of it',
  );
});

testAsBoth('the program sees no process but its own', async (t, scene) => {
  const pids = (await shell(scene, 'ls /proc | grep -E "^[0-9]+$"')).trim().split('\n');
  t.ok(pids.length <= 5, pids.join(' '));
});

tap.test('no image holds a set-id file', async (t) => {
  for (const image of ['base-tools', 'python-tools', 'node-tools', 'go-tools', 'secops-tools']) {
    const found = await sceneOf('root').spawn('/usr/bin/find', [
      rootfsOf(image),
      '-xdev',
      '-perm',
      '/6000',
      '-type',
      'f',
    ]).ended;
    t.equal(found.stdout, '', image);
  }
});
