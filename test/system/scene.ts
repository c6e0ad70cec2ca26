// Owns the stage of system tests: bin/sandbox run for real, by root and by a plain user, and what must be gone afterwards.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import tap, { type Test } from 'tap';
import { systemPath } from '../../lib/base/exec.ts';
import { type Paths, resolvePaths } from '../../lib/base/paths.ts';
import { type CommandLine, makeCommandLine } from './commandLine.ts';
import { findTraces } from './traces.ts';

export const install = resolve(import.meta.dirname, '../..');
export const sandboxFile = join(install, 'bin/sandbox');

/** A descriptor of ours, bytes, nothing at all (an empty pipe), or a pipe that stays open and can be written to. */
export type Input = number | Uint8Array | 'empty' | 'open';

export interface Options {
  readonly input?: Input;
  /** Descriptors instead of captured pipes. */
  readonly stdout?: number;
  readonly stderr?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: Buffer;
  readonly err: Buffer;
  /** The same as text. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What has come so far. */
  out(): Buffer;
  err(): Buffer;
  readonly ended: Promise<Ended>;
}

export interface Scene {
  readonly caller: 'root' | 'plain user';
  readonly uid: number;
  readonly gid: number;
  /** An empty folder of the caller's, 0711; HOME, for the plain user. Everything below it goes at the end of the file. */
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly paths: Paths;
  /** Writes a file of the caller's below home; gives its path. */
  write(name: string, content: string | Uint8Array, mode?: number): string;
  /** Starts any program as the caller. */
  spawn(file: string, args: readonly string[], options?: Options): Started;
  /** bin/sandbox to its end. */
  sandbox(args: readonly string[], options?: Options): Promise<Ended>;
  /** The same by a command line that stays: for what is not itself proven. */
  call(args: readonly string[]): Promise<Ended>;
  /** `bin/sandbox run --id ID ARGS` to its end; fails when anything of the run is left. */
  run(args: readonly string[], options?: Options): Promise<Ended>;
  /** The same with --json, read; without options by the command line that stays. */
  runJson(args: readonly string[], options?: Options): Promise<Ended & { readonly result: JsonResult }>;
  /** What is left of a run: files, cgroups, mounts, processes. */
  traces(id: string): string[];
}

/** The result object as a reader of the documentation would write it down. */
export interface JsonResult {
  readonly id: string | null;
  readonly status: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: { readonly stdout: boolean; readonly stderr: boolean };
  readonly limits: { readonly pidsHit: boolean; readonly lacking: readonly string[] };
  readonly artifacts: readonly { path: string; bytes: number; sha256: string; type: string }[];
  readonly artifactsRefused: readonly { path: string; why: string }[];
  readonly workspace: { readonly copy: boolean; readonly setAside: readonly { path: string; kept: string }[] };
  readonly error?: { readonly code: string; readonly message: string; readonly details: readonly string[] };
}

export function newId(): string {
  return `sys-${process.pid}-${randomBytes(6).toString('hex')}`;
}

function findUser(): { name: string; uid: number; gid: number } {
  if (process.getuid?.() !== 0)
    throw new Error('the system tests run every case as root and as a plain user: start them as root');
  const name = process.env['COFFERDAM_TEST_USER'] ?? 'cofferdam-test';
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) {
    throw new Error(`there is no user ${name}: useradd --create-home ${name} && bin/sandbox setup --user ${name}`);
  }
  const [, , uid, gid] = line.split(':');
  return { name, uid: Number(uid), gid: Number(gid) };
}

function startChild(
  file: string,
  args: readonly string[],
  who: { uid: number; gid: number },
  options: Options & { env: Readonly<Record<string, string>> },
): Started {
  const { input = 'empty', stdout = 'pipe', stderr = 'pipe' } = options;
  // By env(1), because tap adds variables of its own to every child, and its hook then writes to the stderr of our Node.
  const named = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const child = spawn('/usr/bin/env', ['-i', ...named, file, ...args], {
    ...who,
    cwd: options.cwd ?? '/',
    env: {},
    stdio: [typeof input === 'number' ? input : 'pipe', stdout, stderr],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  // The program may end before it has read all.
  child.stdin?.on('error', () => undefined);
  if (input === 'empty') child.stdin?.end();
  else if (input instanceof Uint8Array) child.stdin?.end(input);
  const ended = new Promise<Ended>((done, fail) => {
    child.on('error', fail);
    child.on('close', (status, signal) => {
      const [o, e] = [Buffer.concat(out), Buffer.concat(err)];
      done({ status, signal, out: o, err: e, stdout: o.toString(), stderr: e.toString() });
    });
  });
  return { child, pid: child.pid ?? -1, out: () => Buffer.concat(out), err: () => Buffer.concat(err), ended };
}

function makeScene(caller: Scene['caller'], who: { uid: number; gid: number }): Scene & Pick<CommandLine, 'close'> {
  const home = mkdtempSync(join(tmpdir(), 'cofferdam-system-'));
  // A sandbox of root's must be able to pass it to a workspace below.
  chmodSync(home, 0o711);
  chownSync(home, who.uid, who.gid);
  const env = { PATH: systemPath, HOME: home, LANG: 'C.UTF-8' };
  const paths = resolvePaths({ uid: who.uid, env, install });
  const start: Scene['spawn'] = (file, args, options = {}) =>
    startChild(file, args, who, { cwd: home, ...options, env: { ...env, ...options.env } });
  const sandbox: Scene['sandbox'] = (args, options) => start(sandboxFile, args, options).ended;
  const traces = (id: string) => findTraces(paths, who.uid, id);
  const line = makeCommandLine(install, ([file, ...words]) => start(file, words, { input: 'open' }).child);
  const runBy = async (call: Scene['call'], args: readonly string[]) => {
    const id = newId();
    const ended = await call(['run', '--id', id, ...args]);
    const left = traces(id);
    if (left.length > 0) throw new Error(`the run left: ${left.join(', ')}\n${ended.stderr}`);
    return ended;
  };
  const run: Scene['run'] = (args, options) => runBy((words) => sandbox(words, options), args);
  const write: Scene['write'] = (name, content, mode = 0o644) => {
    const file = join(home, name);
    const made = mkdirSync(dirname(file), { recursive: true });
    for (let folder = dirname(file); made !== undefined && folder.length >= made.length; folder = dirname(folder))
      chownSync(folder, who.uid, who.gid);
    writeFileSync(file, content);
    chmodSync(file, mode);
    chownSync(file, who.uid, who.gid);
    return file;
  };
  return {
    caller,
    ...who,
    home,
    env,
    paths,
    write,
    spawn: start,
    sandbox,
    call: line.call,
    close: line.close,
    run,
    traces,
    runJson: async (args, options) => {
      const call = options === undefined ? line.call : (words: readonly string[]) => sandbox(words, options);
      const ended = await runBy(call, ['--json', ...args]);
      return { ...ended, result: JSON.parse(ended.stdout) as JsonResult };
    },
  };
}

const scenes = new Map<string, ReturnType<typeof makeScene>>();

/** The scene of root or of the plain user; one of each per test file. */
export function sceneOf(caller: Scene['caller']): Scene {
  let scene = scenes.get(caller);
  if (scene === undefined) {
    scene = makeScene(caller, caller === 'root' ? { uid: 0, gid: 0 } : findUser());
    const { home, close } = scene;
    tap.teardown(async () => {
      await close();
      rmSync(home, { recursive: true, force: true });
    });
    scenes.set(caller, scene);
  }
  return scene;
}

/** Declares a test twice: as root and as a plain user. */
export function testAsBoth(title: string, body: (t: Test, scene: Scene) => Promise<void>): void {
  for (const caller of ['root', 'plain user'] as const) {
    tap.test(`${title} (${caller})`, async (t) => body(t, sceneOf(caller)));
  }
}

/** Declares a test once, as a plain user: for what no uid has a part in. */
export function testAsUser(title: string, body: (t: Test, scene: Scene) => Promise<void>): void {
  tap.test(title, async (t) => body(t, sceneOf('plain user')));
}

/** Waits until `holds`, looking every 20 ms for `seconds` or more, a bound for a machine that is busy; false when it never did. */
export async function until(holds: () => boolean, seconds = 120): Promise<boolean> {
  for (let look = 0; look < seconds * 50; look++) {
    if (holds()) return true;
    await new Promise((done) => setTimeout(done, 20));
  }
  return false;
}
