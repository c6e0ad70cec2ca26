// Owns what must have been reported about limits: they hold on cgroup v2 under systemd 252, or the run is refused.
import { join } from 'node:path';
import { test } from 'tap';
import { callers, type Reports } from './reports.ts';

interface Seen {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly record: readonly string[];
  readonly left: readonly string[];
}

/** Registers the tests. */
export function testLimits({ seen }: Reports): void {
  for (const [who, { place, parent }] of Object.entries(callers)) {
    test(`limits stand in the leaf while a run goes on, with the program in it (${who})`, async (t) => {
      const look = seen<Record<string, unknown>>(who, 'look');
      const leaf = join(parent, `${who}-look`);
      t.match(seen<string>(who, 'membership'), place, 'control: where the caller itself runs');
      t.same(look['leaves'], [join('/sys/fs/cgroup', leaf)]);
      t.match(look['values'], {
        'memory.max': String(64 << 20),
        'memory.swap.max': '0',
        'memory.oom.group': '1',
        'pids.max': '20',
        'cpu.max': '20000 100000',
      });
      t.ok(Number(look['throttled']) > 0, 'and processor time is held back');
      t.equal(look['guest'], `0::/${leaf}`);
      t.same(look['openFiles'], ['64', '64']);
      t.same(look['fileSize'], [String(2 << 20), String(2 << 20)]);
      t.notMatch(String(look['supervisor']), leaf, 'the supervisor is not in it');
      t.equal(look['status'], 143);
      t.same(look['left'], []);
    });

    test(`each limit bites, and each end has its own name (${who})`, async (t) => {
      // Not by t.match: it takes an empty list for any list.
      for (const name of ['first', 'oom', 'oom-child', 'timeout', 'meet']) t.same(seen<Seen>(who, name).left, [], name);
      t.match(seen<Seen>(who, 'first'), {
        status: 0,
        stdout: 'hi\n',
        stderr: '',
        record: ['0', 'exited', '3', '0', '-'],
        left: [],
      });
      t.match(seen<Seen>(who, 'oom'), { status: 137, record: ['137', 'oom'], left: [] });
      t.match(seen<Seen>(who, 'oom-child'), { status: 137, record: ['137', 'oom'], left: [] });
      const pids = seen<Seen>(who, 'pids');
      t.match(pids.record.at(-1), /p/, `marked: ${pids.record.join(' ')}`);
      t.same(pids.left, []);
      t.match(seen<Seen>(who, 'timeout'), { status: 124, record: ['124', 'timeout'], left: [] });
      t.match(seen<Seen>(who, 'meet'), { status: 0, stdout: 'files-stay\n153\n' }, 'sizes, open files, file size');
    });

    test(`the second run of a kind takes the short way (${who})`, async (t) => {
      t.match(seen<Seen>(who, 'short'), { status: 0, stdout: 'hi\n', node: false, supervised: true });
    });

    test(`the doctor is content, and says where runs go (${who})`, async (t) => {
      const checks = seen<{ id: string; level: string; seen: string }[]>(who, 'doctor');
      t.same(
        checks.filter(({ level }) => level === 'fail'),
        [],
      );
      t.match(checks.find(({ id }) => id === 'cgroups.parents')?.seen, parent);
    });
  }

  test('a silent program ends by the idle limit', async (t) => {
    t.same(seen<Seen>('root', 'idle').left, []);
    t.match(seen<Seen>('root', 'idle'), { status: 124, record: ['124', 'idle'], left: [] });
  });

  test('a run in namespaces of its own, which artifacts take, is moved out of a login session, too', async (t) => {
    t.match(seen<Seen>('session', 'artifacts'), { status: 0, record: ['0', 'exited'], left: [] });
  });

  test('refuses a user with neither a delegated unit nor a systemd, and says what to do', async (t) => {
    const strict = seen<Seen>('lonely', 'strict');
    t.equal(strict.status, 125);
    t.equal(strict.stdout, '');
    t.match(strict.stderr, /no systemd of this user is running\n.*loginctl enable-linger/);
    const unit = seen<{ id: string; level: string; remedy?: string }[]>('lonely', 'doctor').find(
      ({ id }) => id === 'cgroups.unit',
    );
    t.match(unit, { level: 'fail', remedy: /loginctl enable-linger lonely/ });
  });

  test('best-effort is refused without the host’s word, and with it is said and recorded', async (t) => {
    const best = seen<Seen>('lonely', 'best');
    t.equal(best.status, 2);
    t.match(best.stderr, /best-effort is not permitted on this host/);
    const permitted = seen<Seen>('best-effort', 'best');
    t.match(permitted, { status: 0, stdout: 'started\n', record: ['0', 'exited', '8', '0', 'mnc'] });
    t.match(
      permitted.stderr,
      /^sandbox: the limit memory\.max = [0-9]+ is not applied \(limits\.enforce: best-effort\)\n/,
    );
    const result = JSON.parse(seen<Seen>('best-effort', 'json').stdout) as { limits: unknown; stderr: string };
    t.same(result.limits, { pidsHit: false, lacking: ['memory', 'pids', 'cpus'] });
    t.equal(result.stderr, '');
  });
}
