// Owns the proof that a limit which cannot be applied stops a run before its program starts, or is said where the host permits it.
import { type Test, test } from 'tap';
import { type LeafWrite, leafWrites, parentOf } from '../../lib/engine/cgroup.ts';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { loadHostConfig } from '../../lib/profile/hostConfig.ts';
import { loadProfile } from '../../lib/profile/load.ts';
import { declareNeeds } from './needs.ts';
import { type Ended, type JsonResult, newId, type Scene, sandboxFile, sceneOf } from './scene.ts';

declareNeeds('crun', 'unshare', 'strace', 'base-tools');

const scene = sceneOf('root');
const cgroups = locateCgroups(0);
// Inside a mount namespace of its own, whatever is put over a file is gone with the run.
const private_ = ['--mount', '--propagation', 'private', 'sh', '-eu', '-c'];
const base = ['-p', 'base-tools', '--', 'echo', 'started'];

async function runUnder(script: string, args: readonly string[]): Promise<Ended & { readonly id: string }> {
  const id = newId();
  // No plan of another run: each is compiled here, and gone afterwards.
  const whole = `mount -t tmpfs -o mode=0755 tmpfs ${scene.paths.data}/plans\n${script}\nexec "$@"`;
  const words = [...private_, whole, 'sh', sandboxFile, 'run', '--id', id, ...args];
  return { ...(await scene.spawn('unshare', words).ended), id };
}

function checkRefused(t: Test, { status, stdout, stderr, id }: Ended & { readonly id: string }, says: RegExp): void {
  t.equal(status, 125, stderr);
  t.equal(stdout, '', 'nothing ran');
  t.match(stderr, says);
  t.match(stderr, /\n {2}\S.*\n$/, 'and what to do');
  t.strictSame(scene.traces(id), []);
}

/** Has the supervisor's write to a control file of the run (`$4` is its id) not done, and answered by `answer` (strace(1)). */
function inject({ controller, file }: LeafWrite, answer: string): string {
  const path = `${parentOf(cgroups, controller)}/"$4"/${file}`;
  return `set -- strace -f -qq -o /dev/null -P ${path} -e trace=write -e inject=write:${answer} "$@"`;
}

function lie(write: LeafWrite): string {
  return inject(write, `retval=${write.value.length}`);
}

const ceiling = loadHostConfig('/none/config.yaml');
const { profile } = loadProfile({ profile: 'base-tools', cwd: '/', paths: scene.paths, ceiling, uid: 0 });
const writes = leafWrites(cgroups.version, profile.limits);

// The period is what the kernel starts with: it is read, and not written.
const faults = writes
  .filter(({ file }) => file !== 'cpu.cfs_period_us')
  .flatMap((write) => [
    { write, does: 'cannot be written', script: inject(write, 'error=EIO') },
    { write, does: 'does not read back as written', script: lie(write) },
  ]);

for (const { write, does, script } of faults) {
  test(`refuses a run whose ${write.file} ${does}`, async (t) => {
    const says = `^sandbox: the limit ${write.file.replaceAll('.', '\\.')} = [0-9 ]+ could not be applied\n`;
    checkRefused(t, await runUnder(script, base), new RegExp(says));
  });
}

test('the same way in without the lie runs: what is refused above is the lie', async (t) => {
  const traced = 'set -- strace -f -qq -o /dev/null -P /nonexistent -e trace=write "$@"';
  t.match(await runUnder(traced, base), { status: 0, stdout: 'started\n' });
});

test('refuses a parent that is no control group', async (t) => {
  const parent = parentOf(cgroups, 'pids');
  const refused = await runUnder(`mount -t tmpfs tmpfs ${parent}`, base);
  checkRefused(t, refused, /^sandbox: the limit pids\.max = [0-9]+ could not be applied\n/);
});

test('refuses a user whose parent is missing or another’s, with the command that makes it', async (t) => {
  const { uid, gid, env, home }: Scene = sceneOf('plain user');
  const parent = parentOf(locateCgroups(uid), 'memory');
  const step = `mount -t tmpfs -o mode=0755 tmpfs ${parent}\nset -- setpriv --reuid=${uid} --regid=${gid} --clear-groups env HOME=${home} "$@"`;
  t.ok(env['HOME'] === home);
  const refused = await runUnder(step, base);
  t.match(refused, { status: 125, stdout: '', stderr: /is missing or not ours to write\n {2}as root: sandbox setup/ });
});

const permitted = `mount -t tmpfs -o mode=0755 tmpfs /etc/cofferdam
printf 'limits: { bestEffort: true }\\n' >/etc/cofferdam/config.yaml`;
const effort = scene.write('effort.yaml', 'image: base-tools\nlimits: { enforce: best-effort }\n');
const pids = writes.find(({ controller }) => controller === 'pids') as LeafWrite;

test('refuses best-effort where the host does not permit it', async (t) => {
  const { status, stderr } = await scene.sandbox(['run', '-p', effort, '--', 'echo', 'started']);
  t.equal(status, 2);
  t.match(stderr, /limits\.enforce: best-effort is not permitted on this host/);
});

test('best-effort says at the start which limit is not applied, and the result says it too', async (t) => {
  const told = await runUnder(`${permitted}\n${lie(pids)}`, ['-p', effort, '--', 'echo', 'started']);
  t.match(told, { status: 0, stdout: 'started\n' }, told.stderr);
  // Not all of stderr: on its way to a plan the command line also tells what it freed of other runs of root's on this host.
  const said = told.stderr.split('\n').filter((line) => line.includes('limit'));
  const only = ['sandbox: the limit pids.max = 256 is not applied (limits.enforce: best-effort)'];
  t.strictSame(said, only, told.stderr);
  const json = await runUnder(`${permitted}\n${lie(pids)}`, ['--json', '-p', effort, '--', 'echo', 'started']);
  const result = JSON.parse(json.stdout) as JsonResult;
  t.same(result.limits, { pidsHit: false, lacking: ['pids'] });
  t.equal(result.stderr, '', 'what is captured is the program’s');
  const whole = await runUnder(permitted, ['--json', '-p', effort, '--', 'echo', 'started']);
  t.same(
    (JSON.parse(whole.stdout) as { limits: unknown }).limits,
    { pidsHit: false, lacking: [] },
    'where all hold, none lacks',
  );
});
