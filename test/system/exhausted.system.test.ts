// Owns the proof that a run is taken down when the host has no pid to spare, and when its disk filled up meanwhile.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { declareNeeds } from './needs.ts';
import { newId, type Scene, type Started, sandboxFile, sceneOf, testAsBoth, until } from './scene.ts';
import { findProcesses, leavesOf, membersOf, readSoft } from './traces.ts';

declareNeeds('crun', 'unshare', 'base-tools');

/** A process that would need another to do anything: the control. */
const forking = 'echo up; read -r line; /bin/true && echo forked';

/**
 * A control group of the test's own, with no room for one process more than it is given; guests are in those of their runs.
 * Root is bounded by no RLIMIT_NPROC, and who has all of a host's pids finds the same: EAGAIN.
 */
function boundProcesses(): { exhaust(pids: readonly number[]): void; end(): void } {
  const pids = locateCgroups(0).folders.find(({ controllers }) => controllers.includes('pids'));
  const group = join(dirname(dirname(pids?.path ?? '')), `cofferdam-test-${newId()}`);
  return {
    exhaust: (members) => {
      mkdirSync(group);
      for (const pid of members) writeFileSync(join(group, 'cgroup.procs'), String(pid));
      writeFileSync(join(group, 'pids.max'), '1');
    },
    end: () => {
      if (existsSync(group)) rmdirSync(group);
    },
  };
}

async function isUp(scene: Scene, id: string): Promise<boolean> {
  return until(() => membersOf(scene.uid, id).some((pid) => readSoft(`/proc/${pid}/cmdline`).startsWith('sleep\0')));
}

/** Our processes of a run, the launcher and whatever is above or below it, but not the guest. */
function oursOf(scene: Scene, id: string, started: Started): number[] {
  const inside = membersOf(scene.uid, id);
  return [...new Set([started.pid, ...findProcesses(id).map(({ pid }) => pid)])].filter((pid) => !inside.includes(pid));
}

const polite = 'trap "exit 9" TERM; sleep 300 & wait';
const ways: Readonly<Record<string, (scene: Scene) => readonly string[]>> = {
  short: () => [],
  'Node with --json': () => ['--json'],
  'with artifacts': (scene) => ['--artifacts', `${dirname(scene.write(`${newId()}/x`, ''))}/new`],
};

for (const [name, words] of Object.entries(ways)) {
  testAsBoth(`a run is taken down without one more process (${name})`, async (t, scene) => {
    // So that the short way is one.
    await scene.run(['-p', 'base-tools', '--', 'true']);
    // The supervisor itself sees to its timeout, whatever is above it; it needs time until all is exhausted.
    const ends = name === 'short' ? (['SIGTERM', 'timeout'] as const) : (['SIGTERM'] as const);
    for (const end of ends) {
      const timeout = end === 'timeout' ? '8s' : '10m';
      const id = newId();
      const bound = boundProcesses();
      const control = scene.spawn('/bin/sh', ['-c', forking], { input: 'open' });
      const args = [
        'run',
        '--id',
        id,
        '-p',
        'base-tools',
        '--timeout',
        timeout,
        ...words(scene),
        '--',
        'sh',
        '-c',
        polite,
      ];
      const started = scene.spawn(sandboxFile, args);
      t.ok(await isUp(scene, id), started.err().toString());
      t.ok(await until(() => control.out().length > 0));
      bound.exhaust([...oursOf(scene, id, started), control.pid]);
      control.child.stdin?.end('\n');
      const { status: forked, stdout } = await control.ended;
      t.not(forked, 0, 'control: no process can be made');
      t.notMatch(stdout, /forked/);
      if (end === 'SIGTERM') started.child.kill('SIGTERM');
      await started.ended;
      t.strictSame(scene.traces(id), [], `${end}: ${started.err()}`);
      bound.end();
    }
  });
}

testAsBoth(
  'a guest that outlived a killed launcher with no pid to spare is gone before anybody cleans up',
  async (t, scene) => {
    await scene.run(['-p', 'base-tools', '--', 'true']);
    const id = newId();
    const bound = boundProcesses();
    const started = scene.spawn(sandboxFile, ['run', '--id', id, '-p', 'base-tools', '--', 'sh', '-c', polite]);
    t.ok(await isUp(scene, id), started.err().toString());
    bound.exhaust(oursOf(scene, id, started));
    started.child.kill('SIGKILL');
    t.ok(await until(() => membersOf(scene.uid, id).length === 0), 'nothing runs');
    await started.ended;
    bound.end();
    t.equal((await scene.call(['gc'])).status, 0);
    t.strictSame(scene.traces(id), []);
  },
);

// In a mount namespace of its own, where the folder is small; it is filled while the program runs, and gc has to do with that.
const fullScript = `set -eu
folder=$1 uid=$2 gid=$3 id=$4 signal=$5 leaf=$6
shift 6
mount -t tmpfs -o "size=256k,nr_inodes=128,mode=0711,uid=$uid,gid=$gid" tmpfs "$folder"
as="setpriv --reuid=$uid --regid=$gid --clear-groups"
sandbox=$1
shift
$as "$sandbox" run --id "$id" -p base-tools "$@" -- sleep 300 &
run=$!
n=0
is_up() { for pid in $(cat "$leaf/cgroup.procs" 2>/dev/null); do [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != sleep ] || return 0; done; false; }
until is_up; do
	n=$((n + 1))
	[ "$n" -lt 2400 ] || exit 90
	sleep 0.05
done
$as sh -c 'head -c 1000000 /dev/zero >"$1/filler"; n=0; while true >"$1/filler$n"; do n=$((n + 1)); done' sh "$folder" 2>/dev/null || :
! (true >"$folder/control") 2>/dev/null || exit 91
kill -s "$signal" "$run"
status=0
wait "$run" || status=$?
echo "status: $status"
n=0
while is_up; do
	n=$((n + 1))
	[ "$n" -lt 400 ] || exit 92
	sleep 0.05
done
gc=0
$as "$sandbox" gc || gc=$?
echo "gc on a full disk: $gc"
echo "held: $(cd "$folder" && find . '(' -path '*/records/*' -o -path '*/slots/*' -o -path '*/runs/*' ')' | tr '\\n' ' ')"
rm -f "$folder"/filler*
$as "$sandbox" gc
echo "left: $(cd "$folder" && find . '(' -path '*/records/*' -o -path '*/slots/*' -o -path '*/runs/*' -o -path '*/awaited/*' -o -name '*.new' ')' | tr '\\n' ' ')"
`;

async function runFull(t: Test, scene: Scene, folder: string, signal: 'TERM' | 'KILL', words: readonly string[]) {
  const id = newId();
  const [leaf = ''] = leavesOf(scene.uid, id);
  const script = ['--mount', '--propagation', 'private', '/bin/sh', '-c', fullScript, 'full', folder];
  const args = [...script, String(scene.uid), String(scene.gid), id, signal, leaf, sandboxFile, ...words];
  const { status, stdout, stderr } = await sceneOf('root').spawn('/usr/bin/unshare', args, { env: scene.env }).ended;
  const said = `${signal} ${words}: ${stdout} ${stderr}`;
  t.equal(status, 0, said);
  t.match(stdout, signal === 'KILL' ? /^status: 137$/m : /^status: (143|125)$/m, said);
  t.match(stdout, /^held: $/m, `no record, slot or run folder, also while there is no room; ${said}`);
  t.match(stdout, /^left: $/m, `nor half a file, when there is room again; ${said}`);
  t.strictSame(scene.traces(id), []);
}

const places: Readonly<Record<string, (scene: Scene) => string>> = {
  'run folder': ({ paths }) => paths.run,
  state: ({ paths }) => paths.state,
};

for (const [name, folderOf] of Object.entries(places)) {
  testAsBoth(`a disk that fills up during a run keeps nothing from being taken down (${name})`, async (t, scene) => {
    await scene.run(['-p', 'base-tools', '--', 'true']);
    // Of the two ways each caller has one for each signal; both together have all.
    const [short, node] = [[], ['--label', 'way=node']];
    const turned = (name === 'state') === (scene.uid === 0);
    await runFull(t, scene, folderOf(scene), 'TERM', turned ? short : node);
    await runFull(t, scene, folderOf(scene), 'KILL', turned ? node : short);
  });
}
