// Tests the folder in which the bridge and a caller meet: whoever owns the one above, nothing of the bridge's follows a link.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { openCallerFolder } from '../../../lib/service/egress/caller.ts';
import { callerPlaces } from '../../../lib/service/egress/systemPlaces.ts';

const self = process.getuid?.() ?? -1;

function placesOf(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-caller-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const places = callerPlaces(1000, join(folder, 'callers'), join(folder, 'logs'));
  mkdirSync(places.gate, { recursive: true });
  return places;
}

test('the folder is made, emptied of what a killed bridge left, and followed wherever it is moved', async (t) => {
  const places = placesOf(t);
  mkdirSync(join(places.folder, 'old'), { recursive: true });
  const folder = openCallerFolder(places, self);
  t.teardown(() => folder.close());
  t.notOk(existsSync(join(places.folder, 'old')));
  renameSync(places.folder, join(places.gate, 'aside'));
  symlinkSync('/etc', places.folder);
  writeFileSync(join(folder.path, 'made'), '');
  t.ok(existsSync(join(places.gate, 'aside/made')));
  t.ok(existsSync(places.logs));
});

test('refuses a link, a file, a gate that nobody made, and a folder of another', async (t) => {
  const places = placesOf(t);
  const refused = { code: 'HOST_UNPREPARED' };
  const elsewhere = join(places.gate, 'elsewhere');
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, 'kept'), '');
  symlinkSync(elsewhere, places.folder);
  t.throws(() => openCallerFolder(places, self), refused, 'a link');
  rmSync(places.folder);
  writeFileSync(places.folder, '');
  t.throws(() => openCallerFolder(places, self), refused, 'a file');
  rmSync(places.folder);
  mkdirSync(places.folder);
  chmodSync(places.folder, 0o711);
  writeFileSync(join(places.folder, 'kept'), '');
  t.throws(() => openCallerFolder(places, self + 1), { ...refused, message: /it is not ours/ }, "another's");
  t.ok(existsSync(join(places.folder, 'kept')) && existsSync(join(elsewhere, 'kept')), 'nothing of theirs is touched');
  rmSync(places.gate, { recursive: true });
  t.throws(() => openCallerFolder(places, self), refused, 'no gate');
});
