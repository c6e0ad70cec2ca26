// Owns the proof of cp on real sandboxes: what arrives belongs to the right one, and no guest reaches the host by it.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeLive } from './live.ts';
import { declareNeeds } from './needs.ts';
import { type Scene, sceneOf, testAsBoth, testAsUser, until } from './scene.ts';

declareNeeds('crun', 'unshare', 'base-tools');

const mebibyte = 1 << 20;

/** An empty folder of the caller's. */
function makeHostFolder({ write, home }: Scene, name: string): string {
  write(`${name}/.keep`, '');
  return join(home, name);
}

testAsBoth('copies out and in, a file and a tree, each to its owner', async (t, scene) => {
  const live = await makeLive(t, scene);
  const folder = makeHostFolder(scene, 'both');
  scene.write('both/tree/run', '#!/bin/sh\necho ran "$@"\n', 0o755);
  const into = await scene.call(['cp', join(folder, 'tree'), `${live.name}:/workspace`]);
  t.match(into, { status: 0, stdout: '' }, into.stderr);
  t.equal((await live.exec([], ['/workspace/tree/run', 'well'])).stdout, 'ran well\n', 'it may be executed');
  t.equal((await live.exec([], ['stat', '-c', '%u %a', '/workspace/tree/run'])).stdout, '65532 755\n');
  await live.exec(
    [],
    ['sh', '-c', 'mkdir /workspace/out && echo result >/workspace/out/a && chmod 4777 /workspace/out/a'],
  );
  const out = await scene.call(['cp', `${live.name}:/workspace/out`, folder]);
  t.match(out, { status: 0, stdout: '' }, out.stderr);
  const found = statSync(join(folder, 'out/a'));
  t.equal(readFileSync(join(folder, 'out/a'), 'utf8'), 'result\n');
  t.same([found.uid, found.mode & 0o7777], [scene.uid, 0o600]);
  const piped = await scene.sandbox(['cp', `${live.name}:/workspace/out`, '-']);
  const listed = await scene.spawn('/usr/bin/tar', ['-tf', '-'], { input: piped.out }).ended;
  t.equal(listed.stdout, 'out/\nout/a\n');
  const unpacked = await scene.sandbox(['cp', '-', `${live.name}:/workspace/tree`], { input: piped.out });
  t.equal(unpacked.status, 0, unpacked.stderr);
  t.equal((await live.exec([], ['cat', '/workspace/tree/out/a'])).stdout, 'result\n');
});

testAsBoth('a guest that leaves links, fifos and sockets gives none of them to the host', async (t, scene) => {
  const live = await makeLive(t, scene);
  const folder = makeHostFolder(scene, 'links');
  scene.write('links/victim', 'mine');
  const make = [
    'mkdir /workspace/t && cd /workspace/t',
    `ln -s ${folder}/victim a && ln -s ${folder} b && ln -s /etc/passwd c && mkfifo f && echo good >good`,
    'mkdir -p .git/hooks && echo bad >.git/hooks/post-checkout && ln good second',
  ];
  t.equal((await live.exec([], ['sh', '-euc', make.join('\n')])).status, 0);
  const { status, stderr } = await scene.call(['cp', `${live.name}:/workspace/t`, folder]);
  t.equal(status, 1);
  for (const [name, why] of [
    ['a', 'link'],
    ['b', 'link'],
    ['c', 'link'],
    ['f', 'fifo'],
    ['.git', 'runs code'],
  ])
    t.match(stderr, new RegExp(`^sandbox: ${name} is not copied: .*${why}`, 'm'));
  t.same(readdirSync(join(folder, 't')).sort(), ['good', 'second']);
  t.ok(lstatSync(join(folder, 't/second')).isFile());
  t.equal(readFileSync(join(folder, 'victim'), 'utf8'), 'mine');
  const link = await scene.call(['cp', `${live.name}:/workspace/t/c`, join(folder, 'passwd')]);
  t.equal(link.status, 125);
  t.match(link.stderr, /it is a link/);
  t.notOk(existsSync(join(folder, 'passwd')));
  const device = await scene.call(['cp', `${live.name}:/dev/null`, join(folder, 'null')]);
  t.match([device.status, device.stderr], [125, /it is a device/]);
});

testAsBoth('a guest that swaps files and folders for links while we copy gets nothing out or in', async (t, scene) => {
  const live = await makeLive(t, scene);
  const folder = makeHostFolder(scene, 'swap');
  scene.write('swap/secret', 'the secret of the host');
  scene.write('swap/in', 'from the host');
  const swap = `cd /workspace && mkdir t && cd t && for i in 1 2 3 4 5 6 7 8 9; do head -c 300000 /dev/zero >f$i; done
    (while :; do rm -rf d; mkdir d; echo x >d/x; rm f5; echo x >f5; sleep 0.2; rm -rf d f5; ln -s ${folder} d; ln -s ${folder}/secret f5; sleep 0.2; done) >/dev/null 2>&1 &`;
  t.equal((await live.exec([], ['sh', '-c', swap])).status, 0);
  let whole = 0;
  for (let round = 0; round < 8; round++) {
    const target = join(folder, `out${round}`);
    const { status, stderr } = await scene.call(['cp', `${live.name}:/workspace/t`, target]);
    t.ok(status === 0 || status === 1 || status === 125, stderr);
    if (existsSync(target)) {
      whole += 1;
      const walk = await scene.spawn('/usr/bin/find', [target, '!', '-type', 'f', '!', '-type', 'd']).ended;
      t.equal(walk.stdout, '', 'files and folders only');
      const secret = await scene.spawn('/bin/grep', ['-r', 'secret of the host', target]).ended;
      t.equal(secret.stdout, '');
    } else t.equal(status, 125, 'what was not copied was said');
    // Where it goes may be a link by the time it is there: inside, it leads nowhere but inside.
    await scene.call(['cp', join(folder, 'in'), `${live.name}:/workspace/t/d/landed`]);
  }
  t.comment(`${whole} of 8 copies were whole`);
  t.notOk(existsSync(join(folder, 'landed')));
  t.same(
    readdirSync(folder).filter((name) => name.startsWith('.cofferdam')),
    [],
    'nothing half is left',
  );
});

testAsBoth('refuses to copy in where the sandbox may not write, and links of the host', async (t, scene) => {
  const live = await makeLive(t, scene);
  const folder = makeHostFolder(scene, 'refused');
  const file = scene.write('refused/file', 'x');
  symlinkSync('/etc/passwd', join(folder, 'link'));
  for (const place of ['/etc/file', '/usr/bin/ls', '/none/file', '/proc/self/file']) {
    const { status, stderr } = await scene.call(['cp', file, `${live.name}:${place}`]);
    t.equal(status, 125, place);
    t.match(stderr, /cannot be copied to/);
  }
  t.match((await live.exec([], ['ls', '-a', '/workspace'])).stdout, /^\.\n\.\.\n\.tmp\n$/);
  const link = await scene.call(['cp', join(folder, 'link'), `${live.name}:/workspace`]);
  t.match([link.status, link.stderr], [125, /it is a link/]);
  t.equal(readlinkSync(join(folder, 'link')), '/etc/passwd');
});

testAsBoth('refuses a sandbox that is unknown, stopped or paused, and sides that are none', async (t, scene) => {
  const live = await makeLive(t, scene);
  const file = scene.write('side', 'x');
  const tell = async (from: string, to: string) => {
    const { status, stderr } = await scene.call(['cp', from, to]);
    return `${status} ${stderr}`;
  };
  t.match(await tell('no-such-box:/etc/passwd', '.'), /^125 .*no sandbox is called/);
  t.match(await tell(file, `${file}2`), /^2 .*one side/);
  t.match(await tell(`${live.name}:/a`, `${live.name}:/b`), /^2 .*one side/);
  t.match(await tell(`${live.name}:`, '.'), /^2 .*names no path/);
  await scene.call(['pause', live.name]);
  t.match(await tell(file, `${live.name}:/workspace`), /^125 .*is paused(.|\n)*sandbox unpause/);
  await scene.call(['unpause', live.name]);
  await scene.call(['stop', live.name]);
  t.match(await tell(file, `${live.name}:/workspace`), /^125 .*is exited/);
});

testAsUser('copies a file of 1 GB out with bounded memory', async (t, scene) => {
  const live = await makeLive(t, scene);
  const folder = makeHostFolder(scene, 'large');
  t.equal((await live.exec([], ['truncate', '-s', '1000m', '/workspace/large'])).status, 0);
  const cp = scene.spawn(join(scene.paths.install, 'bin/sandbox'), ['cp', `${live.name}:/workspace/large`, folder]);
  let most = 0;
  const timer = setInterval(() => {
    try {
      // env(1) and sh become node by exec: the pid stays.
      const found = /^VmHWM:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${cp.pid}/status`, 'utf8'));
      most = Math.max(most, Number(found?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 50);
  const { status, stderr } = await cp.ended;
  clearInterval(timer);
  t.equal(status, 0, stderr);
  t.equal(statSync(join(folder, 'large')).size, 1000 * mebibyte);
  t.ok(most > 0 && most < 300 * 1024, `${most} KiB at the most`);
});

testAsBoth('a copy that is interrupted ends inside too, and leaves nothing', async (t, scene) => {
  const live = await makeLive(t, scene);
  const folder = makeHostFolder(scene, 'interrupted');
  t.equal((await live.exec([], ['truncate', '-s', '1000m', '/workspace/large'])).status, 0);
  const cp = scene.spawn(join(scene.paths.install, 'bin/sandbox'), ['cp', `${live.name}:/workspace/large`, folder]);
  t.ok(await until(() => live.entries().length > 0 && readdirSync(folder).length > 1), 'it is under way');
  process.kill(cp.pid, 'SIGINT');
  const { status, stderr } = await cp.ended;
  t.equal(status, 125, stderr);
  t.match(stderr, /was stopped; nothing of it was kept/);
  t.same(readdirSync(folder), ['.keep']);
  t.ok(await until(() => live.entries().length === 0 && live.groups().length === 0), 'no tar is left inside');
});

testAsBoth('a full disk is told, on either side, and nothing half is left', async (t, scene) => {
  const live = await makeLive(t, scene);
  const folder = makeHostFolder(scene, 'full');
  mkdirSync(join(folder, 'small'));
  t.equal(
    (await live.exec([], ['sh', '-c', 'mkdir /workspace/t; head -c 3000000 /dev/urandom >/workspace/t/a'])).status,
    0,
  );
  const script = `set -eu
    mount -t tmpfs -o "size=1m,mode=0777" tmpfs "$1"
    shift
    status=0
    setpriv --reuid=${scene.uid} --regid=${scene.gid} --clear-groups "$@" || status=$?
    ls -A ${join(folder, 'small')}
    exit "$status"`;
  const words = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'full', join(folder, 'small')];
  const command = [join(scene.paths.install, 'bin/sandbox'), 'cp', `${live.name}:/workspace/t`, join(folder, 'small')];
  const full = await sceneOf('root').spawn('/usr/bin/unshare', [...words, ...command], { env: scene.env }).ended;
  t.match([full.status, full.stdout], [125, ''], full.stderr);
  t.match(full.stderr, /^sandbox: .*(free|space)/);
  const large = scene.write('full/large', '');
  truncateSync(large, 80 * mebibyte);
  const inside = await scene.call(['cp', large, `${live.name}:/tmp/large`]);
  t.equal(inside.status, 125);
  t.match(inside.stderr, /cannot be copied to/);
  t.equal((await live.exec([], ['ls', '-A', '/tmp'])).stdout, '');
  writeFileSync(large, '');
});
