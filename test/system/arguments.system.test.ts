// Owns the proof that a program gets the arguments that the caller wrote, byte for byte, on both ways to a sandbox.
import { declareNeeds } from './needs.ts';
import { type Scene, sandboxFile, testAsBoth, testAsUser } from './scene.ts';

declareNeeds('crun', 'base-tools', 'python-tools');

/** The short way, through the plan index, and the one through Node, which a label forces. */
const ways = [[], ['--label', 'way=node']] as const;
const echo = 'import json, os, sys; print(json.dumps([os.fsencode(word).hex() for word in sys.argv[1:]]))';

function hex(words: readonly string[]): string[] {
  return words.map((word) => Buffer.from(word).toString('hex'));
}

async function roundTrip(
  scene: Scene,
  way: readonly string[],
  words: readonly string[],
): Promise<{ got: unknown; err: string }> {
  const ended = await scene.run(['-p', 'python-tools', ...way, '--', 'python3', '-c', echo, ...words]);
  return { got: ended.status === 0 ? JSON.parse(ended.stdout) : ended.status, err: ended.stderr };
}

const hostile = [
  '',
  ' ',
  'two words',
  'line\nline\n',
  '\n',
  '\ttab\r\n',
  `'single' "double"`,
  '$(touch /tmp/x) `id` ${HOME} $0 $1',
  '\\ \\\\ \\n \\" \\u0041',
  '* ? [a-z] ~ {a,b} !! #',
  '; & | < > && || (',
  '--help',
  '-p',
  '--',
  '--json',
  '-',
  'é ü 漢字 🧪 \u200b\u202e',
  '\u0001\u001b[31m\u007f',
  '%s %n %%',
  '@@ARGV@@ @@RUN_ID@@ 4199999902',
  '&amp; \\& &',
  '$json $argv_json',
];

testAsBoth('every argument arrives as it was written', async (t, scene) => {
  for (const way of ways) {
    const { got, err } = await roundTrip(scene, way, hostile);
    t.strictSame(got, hex(hostile), `${way.join(' ')} ${err}`);
    // Alone, too: whether there is anything to escape decides how it is done.
    for (const word of ['', '--', '\n']) {
      const one = await roundTrip(scene, way, [word]);
      t.strictSame(one.got, hex([word]), `${way.join(' ')} ${JSON.stringify(word)} ${one.err}`);
    }
  }
});

testAsUser('arguments of 100 KB and a thousand arguments arrive whole', async (t, scene) => {
  const large = ['"\n'.repeat(50_000), '漢'.repeat(33_333)];
  const many = Array.from({ length: 1000 }, (_, at) => `${at} "${at}"`);
  for (const way of ways) {
    for (const words of [...large.map((word) => [word]), many]) {
      const { got, err } = await roundTrip(scene, way, words);
      const wanted = hex(words);
      t.ok(
        JSON.stringify(got) === JSON.stringify(wanted),
        `${way.join(' ')} ${words.length} of ${words[0]?.length}: ${err.slice(0, 200)}`,
      );
    }
  }
});

testAsUser('nothing of an argument is run by a shell on the host', async (t, scene) => {
  const planted = `${scene.home}/planted`;
  for (const way of ways) {
    await scene.run([
      '-p',
      'base-tools',
      ...way,
      '--',
      'echo',
      `$(touch ${planted})`,
      `\`touch ${planted}\``,
      `'; touch ${planted}; '`,
      `"; touch ${planted}; "`,
    ]);
  }
  const found = await scene.spawn('/usr/bin/test', ['-e', planted]).ended;
  t.equal(found.status, 1);
});

testAsUser('words after the program are its own, with or without "--"', async (t, scene) => {
  for (const way of ways) {
    const bare = await scene.run(['-p', 'base-tools', ...way, 'echo', '--json', '-p', 'x', '--', '--help']);
    t.match(bare, { status: 0, stdout: '--json -p x -- --help\n' });
    const help = await scene.run(['-p', 'base-tools', ...way, '--', 'ls', '--help']);
    t.match(help.stdout, /^Usage: ls/);
  }
});

testAsUser('refuses arguments that are not valid UTF-8, on both ways with one status', async (t, scene) => {
  const invalid = ['\\377', '\\303', '\\355\\240\\200'];
  for (const way of ways) {
    for (const bytes of invalid) {
      const script = `exec "$0" "$@" "$(printf 'a${bytes}b')"`;
      const ended = await scene.spawn('/bin/sh', [
        '-c',
        script,
        sandboxFile,
        'run',
        '-p',
        'base-tools',
        ...way,
        '--',
        'echo',
      ]).ended;
      t.match(
        ended,
        { status: 2, stdout: '', stderr: /^sandbox: an argument is not valid UTF-8\n/ },
        `${way.join(' ')} ${bytes}`,
      );
    }
  }
});

testAsUser('tells a command that is not found from one that cannot be executed', async (t, scene) => {
  scene.write('commands/plain', '#!/bin/sh\n', 0o644);
  scene.write('commands/lost', '#!/nonexistent/interpreter\n', 0o755);
  scene.write('commands/good', '#!/bin/sh\nexit 44\n', 0o755);
  scene.write('commands/bare', 'exit 45\n', 0o755);
  const cases: readonly (readonly [string, number])[] = [
    ['no-such-command', 127],
    ['/no/such/path', 127],
    ['', 127],
    ['/etc', 126],
    ['/etc/passwd', 126],
    ['/workspace/plain', 126],
    ['/workspace/lost', 127],
    ['/workspace/good', 44],
    // As in any shell: execvp(3) hands what has no interpreter to sh.
    ['/workspace/bare', 45],
  ];
  for (const [command, status] of cases) {
    const ended = await scene.run(['-p', 'base-tools', '--workspace', `${scene.home}/commands:ro`, '--', command]);
    t.equal(ended.status, status, `${command}: ${ended.stderr}`);
  }
});
