// Owns dist/bin: what the command lines start, each in one file for all, with the machine's reading of it beside it (docs/decisions/0041).
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

/** What is loaded at its first use by name (lib/base/onDemand.ts) is part of the bundle, and still first run then. */
const packagesOnDemand: Plugin = {
  name: 'packages on demand',
  setup({ onLoad }) {
    onLoad({ filter: /\/dist\/[^/]+\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(/\bonDemand\(('[a-z]+')\)/g, '(() => require($1))'),
      loader: 'js',
    }));
  },
};

async function bundleCode(): Promise<string> {
  const entries = Object.entries(programs).map(([name, module]) => `'${name}': () => require('./cli/${module}.js'),`);
  const { outputFiles } = await build({
    stdin: { contents: `module.exports = {${entries.join('\n')}};`, resolveDir: built, sourcefile: 'programs.js' },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    // The script below has no loader of modules; all there are become functions of it.
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

// V8 compares, of the code, the length only, and of itself version and flags: the digest in the names keeps the two together.
// Without a compiler to machine code (--jitless: where memory that is written is never run) it has other flags, and no WebAssembly.
const renderStart = (name: string, code: string): string => `'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const filename = __dirname + '/${code}.js';
let cachedData;
try {
  cachedData = readFileSync(__dirname + '/${code}' + (typeof WebAssembly === 'undefined' ? '.jitless' : '') + '.cache');
} catch {}
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData });
script.runInThisContext()({}, require, filename, __dirname)['${name}']();
`;

/** As a start, but all commands are loaded, and what V8 made of the code is kept. */
const renderWarmUp = (code: string): string => `'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');
const filename = __dirname + '/${code}.js';
const script = new Script(readFileSync(filename, 'latin1'), { filename });
process.on('exit', () => writeFileSync(process.env.CACHE, script.createCachedData()));
process.argv[2] = '--help';
script.runInThisContext()({}, require, filename, __dirname).sandbox();
`;

async function makeCache(code: string, warmUp: string, options: readonly string[], name: string): Promise<void> {
  const cache = join(work, 'cache');
  await runTool(process.execPath, [...options, warmUp], { env: { HOME: work, CACHE: cache } });
  writeFileAtomic(join(folder, `${code}${name}.cache`), readFileSync(cache), 0o644);
}

const work = mkdtempSync(join(tmpdir(), 'cofferdam-bundle-'));
try {
  const text = await bundleCode();
  const code = `code-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  writeFileAtomic(join(folder, `${code}.js`), text, 0o644);
  const warmUp = join(folder, `${code}.warm-up.cjs`);
  writeFileAtomic(warmUp, renderWarmUp(code), 0o644);
  await makeCache(code, warmUp, [], '');
  await makeCache(code, warmUp, ['--jitless'], '.jitless');
  rmSync(warmUp);
  for (const name of Object.keys(programs))
    writeFileAtomic(join(folder, `${name}.cjs`), renderStart(name, code), 0o644);
  for (const name of readdirSync(folder).filter((found) => found.startsWith('code-') && !found.startsWith(code)))
    rmSync(join(folder, name));
} finally {
  rmSync(work, { recursive: true });
}
