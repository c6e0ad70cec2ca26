// Owns the shape of the code: which folder may import which, and where each third-party package lives.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'tap';

const lib = join(import.meta.dirname, '..', 'lib');

const ranks: Readonly<Record<string, number>> = {
  base: 0,
  profile: 1,
  policy: 1,
  image: 1,
  spec: 2,
  firewall: 2,
  engine: 3,
  run: 4,
  service: 4,
  rpc: 5,
  worker: 5,
  fleet: 6,
  sdk: 7,
  cli: 7,
};

const homes: Readonly<Record<string, { readonly home: RegExp; readonly why: string }>> = {
  execa: { home: /^base\/exec\.ts$/, why: 'every child must get an explicit, small environment' },
  yaml: { home: /^base\/yaml(Edit)?\.ts$/, why: 'every fault in a file must have its line and column' },
  ajv: { home: /^spec\/closedSchema\.ts$/, why: 'the OCI schema is closed there' },
  commander: { home: /^cli\//, why: 'arguments are parsed at the edge' },
  tar: {
    home: /^(image\/(extract|archive|transfer)|run\/life\/cpReceive)\.ts$/,
    why: 'what comes out of a tar is judged there',
  },
  tldts: { home: /^policy\/publicSuffix\.ts$/, why: 'one place says what stands for everybody’s names' },
  esbuild: { home: /^cli\/bundle\.ts$/, why: 'it belongs to the build, and is not there in an installed package' },
  zx: { home: /^$/, why: 'zx belongs to scripts and benchmarks, not to the library' },
  'node:child_process': { home: /^$/, why: 'processes are started by base/exec.ts' },
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly line: number;
}

function sources(): string[] {
  return readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
}

function imports(file: string): Import[] {
  const found: Import[] = [];
  const text = readFileSync(join(lib, file), 'utf8');
  for (const match of text.matchAll(/(?:from|import|onDemand<[^>]+>)\s*\(?\s*'([^']+)'/g)) {
    found.push({ file, from: match[1] ?? '', line: text.slice(0, match.index).split('\n').length });
  }
  return found;
}

function folderOf(path: string): string {
  return path.split('/')[0] ?? '';
}

test('a folder imports only folders of a lower rank, and nobody imports cli', (t) => {
  for (const { file, from, line } of sources().flatMap(imports)) {
    if (!from.startsWith('.')) continue;
    const target = relative(lib, join(lib, dirname(file), from));
    const [here, there] = [folderOf(file), folderOf(target)];
    if (here === there) continue;
    const [rank, other] = [ranks[here], ranks[there]];
    t.ok(
      rank !== undefined && other !== undefined && other < rank,
      `lib/${file}:${line} imports ${target}: ${here} (rank ${rank}) may import only lower ranks, ${there} has ${other}. ` +
        'Data flows one way (DESIGN.md, Layout and import ranks): move what is shared down, or pass it in as a value.',
    );
  }
  t.end();
});

test('each third-party package has one home', (t) => {
  for (const { file, from, line } of sources().flatMap(imports)) {
    const name = from.startsWith('node:') ? from : from.split('/')[0];
    const rule = homes[name ?? ''];
    if (rule !== undefined) t.match(file, rule.home, `lib/${file}:${line} imports ${from}: ${rule.why}`);
  }
  t.end();
});

test('the environment, the exit status and the console are touched in cli only', (t) => {
  for (const file of sources().filter((name) => !name.startsWith('cli/'))) {
    // A program inside a string is not ours.
    const text = readFileSync(join(lib, file), 'utf8').replaceAll(/'[^'\n]*'|"[^"\n]*"/g, "''");
    t.notMatch(
      text,
      /(?<![.\w])process\.(env|exit|exitCode|argv|stdout|stderr|stdin)\b|\bconsole\./,
      `lib/${file} takes these as values`,
    );
  }
  t.end();
});

test('every file says on its first line what it owns, and stays below 250 lines', (t) => {
  for (const file of sources()) {
    const lines = readFileSync(join(lib, file), 'utf8').split('\n');
    t.match(lines[0], /^\/\/ Owns /, `lib/${file}: first line`);
    t.ok(lines.length <= 251, `lib/${file} has ${lines.length - 1} lines: split it by stage`);
    t.notMatch(file, /(^|\/)(utils?|helpers?|common|manager|misc)[./]/, `lib/${file}: a name that says nothing`);
  }
  t.end();
});
