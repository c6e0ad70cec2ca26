// Owns what must have been reported about killed runs on cgroup v2: the guest dies, and `sandbox gc` leaves nothing.
import { test } from 'tap';
import { callers, type Reports } from './reports.ts';

interface Killed {
  readonly command: readonly string[];
  readonly guests: number;
  readonly leaf: string;
}

interface Gc {
  readonly status: number;
  readonly said: Readonly<Record<'freed' | 'stuck' | 'quarantined', readonly string[]>>;
  readonly leaves: readonly string[];
  readonly groups: readonly string[];
  readonly folders: readonly string[];
}

// The name of who is killed, and what it is: the supervisor is alone on the short way, else a launcher and Node stand above it.
const victims = { supervisor: /\/supervise$/, launcher: /sh$/, caller: /node$/ };

/** Registers the tests. */
export function testKills({ seen }: Reports): void {
  for (const [who, { parent }] of Object.entries(callers)) {
    test(`SIGKILL of ${who === 'service' ? 'the supervisor' : 'the supervisor, the launcher or the caller'} ends the guest (${who})`, async (t) => {
      for (const [name, command] of Object.entries(victims).filter(
        ([name]) => who !== 'service' || name === 'supervisor',
      )) {
        const killed = seen<Killed>(who, `kill-${name}`);
        t.match(killed.command[0], command, 'it was that process');
        t.ok(killed.guests >= 2, 'control: the guest ran, in its leaf');
        t.equal(killed.leaf, `/sys/fs/cgroup/${parent}/${who}-kill-${name}`);
        t.match(killed, { dead: true, processes: 0 }, name);
      }
    });

    test(`gc leaves no group and no folder of killed runs (${who})`, async (t) => {
      t.match(seen(who, 'kill-supervisor'), { stays: true }, 'control: nobody else removes it');
      const gc = seen<Gc>(who, 'gc');
      const { freed, stuck, quarantined } = gc.said;
      t.equal(gc.status, 0);
      t.same([freed, stuck, quarantined], [[`${who}-kill-supervisor`], [], []]);
      t.same([gc.leaves, gc.folders], [[], []]);
      t.same(gc.groups, ['supervisor.group'], 'and nothing else stands in the unit');
    });
  }
}
