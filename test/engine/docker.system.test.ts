// Owns the proof that docker runs the same plans within the boundary that the matrix promises, and that nothing of it outlives us.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import tap, { test } from 'tap';
import { inspectDaemon } from '../../lib/engine/docker/client.ts';
import { readHostIds } from '../../lib/engine/subids.ts';
import { findImage } from '../../lib/image/find.ts';
import { declareNeeds } from '../system/needs.ts';
import { newId, sceneOf, until } from '../system/scene.ts';
import { membersOf } from '../system/traces.ts';
import { testKills, testLimits } from './daemonRuns.ts';
import { startDocker } from './dockerScene.ts';
import { dockerStage } from './dockerStage.ts';
import { proveTerminals } from './lifeTerminal.ts';

declareNeeds('unshare', 'python3', 'base-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

const scene = sceneOf('root');
const docker = await startDocker();
const engine = ['--engine', 'docker', '-p', 'base-tools'];

const look = `
id -u
grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp|Uid):" /proc/self/status
for path in / /etc /sys /proc/sys; do [ ! -w "$path" ] || echo "writable $path"; done
for path in /dev/mqueue /sys/fs/cgroup; do [ -z "$(ls -A "$path")" ] || echo "full $path"; done
sed 1,2d /proc/net/dev | cut -d: -f1
awk '$5 == "/tmp" { print $6, $NF }' /proc/self/mountinfo
ulimit -n
umask
cat /etc/hosts /etc/resolv.conf
unshare -U true 2>&1 || :
true >/etc/x || :
`;

test('the boundary is the one that the matrix promises', async (t) => {
  const { status, stdout, stderr } = await docker.run(['--', 'sh', '-c', look]);
  t.equal(status, 0, stderr);
  t.match(stdout, /^65532\n/);
  for (const line of ['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'])
    t.ok(stdout.split('\n').includes(line), line);
  t.notMatch(stdout, /^(writable|full) /m);
  t.match(stdout, /^ *lo$/m);
  t.match(stdout, /^rw,nosuid,nodev,noexec,relatime rw,size=\d+k,nr_inodes=\d+,mode=700/m);
  t.match(stdout, /^1024\n0022$/m);
  t.notMatch(stdout, /nameserver/);
  t.match(stdout, /unshare failed: Operation not permitted/);
  t.match(stderr, /Read-only file system/);
});

test('the program is a subordinate id on the host, and in the control groups of its run', async (t) => {
  const id = newId();
  const run = docker.start(['run', ...engine, '--id', id, '--stdin', '--', 'sh', '-c', 'echo up; read line'], {
    input: 'open',
  });
  t.ok(await until(() => run.out().includes('up')));
  const pids = membersOf(0, id);
  t.equal(pids.length, 2, 'our init and the program, and neither a client nor a script of ours');
  const { subuids } = readHostIds(0, 0);
  for (const pid of pids)
    t.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\t${subuids.start + 65532}\\t`, 'm'));
  run.child.stdin?.end('\n');
  await run.ended;
  t.ok(await docker.isGone(id));
});

testLimits(docker, 'docker');
proveTerminals(dockerStage(docker));
testKills(docker, 'docker', { 'our script': /docker-run/, 'the client': /start --attach/ });

test('gc removes a container that was made and never started, and no other', async (t) => {
  const { digest } = findImage('base-tools', scene.paths.imageStores);
  const image = `cofferdam:${digest.replace(':', '-')}`;
  const labels = ['--label', `cofferdam.records=${join(scene.paths.run, 'records')}`];
  const make = (id: string) => docker.docker('create', ...labels, '--label', `cofferdam.run=${id}`, image, 'true');
  const dead = newId();
  await make(dead);
  const id = newId();
  const run = docker.start(
    ['run', ...engine, '--id', id, '--stdin', '--', 'sh', '-c', 'echo up; read line; echo $line'],
    {
      input: 'open',
    },
  );
  t.ok(await until(() => run.out().includes('up')));
  const { containers } = JSON.parse((await docker.start(['gc', '--json']).ended).stdout) as { containers: string[] };
  t.same(containers, [dead]);
  run.child.stdin?.end('still here\n');
  t.match((await run.ended).stdout, 'still here');
  t.ok(await docker.isGone(id));
});

test("the daemon's image is ours to the byte, or another is made", async (t) => {
  const { digest } = findImage('base-tools', scene.paths.imageStores);
  const image = `cofferdam:${digest.replace(':', '-')}`;
  const layers = async () => docker.docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image);
  t.equal((await layers()).trim(), JSON.stringify([digest]));
  const made = await docker.docker('create', image, 'true');
  await docker.docker('commit', '--change', 'ENV LD_PRELOAD=/tmp/x', made.trim(), image);
  await docker.docker('rm', made.trim());
  // Another label, so that no plan of before is used.
  const { stdout } = await docker.run(['--label', 'again=yes', '--env', 'AGAIN=yes', '--', 'env']);
  t.notMatch(stdout, 'LD_PRELOAD');
  t.equal((await layers()).trim(), JSON.stringify([digest]));
});

const refusals = [
  {
    says: /workspace\.mode: rw.*crun, podman and nerdctl can/,
    args: ['-w', `${dirname(sceneOf('plain user').write('project/file', ''))}:rw`],
  },
  { says: /artifacts: .*crun, podman and nerdctl can/, args: ['--artifacts', join(scene.home, 'out')] },
];
for (const { says, args } of refusals) {
  test(`refuses ${args[0]} by name, and says which engine can`, async (t) => {
    const { status, stderr } = await docker.start(['run', ...engine, ...args, '--', 'true']).ended;
    t.equal(status, 125);
    t.match(stderr, says);
  });
}

test('refuses a daemon that gives containers no user namespace', async (t) => {
  const other = await startDocker([]);
  const { status, stderr } = await other.start(['run', ...engine, '--', 'echo', 'started']).ended;
  t.equal(status, 125);
  t.match(stderr, /no user namespace.*\n.*userns-remap=cofferdam/);
});

test('refuses a daemon that does not answer, with what to do', async (t) => {
  const { status, stderr } = await scene.sandbox(['run', ...engine, '--', 'true']);
  t.equal(status, 125);
  t.match(stderr, /daemon does not answer at \/run\/docker\.sock[^\n]*\n.*systemctl start docker/);
  // Debian's client, whichever the host finds first.
  const older = inspectDaemon({ path: '/usr/bin/docker', socket: '/run/no-such.sock' });
  await t.rejects(older, {
    code: 'ENGINE_MISSING',
    message: /does not answer at \/run\/no-such\.sock: Cannot connect/,
  });
});
