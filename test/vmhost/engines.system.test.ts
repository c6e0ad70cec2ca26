// Owns the proofs of docker and nerdctl on cgroup v2 under systemd 252: the run's own leaf bounds their containers. A machine of its own.
import tap, { test } from 'tap';
import { runGuest } from './machine.ts';
import { readReports } from './reports.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = [
  'root',
  'qemu-system-x86',
  'mmdebstrap and an archive to build from, the first time',
  'the image base-tools',
  'nerdctl, built by .ci/install-nerdctl',
];

// A bound on whatever machine, not an expectation: the machine takes four minutes on a quiet one.
tap.setTimeout(8_000_000);

const { all, seen } = readReports(await runGuest('engines'));
tap.comment(all.map(({ who, what, at }) => `${who}: ${what} at ${at} s`).join(', '));

const runs = '/cofferdam.slice/cofferdam-runs.service';

interface Member {
  readonly command: string;
  readonly group: string;
  readonly parent: string;
}

test('nothing failed to start', async (t) => {
  t.same(
    all.filter(({ what }) => what === 'failed'),
    [],
  );
});

test('docker is as its package has it, and then with the other driver', async (t) => {
  t.equal(seen('engines', 'driver'), 'systemd 2');
  t.equal(seen('engines', 'other-driver'), 'cgroupfs 2');
});

for (const who of ['docker', 'nerdctl', 'cgroupfs']) {
  test(`a run passes its status and output on, and an OOM kill is told (${who})`, async (t) => {
    t.match(seen(who, 'first'), { status: 3, stdout: /^0::\//, record: ['3', 'exited'] });
    t.match(seen(who, 'oom'), { status: 137, record: ['137', 'oom'] });
    for (const name of ['first', 'oom']) t.same(seen<{ left: string[] }>(who, name).left, [], name);
  });

  test(`nothing is left of containers (${who})`, async (t) => {
    t.same(seen(who, 'left'), { scopes: [], groups: [], docker: '', nerdctl: [] });
  });
}

for (const who of ['docker', 'nerdctl']) {
  test(`limits stand in the leaf from outside, with init and program of the container in it (${who})`, async (t) => {
    const { leaves, values, members } = seen<{ leaves: string[]; values: object; members: Member[] }>(who, 'life');
    const [leaf = ''] = leaves;
    t.equal(leaves.length, 1);
    t.ok(leaf.startsWith(`/sys/fs/cgroup${runs}/`), leaf);
    t.same(values, {
      'memory.max': String(64 << 20),
      'memory.swap.max': '0',
      'memory.oom.group': '1',
      'pids.max': '50',
      'cpu.max': '50000 100000',
    });
    t.equal(members.length, 2, 'and no client');
    for (const { group } of members) t.equal(group, `0::${leaf.slice('/sys/fs/cgroup'.length)}`);
    t.ok(members.some(({ command }) => command.startsWith('sleep 7200')));
    t.ok(
      members.some(({ parent }) => parent.includes('containerd-shim')),
      'control: it is the daemon’s',
    );
  });

  test(`a sandbox is made, entered, bounded, read, copied from and removed (${who})`, async (t) => {
    const life = seen<{ refused: string; left: string[] }>(who, 'life');
    t.match(life, {
      made: { status: 0 },
      exec: { status: 7, stdout: 'inside\n', stderr: /unshare.*Operation not permitted/ },
      control: 0,
      logs: 'up\n',
      cpIn: { status: 0 },
      cpOut: { status: 0 },
      copied: 'from outside',
      removed: { status: 0 },
    });
    t.ok(Number(life.refused) > 0, `forks refused: ${life.refused}`);
    t.same(life.left, []);
  });
}
