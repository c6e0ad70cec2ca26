// Owns the proof that a reader never sees half a file, that a full disk leaves nothing, and that reading is bounded.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { diskError, ensureDirectory, listIfPresent, readTextIfPresent, writeFileAtomic } from '../../lib/base/files.ts';

function makeFolder(t: Test): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-files-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a file is written whole, with its mode, and nothing beside it', async (t) => {
  const folder = makeFolder(t);
  const file = join(folder, 'new/deep/file');
  writeFileAtomic(file, 'one');
  writeFileAtomic(file, new Uint8Array([0xff, 0x00]), 0o644);
  t.same([...readFileSync(file)], [0xff, 0x00]);
  t.equal(statSync(file).mode & 0o777 & ~0o022, 0o644);
  t.same(readdirSync(join(folder, 'new/deep')), ['file']);
  t.equal(statSync(join(folder, 'new')).mode & 0o777, 0o700, 'folders are ours alone');
});

test('a link in the place of the file is replaced, not followed', async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'victim'), 'untouched');
  symlinkSync('victim', join(folder, 'file'));
  writeFileAtomic(join(folder, 'file'), 'new');
  t.equal(readFileSync(join(folder, 'victim'), 'utf8'), 'untouched');
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new');
});

test('a write that fails leaves the old file and nothing beside it', async (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, 'file'));
  writeFileSync(join(folder, 'file/inside'), 'old');
  t.throws(() => writeFileAtomic(join(folder, 'file'), 'new'), { code: 'TOOL_FAILED', message: /cannot write .*file/ });
  t.same(readdirSync(folder), ['file']);
  writeFileSync(join(folder, 'plain'), '');
  t.throws(() => ensureDirectory(join(folder, 'plain/below')), { code: 'TOOL_FAILED' });
});

test('a full disk is said to be one, and the old file is whole', async (t) => {
  const folder = makeFolder(t);
  // A tmpfs of 64 KiB in a mount namespace of its own: it goes with the process.
  const script = `
    import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
    import { writeFileAtomic } from ${JSON.stringify(join(import.meta.dirname, '../../lib/base/files.ts'))};
    const folder = ${JSON.stringify(folder)};
    writeFileAtomic(folder + '/file', 'old');
    const errors = [];
    try { writeFileAtomic(folder + '/file', 'x'.repeat(1 << 20)); } catch (error) { errors.push(error.code); }
    try { writeFileAtomic(folder + '/other', 'x'.repeat(1 << 20)); } catch (error) { errors.push(error.code); }
    console.log(JSON.stringify({ errors, names: readdirSync(folder), old: readFileSync(folder + '/file', 'utf8') }));`;
  const mount = 'mount -t tmpfs -o size=64k,mode=0700 cofferdam-test "$1" && exec "$2" --input-type=module -e "$3"';
  const { stdout } = runToolSync('unshare', ['-r', '-m', 'sh', '-c', mount, 'sh', folder, process.execPath, script]);
  t.same(JSON.parse(stdout), { errors: ['DISK_FULL', 'DISK_FULL'], names: ['file'], old: 'old' });
  t.same(readdirSync(folder), [], 'nothing of it reached the host');
  t.equal(diskError(Object.assign(new Error(''), { code: 'EDQUOT' }), 'x').code, 'DISK_FULL', 'a quota is one too');
});

test('reading takes a plain file of the right size, or says why not', async (t) => {
  const folder = makeFolder(t);
  const file = join(folder, 'file');
  const read = (most?: number) => readTextIfPresent(file, most);
  t.equal(read(), undefined, 'none is no error');
  writeFileSync(file, '\ufeffgrüße\n');
  t.equal(read(), 'grüße\n', 'a byte order mark is dropped');
  t.equal(readTextIfPresent(join(file, 'below')), undefined, 'nor is one below a file');
  writeFileSync(file, 'x'.repeat(10));
  t.equal(read(10), 'x'.repeat(10));
  t.throws(() => read(9), { code: 'CONFIG_UNREADABLE', message: /larger than 9 bytes/ });
  writeFileSync(file, Buffer.from([0x61, 0xff]));
  t.throws(read, { code: 'CONFIG_UNREADABLE', message: /not valid UTF-8/ });
  writeFileSync(file, Buffer.from([0xed, 0xa0, 0x80]));
  t.throws(read, { code: 'CONFIG_UNREADABLE' }, 'a surrogate in UTF-8');
});

test('refuses to read folders, fifos, devices and endless files, without waiting', async (t) => {
  const folder = makeFolder(t);
  runToolSync('mkfifo', [join(folder, 'fifo')]);
  symlinkSync('loop', join(folder, 'loop'));
  for (const file of [folder, join(folder, 'fifo'), '/dev/zero', '/dev/null', join(folder, 'loop')]) {
    t.throws(() => readTextIfPresent(file), { code: 'CONFIG_UNREADABLE' }, file);
  }
  t.match(readTextIfPresent('/proc/self/status'), /^Name:/, 'a file that says it has no bytes is read all the same');
});

test('refuses a file whose owner or mode is not trusted, before it is read', async (t) => {
  const file = join(makeFolder(t), 'file');
  writeFileSync(file, Buffer.from([0xff]));
  chmodSync(file, 0o640);
  let seen: unknown;
  const distrust = (owner: unknown) => {
    seen = owner;
    return 'not today';
  };
  t.throws(() => readTextIfPresent(file, 10, distrust), { code: 'CONFIG_UNREADABLE', message: /not today/ });
  t.same(seen, { uid: process.getuid?.(), mode: 0o640 });
});

test('a folder that is missing has no names; refuses what is no folder', async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'file'), '');
  t.same(listIfPresent(folder), ['file']);
  t.same(listIfPresent(join(folder, 'none')), []);
  t.throws(() => listIfPresent(join(folder, 'file')), { code: 'ENOTDIR' });
});
