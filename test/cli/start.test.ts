// Owns the promise that a start is the same with a cache of the machine's or without, wherever it stands and whoever starts it.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { Script } from 'node:vm';
import { type Test, test } from 'tap';
import { runTool, systemPath } from '../../lib/base/exec.ts';

const install = resolve(import.meta.dirname, '../..');
const nobody = 65534;
const PATH = `${dirname(process.execPath)}:${systemPath}`;

/** A package that was built, without all that a start does not need: no lib, no modules of dist, no node_modules. */
function installedCopy(t: Test): { root: string; bin: string; caches: string[] } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-start-')));
  t.teardown(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  const root = join(folder, 'package');
  mkdirSync(root, { mode: 0o755 });
  for (const part of ['bin', 'dist/bin', 'profiles', 'package.json'])
    cpSync(join(install, part), join(root, part), { recursive: true });
  const bin = join(root, 'dist/bin');
  const caches = readdirSync(bin).filter((name) => name.endsWith('.cache'));
  return { root, bin, caches: caches.map((name) => join(bin, name)) };
}

// YAML, schemas and what is loaded on demand: more than help needs. By env(1), because tap adds itself to every child.
async function say(file: string, uid = process.getuid?.() ?? nobody): Promise<string> {
  const words = ['-i', `PATH=${PATH}`, 'HOME=/nonexistent', file, 'profile', 'show', 'python-tools'];
  const { stdout, stderr } = await runTool('/usr/bin/env', words, { uid, gid: uid, cwd: '/' });
  return stdout + stderr;
}

/** What V8 says of `cache` where it may compile nothing to machine code. */
async function rejectedWithoutJit(filename: string, cache: string): Promise<string> {
  const program = `const { readFileSync } = require('node:fs'), [, filename, cache] = process.argv;
    const text = readFileSync(filename, 'latin1'), cachedData = readFileSync(cache);
    process.stdout.write(String(new (require('node:vm').Script)(text, { filename, cachedData }).cachedDataRejected));`;
  const words = ['-i', process.execPath, '--jitless', '-e', program, filename, cache];
  return (await runTool('/usr/bin/env', words)).stdout;
}

test('all code is named by what it holds, and V8 takes the caches that have its name', async (t) => {
  const folder = join(install, 'dist/bin');
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  t.ok(files.length > 4, 'the packages have files of their own');
  for (const file of files) {
    const filename = join(folder, file);
    const text = readFileSync(filename, 'latin1');
    const name = basename(file, '.js');
    const cache = join(folder, `${name}.cache`);
    t.equal(name.replace(/^[a-z]+-/, ''), createHash('sha256').update(text).digest('hex').slice(0, 32), file);
    t.equal(new Script(text, { filename, cachedData: readFileSync(cache) }).cachedDataRejected, false, file);
    t.notMatch(text, /[^\0-\x7f]/, 'read byte by byte');
    if (!file.startsWith('code-')) continue;
    t.equal(await rejectedWithoutJit(filename, join(folder, `${name}.jitless.cache`)), 'false');
    t.equal(await rejectedWithoutJit(filename, cache), 'true', 'why there are two');
  }
});

test('a cache that is missing, cut or not one changes nothing, and none is written', async (t) => {
  const { root, bin, caches } = installedCopy(t);
  const sandbox = join(root, 'bin/sandbox');
  const whole = await say(sandbox);
  t.match(whole, /python-tools/);
  for (const cache of caches) truncateSync(cache, 100_000);
  t.equal(await say(sandbox), whole, 'cut');
  for (const cache of caches) writeFileSync(cache, 'not a cache');
  t.equal(await say(sandbox), whole, 'something else');
  for (const cache of caches) rmSync(cache);
  t.equal(await say(sandbox), whole, 'none');
  t.strictSame(
    readdirSync(bin).filter((name) => name.endsWith('.cache')),
    [],
  );
});

test('anybody starts it, through a link, from where nobody may write', async (t) => {
  const { root, bin } = installedCopy(t);
  const link = join(dirname(root), 'link');
  symlinkSync(join(root, 'bin/sandbox'), link);
  const before = await say(join(root, 'bin/sandbox'));
  chmodSync(bin, 0o555);
  const names = readdirSync(bin);
  t.equal(await say(link), before);
  t.equal(await say(link, nobody), before);
  t.strictSame(readdirSync(bin), names);
});
