// Owns what must have been reported after a reboot: the unit of `sandbox setup` has prepared the host again.
import { test } from 'tap';
import type { Reports } from './reports.ts';

const good = { ActiveState: 'active', Result: 'success', UnitFileState: 'enabled', ExecMainStatus: '0' };

interface Said {
  readonly status: number;
  /** Lines, one for each step: `already  …`, `done  …`. */
  readonly said: readonly string[];
}

const undone = ({ said }: Said) => said.filter((line) => !line.startsWith('already '));

/** Registers the tests. */
export function testBoot({ seen }: Reports): void {
  test('after a reboot the unit makes again what was lost', async (t) => {
    const unit = seen<Said>('booted', 'unit');
    t.match(unit, good);
    t.match(undone(unit), [/^done +control groups of root: /, /^done +fast moves between control groups: /]);
    t.equal(seen('host', 'favordynmods'), '0', 'control: a boot alone does not bring it');
    t.equal(seen('booted', 'favordynmods'), true);
    const check = seen<Said>('booted', 'check');
    t.equal(check.status, 0);
    t.same(undone(check), [], 'setup --check finds nothing missing');
  });

  test('when the unit is started again it changes nothing', async (t) => {
    const again = seen<Said>('booted', 'restart');
    t.match(again, { status: 0, ...good });
    t.same(undone(again), []);
    t.ok(again.said.length >= 4, 'control: there were steps');
  });

  test('after a reboot the doctor is content, and root and the prepared user can run', async (t) => {
    t.match(seen('booted', 'doctor'), { status: 0, runs: true });
    const { others } = seen<{ others: { level: string }[] }>('booted', 'doctor');
    t.same(
      others.filter(({ level }) => level === 'fail'),
      [],
    );
    for (const who of ['root', 'plain'])
      t.match(seen('booted', `run-${who}`), { status: 0, stdout: 'hi\n', stderr: '' });
  });

  test('systemd finds no fault in the units as they are installed', async (t) => {
    const { units, ours, user } = seen<{ units: string[]; ours: unknown; user: unknown }>('booted', 'verify');
    t.same(units.toSorted(), ['cofferdam-host.service', 'cofferdam-runs.service']);
    t.match(ours, { status: 0, stderr: '' });
    t.match(user, { status: 0, stderr: '' });
  });

  test('root may run the controls on a machine that can be thrown away, and each fails', async (t) => {
    const control = seen<{ others: { level: string }[]; counts: { failed: number } }>('booted', 'unconfined');
    t.same(
      control.others.filter(({ level }) => level === 'PASS'),
      [],
    );
    t.match(control, { status: 0, stderr: '' });
    t.ok(control.counts.failed >= 80, `${control.counts.failed} failed`);
  });
}
