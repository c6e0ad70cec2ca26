// Owns the promises of locks between processes: one at a time, waited for, private, and free when their holder lets go or dies.
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { isUnlocked, takeFileLock, takeFolderLock, takeSharedLock } from '../../lib/base/lock.ts';

function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-lock-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a lock is exclusive, is waited for, and is free again', async (t) => {
  const file = join(makeFolder(t), 'lock');
  const held = await takeFileLock(file);
  t.equal(isUnlocked(file), false);
  await t.rejects(takeFileLock(file, 200), { code: 'TOOL_FAILED' }, 'not within its patience');
  const order: string[] = [];
  const second = takeFileLock(file).then((lock) => {
    order.push('second');
    return lock;
  });
  order.push('first');
  held.release();
  held.release();
  (await second).release();
  t.same(order, ['first', 'second']);
  t.equal(isUnlocked(file), true);
});

test('a shared lock keeps out exclusive ones alone', async (t) => {
  const file = join(makeFolder(t), 'lock');
  const [one, other] = [await takeSharedLock(file), await takeSharedLock(file)];
  await t.rejects(takeFileLock(file, 200), { code: 'TOOL_FAILED' });
  one.release();
  t.equal(isUnlocked(file), false);
  other.release();
  t.equal(isUnlocked(file), true);
});

test('a lock is private to its owner: others could hold it otherwise', async (t) => {
  const folder = makeFolder(t);
  const file = join(folder, 'lock');
  writeFileSync(file, '');
  chmodSync(file, 0o666);
  (await takeSharedLock(file)).release();
  t.equal(statSync(file).mode & 0o777, 0o600);
  chmodSync(folder, 0o755);
  (await takeFolderLock(folder)).release();
  t.equal(statSync(folder).mode & 0o777, 0o755, 'a folder stays as it is');
});

test('refuses a lock in a folder that is not there, and one behind a link', async (t) => {
  const folder = makeFolder(t);
  await t.rejects(takeSharedLock(join(folder, 'absent/lock')), { code: 'TOOL_FAILED' });
  writeFileSync(join(folder, 'theirs'), '', { mode: 0o644 });
  symlinkSync('theirs', join(folder, 'lock'));
  await t.rejects(takeFileLock(join(folder, 'lock')), { code: 'TOOL_FAILED' });
  t.equal(statSync(join(folder, 'theirs')).mode & 0o777, 0o644);
});
