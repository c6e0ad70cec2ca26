// Owns the proofs on a worker host as users have it, systemd 252 with cgroup v2: one machine is booted for all of them.
import tap, { test } from 'tap';
import { testBoot } from './boot.ts';
import { testKills } from './kills.ts';
import { testLimits } from './limits.ts';
import { runGuest } from './machine.ts';
import { readReports } from './reports.ts';
import { testVerify } from './verify.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = [
  'root',
  'qemu-system-x86',
  'mmdebstrap and an archive to build from, the first time',
  'the image base-tools',
];

// The build takes one to two minutes, the machine three to five, or some times that where others are at work.
tap.setTimeout(8_000_000);

const reports = readReports(await runGuest('all'));
const { all, seen } = reports;
const ends = [...new Set(all.map(({ who }) => who))].map((who) => all.findLast((report) => report.who === who));
tap.comment(ends.map((last) => `${last?.who}: ${last?.what} at ${last?.at} s`).join(', '));

test('setup prepares a systemd host, and a second time changes nothing', async (t) => {
  t.same(
    all.filter(({ what }) => what === 'failed'),
    [],
    'it did not fail',
  );
  t.equal(seen<string>('host', 'again').trim(), 'already');
  t.equal(seen('root', 'services'), 'none');
});

testLimits(reports);
testKills(reports);
testVerify(reports);
testBoot(reports);
