// Owns dist/bin: what the command lines start, in one file for all, with V8's bytecode beside it (docs/decisions/0041).
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { runTool } from '../base/exec.ts';
import { writeFileAtomic } from '../base/files.ts';

const built = dirname(import.meta.dirname);
const folder = join(built, 'bin');

/** What can be started: the name of its file in dist/bin, and its module in dist/cli. */
const programs: Readonly<Record<string, string>> = {
  sandbox: 'main',
  firewall: 'firewall',
  collect: 'collect',
  sweep: 'sweep',
  egress: 'egress',
  'egress-service': 'egress-service',
};
const warmUp = 'warm-up';

/** Large, and not for every command: each has a file of its own, read when it is first asked for. */
const packages = ['execa', 'tar', 'tldts', 'yaml', 'zod'];

/** What is asked for by name at its first use (lib/base/onDemand.ts) is asked for in the words of a script. */
const packagesOnDemand: Plugin = {
  name: 'packages on demand',
  setup({ onLoad }) {
    onLoad({ filter: /\/dist\/[^/]+\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(/\bonDemand\(('[a-z]+')\)/g, '(() => require($1))'),
      loader: 'js',
    }));
  },
};

/** One script of all that `contents` requires: a function that gives what `contents` exports. */
async function bundleCode(contents: string, external: string[]): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: built, sourcefile: 'contents.js' },
    bundle: true,
    external,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    // A script has no loader of modules; all there are become functions of it.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
    plugins: [packagesOnDemand],
    // Names stay for traces; lines stay short because Node prints the one where an error was thrown.
    minifyWhitespace: true,
    lineLimit: 160,
    legalComments: 'none',
    // Modules are strict code; of the packages that are not modules, all say so of themselves or could.
    banner: { js: '(function (module, require, __filename, __dirname) {"use strict";' },
    footer: { js: 'return module.exports;})' },
    logLevel: 'warning',
  });
  const [{ text } = { text: '' }] = outputFiles;
  // Read as ASCII, which needs no decoding. esbuild escapes all but what stands in a regular expression.
  return text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Writes one script; gives its name without ending, which says what it holds. */
async function writeCode(kind: string, contents: string, external: string[]): Promise<string> {
  const text = await bundleCode(contents, external);
  const code = `${kind}-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  writeFileAtomic(join(folder, `${code}.js`), text, 0o644);
  return code;
}

// V8 compares, of the code, the length only, and of itself version and flags: the digest in the names keeps the two together.
// Without a compiler to machine code (--jitless: where memory that is written is never run) it has other flags, and no WebAssembly.
const renderStart = (program: string, code: string, codes: Readonly<Record<string, string>>): string => `'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const codes = ${JSON.stringify(codes)};
const loaded = {};
const ending = typeof WebAssembly === 'undefined' ? '.jitless.cache' : '.cache';
function load(code) {
  const filename = __dirname + '/' + code + '.js';
  let cachedData;
  try {
    cachedData = readFileSync(__dirname + '/' + code + ending);
  } catch {}
  const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
  globalThis.keepBytecode?.(code + ending, script);
  return script.runInThisContext()({}, find, filename, __dirname);
}
function find(name) {
  return codes[name] === undefined ? require(name) : (loaded[name] ??= load(codes[name]));
}
load('${code}')['${program}']();
`;

const keepBytecode = `const { writeFileSync } = require('node:fs');
globalThis.keepBytecode = (name, script) =>
  process.on('exit', () => writeFileSync(process.env.CACHES + '/' + name, script.createCachedData()));
`;

const work = mkdtempSync(join(tmpdir(), 'cofferdam-bundle-'));
try {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const before = readdirSync(folder);
  const codes: Record<string, string> = {};
  for (const name of packages) codes[name] = await writeCode(name, `module.exports = require('${name}');`, []);
  const entries = Object.entries({ ...programs, [warmUp]: warmUp });
  const modules = entries.map(([name, module]) => `'${name}': () => require('./cli/${module}.js'),`);
  const code = await writeCode('code', `module.exports = {${modules.join('\n')}};`, packages);

  const warm = join(folder, `${warmUp}.cjs`);
  writeFileAtomic(warm, keepBytecode + renderStart(warmUp, code, codes), 0o644);
  for (const options of [[], ['--jitless']])
    await runTool(process.execPath, [...options, warm], { env: { HOME: work, CACHES: work } });
  rmSync(warm);
  const caches = readdirSync(work).filter((name) => name.endsWith('.cache'));
  for (const name of caches) writeFileAtomic(join(folder, name), readFileSync(join(work, name)), 0o644);

  const starts = Object.keys(programs).map((name) => `${name}.cjs`);
  for (const name of Object.keys(programs))
    writeFileAtomic(join(folder, `${name}.cjs`), renderStart(name, code, codes), 0o644);
  const now = [...starts, ...caches, ...[code, ...Object.values(codes)].map((name) => `${name}.js`)];
  for (const name of before.filter((old) => !now.includes(old))) rmSync(join(folder, name), { recursive: true });
} finally {
  rmSync(work, { recursive: true });
}
