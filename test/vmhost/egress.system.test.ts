// Owns the proofs of the way out as services of a host, systemd 252: used, killed, stopped, behind the wall, after a reboot.
import tap, { test } from 'tap';
import { runGuest } from './machine.ts';
import { readReports } from './reports.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = [
  'root',
  'qemu-system-x86',
  'mmdebstrap and an archive to build from, the first time',
  'the image base-tools',
];

// The build takes one to two minutes, the machine three to five, or some times that where others are at work.
tap.setTimeout(8_000_000);

const reports = readReports(await runGuest('egress'));
const { all, seen } = reports;
tap.comment(`the last report at ${all.at(-1)?.at} s`);

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const word = 'reached-the-way-out\n';
const reached = { status: 0, stdout: word };

test('set-up brings the way out as services of the host, and a second time changes nothing', async (t) => {
  t.same(
    all.filter(({ what }) => what === 'failed'),
    [],
    'it did not fail',
  );
  t.match(seen('egress', 'internet'), { status: 0 });
  const { status, stdout, stderr } = seen<{ status: number; stdout: string[]; stderr: string }>('egress', 'setup');
  t.equal(status, 0, stderr);
  t.match(stdout.join('\n'), /^done .*the way out as a service/m);
  t.same(seen('egress', 'again'), []);
  t.match(seen('egress', 'units'), {
    bridge: { ActiveState: 'active', UnitFileState: 'enabled', User: 'cofferdam-bridge' },
    debian: { ActiveState: 'inactive', LoadState: 'masked' },
  });
});

test("a run reaches what root's policy lists and nothing else, of a plain user and of root", async (t) => {
  const plain = seen<Ended>('egress', 'plain');
  t.equal(plain.stdout.split(word).length, 2, plain.stderr);
  t.match(seen('egress', 'root'), reached);
  t.match(seen('egress', 'who'), /^cofferdam-proxy +squid$/);
});

test('a killed Squid and a killed bridge are started again; a stopped service lets nothing out', async (t) => {
  const killed = seen<Ended & { before: string[]; after: string[] }>('egress', 'squid-killed');
  t.match(killed, reached);
  t.equal(killed.before.length, 1, 'control: there was one');
  t.equal(killed.after.length, 1);
  t.not(killed.after[0], killed.before[0]);
  t.match(seen('egress', 'bridge-killed'), reached);
  t.match(seen('egress', 'stopped'), { status: 125, stdout: '', stderr: /does not answer/, squids: [] });
});

test('behind the wall nobody but the bridge reaches Squid', async (t) => {
  t.match(seen('egress', 'walled'), {
    control: 'reached',
    apply: { status: 0 },
    plain: 'ConnectionRefusedError',
    nobody: 'ConnectionRefusedError',
    root: 'ConnectionRefusedError',
    bridge: 'reached',
  });
  t.match(seen('egress', 'watched'), { confirm: { status: 0 }, state: 'verified', run: reached });
});

test('a flush of all rules is noticed, and refuses networked runs', async (t) => {
  t.match(seen('egress', 'flushed'), {
    state: 'drifted',
    refused: { status: 125, stdout: '', stderr: /host firewall is not as it was applied/ },
    status: 1,
  });
});

test('after a reboot the confirmed rules stand before the way out does, and it serves', async (t) => {
  type Seen = Record<'loader' | 'service', Record<string, string>>;
  const { loader, service, ...rest } = seen<Seen>('egress-again', 'wall');
  t.match(loader, { ActiveState: 'active', Result: 'success' });
  t.match(service, { ActiveState: 'active', UnitFileState: 'enabled' });
  t.same(rest, { table: 0, status: 0 });
  const at = ({ ActiveEnterTimestampMonotonic: time }: Record<string, string>) => Number(time);
  t.ok(at(loader) > 0 && at(loader) < at(service), `${at(loader)} before ${at(service)}`);
  const plain = seen<Ended>('egress-again', 'plain');
  t.equal(plain.stdout.split(word).length, 2, plain.stderr);
  t.same(seen('egress-again', 'knock'), { plain: 'ConnectionRefusedError', bridge: 'reached' });
  t.match(seen('egress-again', 'debian'), { ActiveState: 'inactive' });
});
