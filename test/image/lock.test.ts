import { writeFileSync } from 'node:fs';
import { test } from 'tap';
import { renderRequirements } from '../../lib/image/extras.ts';
import { compareLock, type Lock, lockPath, readLock, renderLock } from '../../lib/image/lock.ts';
import { ownFolder } from './fixtures.ts';

const lock: Lock = {
  format: 1,
  debian: [
    { name: 'bash', version: '5.2-1', arch: 'amd64' },
    { name: 'curl', version: '8.0-1', arch: 'amd64', source: 'curl' },
  ],
  pypi: [{ name: 'x', version: '1.0', file: 'x-1.0-py3-none-any.whl', sha256: 'a'.repeat(64) }],
  npm: [],
};

test('a lock is read back as it was written, one package a line', async (t) => {
  const folder = ownFolder(t);
  t.equal(readLock(folder, 'amd64'), undefined);
  writeFileSync(lockPath(folder, 'amd64'), renderLock(lock));
  t.same(readLock(folder, 'amd64'), lock);
  t.equal(
    renderLock(lock)
      .split('\n')
      .filter((line) => line.includes('"version"')).length,
    3,
  );
  t.not(lockPath(folder, 'arm64'), lockPath(folder, 'amd64'));
});

test('names what differs, both ways', async (t) => {
  t.same(compareLock(lock, lock), []);
  const built = {
    ...lock,
    debian: [
      { name: 'bash', version: '5.2-2', arch: 'amd64' },
      { name: 'jq', version: '1', arch: 'amd64' },
    ],
  };
  t.same(compareLock(lock, built), ['bash:amd64 5.2-1 → 5.2-2', 'curl:amd64 8.0-1 → absent', 'jq:amd64 absent → 1']);
  const other = { ...lock, pypi: [{ ...lock.pypi[0]!, sha256: 'b'.repeat(64) }] };
  t.equal(compareLock(lock, other).length, 1, 'another file of the same version is drift');
});

test('refuses a lock with unknown keys or a hash that is none', async (t) => {
  const folder = ownFolder(t);
  for (const text of [
    '{',
    '{"format":2}',
    renderLock(lock).replace('a'.repeat(64), 'x'),
    renderLock(lock).replace('"npm"', '"nmp"'),
  ]) {
    writeFileSync(lockPath(folder, 'amd64'), text);
    t.throws(() => readLock(folder, 'amd64'), { code: 'CONFIG_INVALID' });
  }
});

test("wheels are asked for in pip's hash-checking mode", async (t) => {
  t.equal(renderRequirements(lock.pypi), `x==1.0 --hash=sha256:${'a'.repeat(64)}\n`);
});
