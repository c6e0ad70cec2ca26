import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { countSlots, type HostIds, idArithmetic, mapIds, type ProgramIds, slotIds } from '../../lib/spec/uidmap.ts';

const user: HostIds = {
  callerUid: 1000,
  callerGid: 1001,
  subuids: { start: 100_000, count: 65_536 },
  subgids: { start: 200_000, count: 65_536 },
};
const root: HostIds = { ...user, callerUid: 0, callerGid: 0 };
const inside = { uid: 65_532, gid: 65_532 };
const slot: ProgramIds = { kind: 'slot' };

test('no two slots share a host id', (t) => {
  const seen = new Set<number>();
  for (let n = 0; n < countSlots(user); n++) {
    const { rootUid, programUid } = slotIds(user, n);
    t.notOk(seen.has(rootUid) || seen.has(programUid), `slot ${n}`);
    seen.add(rootUid).add(programUid);
  }
  t.equal(Math.max(...seen), 165_533, 'and none lies outside the range, whose last id is for copies');
  t.end();
});

test('refuses a slot outside the range', (t) => {
  for (const bad of [-1, 32_767, 1.5, Number.NaN]) t.throws(() => slotIds(user, bad), RangeError);
  t.end();
});

test('host uid 0 is in no map', (t) => {
  const all = [user, root].flatMap((ids) => {
    const { uidMappings, gidMappings } = mapIds(ids, inside, slotIds(ids, 7), slot);
    return [...uidMappings, ...gidMappings].map((mapping) => mapping.hostID);
  });
  t.notOk(all.includes(0));
  t.throws(() => mapIds(root, inside, slotIds(root, 7), { kind: 'owner', uid: 0, gid: 5 }), RangeError);
  t.end();
});

test('a host id is mapped once, also where the program is the caller', (t) => {
  const { uidMappings } = mapIds(user, inside, slotIds(user, 3), { kind: 'owner', uid: 1000, gid: 1001 });
  t.same(uidMappings, [
    { containerID: 0, hostID: 100_006, size: 1 },
    { containerID: 65_532, hostID: 1000, size: 1 },
  ]);
  t.end();
});

test('the launch script computes what mapIds says', (t) => {
  const programs: ProgramIds[] = [
    slot,
    { kind: 'owner', uid: 1000, gid: 1001 },
    { kind: 'owner', uid: 4242, gid: 4243 },
  ];
  for (const ids of [user, root]) {
    for (const program of programs) {
      for (const n of [0, 1, 17, 32_766]) {
        const script = [
          `slot=${n} uid_base=${ids.subuids.start} gid_base=${ids.subgids.start}`,
          `caller_uid=${ids.callerUid} caller_gid=${ids.callerGid}`,
          idArithmetic(ids, program),
          'echo "$root_uid $program_uid $root_gid $program_gid"',
        ].join('\n');
        const map = mapIds(ids, inside, slotIds(ids, n), program);
        const wanted = [...map.uidMappings, ...map.gidMappings].map((mapping) => mapping.hostID).join(' ');
        t.equal(runToolSync('/bin/sh', ['-c', script]).stdout.trim(), wanted, `${ids.callerUid} ${program.kind} ${n}`);
      }
    }
  }
  t.end();
});
