// Owns what `sandbox logs` prints: bytes as they were, times, JSON, and that a terminal gets nothing that acts on it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { resolvePaths } from '../../lib/base/paths.ts';
import type { CliContext } from '../../lib/cli/context.ts';
import { logsCommand, parseTime } from '../../lib/cli/logs.ts';
import { logsFolder, type Sandbox, sandboxFolder } from '../../lib/run/life/sandbox.ts';
import { frame } from '../run/life/logFixture.ts';

const id = 's0123456789abcdef';
const digest = `sha256:${'0'.repeat(64)}`;

const sandbox: Sandbox = {
  version: 1,
  id,
  name: 'work',
  labels: {},
  profileName: 'default',
  profileDigest: digest,
  created: '2026-01-01T00:00:00.000Z',
  command: ['true'],
  tty: false,
  interactive: false,
  ttlMs: null,
  idleMs: null,
  network: { mode: 'none', tool: null },
  workspace: { mode: 'scratch', source: null },
  plan: { digest, directory: '/none' },
  cgroups: { version: 1, folders: [] },
  engine: { name: 'crun', path: '/usr/bin/crun', version: '1.8.1' },
  image: { name: 'base-tools', version: '1', digest },
  request: {
    profile: 'default',
    cwd: '/',
    workspace: undefined,
    overrides: { memory: undefined, cpus: undefined, pids: undefined, engine: undefined, env: [], labels: [] },
  },
  run: null,
  starts: 0,
  ports: [],
};

function scene(t: Test, bytes: Buffer) {
  const home = mkdtempSync(join(tmpdir(), 'cofferdam-cli-logs-'));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const paths = resolvePaths({ uid: 1234, env: { HOME: home }, install: home });
  mkdirSync(logsFolder(paths, id), { recursive: true });
  writeFileSync(join(sandboxFolder(paths, id), 'sandbox.json'), JSON.stringify(sandbox));
  writeFileSync(join(logsFolder(paths, id), '0'), bytes);
  return async (words: string[], isTerminal = false) => {
    const written = { stdout: '', stderr: '' };
    const add = (stream: 'stdout' | 'stderr', text: string) => {
      written[stream] += text;
    };
    const terminal: CliContext['terminal'] = {
      out: (text) => add('stdout', text),
      err: (text) => add('stderr', text),
      outColour: false,
      errColour: false,
      outIsTerminal: isTerminal,
      errIsTerminal: isTerminal,
      inIsTerminal: false,
      write: async (stream, chunk) => add(stream, Buffer.from(chunk).toString('latin1')),
    };
    const { signal } = new AbortController();
    const context: CliContext = {
      paths,
      uid: 1234,
      gid: 1234,
      cwd: home,
      env: {},
      terminal,
      version: '0',
      signal,
      exit: () => undefined,
    };
    await logsCommand(context)
      .exitOverride()
      .parseAsync([...words, id], { from: 'user' });
    return written;
  };
}

const hostile = 'a\u001b]0;x\u0007\tb\r\nc\rd\u202e\n';

test('passes bytes on as they were written, each to its stream', async (t) => {
  const run = scene(t, Buffer.concat([frame('o', hostile), frame('e', Buffer.from([0xff, 10])), frame('o', 'x')]));
  const { stdout, stderr } = await run([]);
  t.equal(Buffer.from(stdout, 'latin1').toString(), `${hostile}x`);
  t.equal(stderr, '\u00ff\n');
});

test('escapes for a terminal whatever acts on one, and keeps lines and tabs', async (t) => {
  const [first, second] = [Buffer.from('é\u001b[31m').subarray(0, 1), Buffer.from('é\u001b[31m').subarray(1)];
  const run = scene(t, Buffer.concat([frame('o', hostile), frame('o', first), frame('o', second)]));
  const text = Buffer.from((await run([], true)).stdout, 'latin1').toString();
  t.equal(text, 'a\\x1b]0;x\\x07\tb\nc\\rd\\u{202e}\né\\x1b[31m');
});

test('puts the time before each line, also where a line comes in pieces', async (t) => {
  const log = Buffer.concat([frame('o', 'a\nb', 0), frame('e', 'x\n', 1000), frame('o', 'c\nd', 2000)]);
  const { stdout, stderr } = await scene(t, log)(['--timestamps']);
  t.equal(stdout, '1970-01-01T00:00:00.000Z a\n1970-01-01T00:00:00.000Z bc\n1970-01-01T00:00:02.000Z d');
  t.equal(stderr, '1970-01-01T00:00:01.000Z x\n');
});

test('gives JSON lines whose offset is where to resume', async (t) => {
  const log = Buffer.concat([frame('o', `${hostile}`), frame('e', Buffer.from([0xff])), frame('o', 'last')]);
  const run = scene(t, log);
  const { stdout } = await run(['--json'], true);
  t.notMatch(stdout, /[^\n\x20-\x7e]/);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(lines, [{ stream: 'stdout', text: hostile }, { stream: 'stderr', base64: '/w==' }, { text: 'last' }]);
  const rest = await run(['--json', '--offset', String(lines[1]?.['offset'])]);
  t.match(JSON.parse(rest.stdout), { text: 'last', offset: log.length });
});

test('reads times as people write them', async (t) => {
  t.equal(parseTime('10m', 700_000), 100_000);
  t.equal(parseTime('1700000000', 0), 1_700_000_000_000);
  t.equal(parseTime('2026-01-31T12:00:00Z', 0), Date.UTC(2026, 0, 31, 12));
  t.equal(parseTime('2026-01-31T12:00:00+02:00', 0), Date.UTC(2026, 0, 31, 10));
});

test('refuses what is no time or number', async (t) => {
  for (const text of ['', 'yesterday', '-5m', '2026-13-01', '1h30m'])
    t.throws(() => parseTime(text, 0), { code: 'VALUE_INVALID' }, text);
  const run = scene(t, Buffer.alloc(0));
  await t.rejects(run(['--tail', '-1']), { code: 'VALUE_INVALID' });
  await t.rejects(run(['--offset', 'x']), { code: 'VALUE_INVALID' });
  await t.rejects(run(['--offset', '7']), { code: 'USAGE' });
});
