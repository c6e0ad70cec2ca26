// Owns what the supervisor makes before a program starts: places, limits, the id map, the sealed copy; and stale plans.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { setScene } from './supervise-scene.ts';

const remedy = 'as root: sandbox setup; then: sandbox doctor';

test('the run directory is made, the configuration moved in, each limit written and read back', async (t) => {
  const scene = await setScene(t);
  writeFileSync(join(scene.directory, 'config'), '{}\n');
  writeFileSync(join(scene.directory, 'memory'), '');
  const { exitCode, stdout } = await scene.play(
    './run --make --run-dir "$PWD/made" --config "$PWD/config" --limit "m:4096:$PWD/memory" -- /bin/ls -A "$PWD/made"',
  );
  t.equal(exitCode, 0);
  t.equal(stdout, 'config.json\n');
  t.equal(scene.read('memory'), '4096');
  t.notOk(existsSync(join(scene.directory, 'made')), 'and removed with the run');
  t.notOk(existsSync(join(scene.directory, 'config')));
});

const lost: Readonly<Record<string, string>> = {
  'cannot be written': 'm:4096:/proc/none/memory',
  'reads back as something else': 'm:4096:/dev/null',
  'has another value after a longer one': 'm:4096:$PWD/longer',
};

for (const [fault, limit] of Object.entries(lost)) {
  test(`refuses a limit that ${fault}, and takes back what it made`, async (t) => {
    const scene = await setScene(t);
    writeFileSync(join(scene.directory, 'longer'), '123456');
    writeFileSync(join(scene.directory, 'slot'), '');
    const made = '--make --run-dir "$PWD/made" --slot "$PWD/slot" --record "$PWD/record" --record-head h';
    const { exitCode, stderr } = await scene.play(`./run ${made} --limit "${limit}" -- /bin/touch started`);
    t.equal(exitCode, 125);
    t.match(stderr, / could not be applied\n {2}as root: sandbox setup/);
    t.strictSame(readdirSync(scene.directory).sort(), ['longer', 'run'], 'no directory, slot, record or program');
  });
}

test('a refusal reaches the process that waits for the result with its code', async (t) => {
  const scene = await setScene(t);
  const words = '--make --run-dir "$PWD/made" --result-fd 7 --limit m:1:/dev/null -- /bin/touch started';
  const { exitCode, stderr } = await scene.play(`./run ${words} 7>result`);
  t.equal(exitCode, 125);
  t.equal(stderr, '');
  t.equal(scene.read('result'), `fail\tLIMIT_UNENFORCEABLE\tthe limit null = 1 could not be applied\t${remedy}\n`);
});

test('a best effort says and records which limits do not hold', async (t) => {
  const scene = await setScene(t);
  const limits = '--best-effort --limit m:1:/dev/null --limit n:1:/dev/null --limit m:2:/dev/null';
  const { exitCode, stderr } = await scene.play(
    `./run --make --run-dir "$PWD/made" ${limits} --record "$PWD/record" --record-head h -- /bin/true`,
  );
  t.equal(exitCode, 0);
  t.match(stderr, /the limit null = 1 is not applied \(limits\.enforce: best-effort\)/);
  t.match(scene.read('record'), / mn\n$/);
});

test('a run directory that exists is refused, and left as it is', async (t) => {
  const scene = await setScene(t);
  mkdirSync(join(scene.directory, 'made'));
  writeFileSync(join(scene.directory, 'made', 'theirs'), '');
  const { exitCode } = await scene.play('./run --make --run-dir "$PWD/made" -- /bin/touch started');
  t.equal(exitCode, 125);
  t.strictSame(readdirSync(join(scene.directory, 'made')), ['theirs']);
  t.equal(scene.read('started'), undefined);
});

test('the program is executed from a copy that nobody can change', async (t) => {
  const scene = await setScene(t);
  const { stdout } = await scene.play(
    `./run --seal -- /usr/bin/python3 -c 'import fcntl, os; f = os.open("/proc/self/exe", os.O_RDONLY); print(fcntl.fcntl(f, 1034))'`,
  );
  t.equal(stdout, '15\n', 'F_SEAL_SEAL, SHRINK, GROW and WRITE (fcntl(2), F_GET_SEALS)');
  const open = await scene.play(
    `./run -- /usr/bin/python3 -c 'import fcntl, os; fcntl.fcntl(os.open("/proc/self/exe", os.O_RDONLY), 1034)'`,
  );
  t.equal(open.exitCode, 1, 'the file itself has no seals to be read');
});

test('refuses to start when an id cannot be mapped, and takes back what it made', async (t) => {
  const scene = await setScene(t);
  const map = '--map-uids "0 0 1" --map-gids "0 0 1" --newuidmap /bin/true --newgidmap /bin/false';
  const { exitCode, stderr } = await scene.play(`./run --make --run-dir "$PWD/made" ${map} -- /bin/touch started`);
  t.equal(exitCode, 125);
  t.match(stderr, /could not map the sandbox's ids\n {2}as root: sandbox setup --user NAME/);
  t.strictSame(readdirSync(scene.directory), ['run']);
});

test('the program gets the mapped user namespace as descriptor 4, and the tools get its holder and the map', async (t) => {
  const scene = await setScene(t);
  writeFileSync(join(scene.directory, 'tool'), '#!/bin/sh\necho "$@" >"${0%/*}/words.$2"\n', { mode: 0o755 });
  const tools = '--newuidmap "$PWD/tool" --newgidmap "$PWD/tool"';
  const { stdout } = await scene.play(
    `./run --map-uids "0 11 1" --map-gids "1 22 1 5 33 1" ${tools} -- /bin/sh -c 'readlink /proc/self/fd/4; readlink /proc/self/ns/user; ls /proc/$$/fd'`,
  );
  const [given = '', own, ...descriptors] = stdout.trim().split('\n');
  t.match(given, /^user:\[[0-9]+\]$/);
  t.not(given, own);
  t.notOk(descriptors.includes('3'), 'nothing else is handed over');
  t.match(scene.read('words.0'), /^[0-9]+ 0 11 1\n$/);
  t.match(scene.read('words.1'), /^[0-9]+ 1 22 1 5 33 1\n$/);
});

const plan = 'a'.repeat(64);

async function inputLine(path: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true });
  const seconds = async (format: string) => (await runTool('stat', ['-L', '-c', format, path])).stdout.trim();
  // stat(1) is the second opinion on how times are written.
  const [mtime, ctime] = [await seconds('%.9Y'), await seconds('%.9Z')];
  if (!mtime.endsWith(String(mtimeNs % 1_000_000_000n).padStart(9, '0')) || ctimeNs === 0n) throw new Error(mtime);
  return `#input ${size} ${mtime} ${ctime} ${ino} ${path}`;
}

async function setPlan(t: Parameters<typeof setScene>[0], change: (directory: string, line: string) => string) {
  const scene = await setScene(t);
  const input = join(scene.directory, 'an input');
  writeFileSync(input, 'text');
  writeFileSync(join(scene.directory, 'slot'), '');
  writeFileSync(join(scene.directory, 'config'), '');
  writeFileSync(join(scene.directory, 'again'), '#!/bin/sh\nprintf "again:%s;" "$@"\n', { mode: 0o755 });
  const line = await inputLine(input);
  const text = change(scene.directory, line);
  if (text !== '') writeFileSync(join(scene.directory, 'entry'), `plan_folder=/x\n${text}`);
  const ran = await scene.play(
    `./run --make --run-dir "$PWD/made" --config "$PWD/config" --slot "$PWD/slot" --inputs "$PWD/entry" --plan ${plan} --otherwise 4 -- /bin/echo program otherwise "$PWD/again" 'a b' ''`,
  );
  return { ...ran, left: readdirSync(scene.directory).sort() };
}

test('a plan whose inputs are unchanged is executed, without the words for the other case', async (t) => {
  const { stdout, left } = await setPlan(t, (_, line) => `#plan ${plan}\n${line}\n`);
  t.equal(stdout, 'program\n');
  t.strictSame(left, ['again', 'an input', 'entry', 'run']);
});

const stale: Readonly<Record<string, (directory: string, line: string) => string>> = {
  'an input was written': (directory, line) => {
    writeFileSync(join(directory, 'an input'), 'texT');
    return `#plan ${plan}\n${line}\n`;
  },
  'an input is gone': (_, line) => `#plan ${plan}\n${line} (gone)\n`,
  'the entry is of another plan': (_, line) => `#plan ${'b'.repeat(64)}\n${line}\n`,
  'the entry names no input': () => `#plan ${plan}\n`,
  'the entry names no plan': (_, line) => `${line}\n`,
  'the entry is cut': (_, line) => `#plan ${plan}\n${line}`,
  'a line is malformed': () => `#plan ${plan}\n#input 4\n`,
  'the entry is gone': () => '',
};

for (const [what, change] of Object.entries(stale)) {
  test(`when ${what}, nothing is left and the other command is executed with its words`, async (t) => {
    const { stdout, left } = await setPlan(t, change);
    t.equal(stdout, 'again:a b;again:;');
    t.strictSame(left, ['again', 'an input', 'run'], 'no entry, so it cannot go round');
  });
}
