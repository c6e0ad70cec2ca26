// Tests the compiled filter in real processes: forbidden calls with their positive controls, and programs that must work.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { runTool } from '../../../lib/base/exec.ts';
import type { SeccompArch } from '../../../lib/spec/seccomp/architecture.ts';
import { compileSeccomp } from '../../../lib/spec/seccomp/compile.ts';

/** Root: as another user the kernel refuses some of the calls itself, and the control would prove nothing. */
export const needs = ['root', 'python3', 'gcc', 'git', 'go', 'crun'];

const arch: SeccompArch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const script = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));

function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-seccomp-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function writeFilter(folder: string, writableHostFolder: boolean): string {
  const path = join(folder, 'filter.bpf');
  writeFileSync(path, compileSeccomp({ arch, writableHostFolder }).bpf);
  return path;
}

async function attempt(t: Test, filter: string | undefined, set: string): Promise<Record<string, string>> {
  const args = ['-B', script('attempt.py'), filter ?? '-', set, makeFolder(t)];
  const { stdout } = await runTool('/usr/bin/python3', args);
  return JSON.parse(stdout) as Record<string, string>;
}

const answeredAsMissing = ['clone3', 'statmount', 'listmount', 'openat2'];
const deadly = ['32-bit getpid', 'x32 getpid'];

test('refuses forbidden calls that the kernel itself would have taken', async (t) => {
  const outside = await attempt(t, undefined, 'forbidden');
  for (const writableHostFolder of [false, true]) {
    const inside = await attempt(t, writeFilter(makeFolder(t), writableHostFolder), 'forbidden');
    t.ok(Object.keys(inside).length >= 50);
    for (const [name, seen] of Object.entries(inside)) {
      const wanted = deadly.includes(name) ? 'SIGSYS' : answeredAsMissing.includes(name) ? 'ENOSYS' : 'EPERM';
      t.equal(seen, wanted, name);
      // Kernels without x32 answer ENOSYS to it: still not the death that the filter brings.
      const control = deadly.includes(name) ? ['SIGSYS'] : ['EPERM', 'ENOSYS', 'SIGSYS'];
      t.notOk(control.includes(outside[name] ?? 'SIGSYS'), `${name} outside: ${outside[name]}`);
    }
  }
});

test('refuses set-id bits in every way to make a file, with a writable host folder only', async (t) => {
  const inside = await attempt(t, writeFilter(makeFolder(t), true), 'set-id');
  const without = await attempt(t, writeFilter(makeFolder(t), false), 'set-id');
  const harmless = ['chmod 1755', 'create 0644', 'open with a stray mode'];
  for (const [name, seen] of Object.entries(inside)) {
    t.equal(seen, harmless.includes(name) ? 'ok' : answeredAsMissing.includes(name) ? 'ENOSYS' : 'EPERM', name);
    t.equal(without[name], 'ok', `${name} without a writable host folder`);
  }
  t.ok(Object.keys(inside).length >= 12);
});

const hello = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n';
const goHello = `package main
import ("fmt"; "net"; "os/exec")
func main() {
  l, err := net.Listen("tcp", "127.0.0.1:0"); if err != nil { panic(err) }
  c, err := net.Dial("tcp", l.Addr().String()); if err != nil { panic(err) }
  c.Close()
  if _, err := net.Interfaces(); err != nil { panic(err) }
  out, err := exec.Command("/bin/echo", "hello").Output(); if err != nil { panic(err) }
  fmt.Print(string(out))
}
`;
const python = `
import asyncio, multiprocessing, os, pty, socket, sqlite3, threading
threading.Thread(target=os.getpid).start()
with multiprocessing.get_context('fork').Pool(2) as pool: pool.map(abs, [-1, 2])
async def talk():
    server = await asyncio.start_server(lambda r, w: w.close(), '127.0.0.1', 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await reader.read(); writer.close(); server.close()
    process = await asyncio.create_subprocess_exec('/bin/true'); await process.wait()
asyncio.run(talk())
sqlite3.connect('t.db').execute('pragma journal_mode=wal')
socket.if_nameindex(); os.memfd_create('x'); pty.openpty()
print('hello')`;
const node = `
const { Worker } = require('node:worker_threads');
const http = require('node:http');
require('node:os').networkInterfaces();
require('node:fs').watch('.').close();
require('node:child_process').execFileSync('/bin/true');
new Worker('0', { eval: true }).on('exit', () => {
  const server = http.createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1', () =>
    http.get(server.address(), (answer) => answer.pipe(process.stdout).on('end', () => 0)).on('close', () => server.close()));
});`;
const git = `git init -q a && cd a && git -c user.name=n -c user.email=e commit -q --allow-empty -m hello &&
  git gc -q && cd .. && git clone -q a b && git -C b log --format=%s`;

const programs: Readonly<Record<string, readonly string[]>> = {
  python3: ['/usr/bin/python3', '-c', python],
  node: [process.execPath, '-e', node],
  git: ['/bin/sh', '-c', git],
  gcc: ['/bin/sh', '-c', 'gcc hello.c -o hello && ./hello'],
  go: ['/bin/sh', '-c', 'go build -o gohello hello.go && ./gohello'],
};

test('python, node, git, gcc and go work behind the filter', { timeout: 600_000 }, async (t) => {
  const cache = makeFolder(t);
  // The stricter one first: it has all of Go to build.
  for (const writableHostFolder of [true, false]) {
    const folder = makeFolder(t);
    const filter = writeFilter(folder, writableHostFolder);
    writeFileSync(join(folder, 'hello.c'), hello);
    writeFileSync(join(folder, 'hello.go'), goHello);
    const env = {
      HOME: folder,
      PATH: '/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin',
      GOCACHE: cache,
      GOTOOLCHAIN: 'local',
    };
    for (const [name, command] of Object.entries(programs)) {
      const args = ['-B', script('filter.py'), filter, ...command];
      const { stdout } = await runTool('/usr/bin/python3', args, { cwd: folder, env, timeoutMs: 300_000 });
      t.equal(stdout.trim(), 'hello', name);
    }
  }
});

test('crun takes the filter from its annotation and the program runs under it', async (t) => {
  const bundle = makeFolder(t);
  const { bpf, oci } = compileSeccomp({ arch, writableHostFolder: false });
  mkdirSync(join(bundle, 'rootfs'));
  chmodSync(bundle, 0o755);
  const folders = ['/usr', '/bin', '/lib', '/lib64', '/etc'].filter((path) => existsSync(path));
  const bind = (path: string) => ({ destination: path, source: path, type: 'bind', options: ['rbind', 'ro'] });
  const inside =
    'grep -E "^(NoNewPrivs|Seccomp|Seccomp_filters):" /proc/self/status; unshare -U true 2>&1; /usr/bin/python3 -c "print(1)"';
  const spec = {
    ociVersion: '1.0.0',
    process: { terminal: false, user: { uid: 65532, gid: 65532 }, cwd: '/', noNewPrivileges: true, capabilities: {} },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'noexec', 'mode=755'] },
      ...folders.map(bind),
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })), seccomp: oci },
    annotations: { 'run.oci.seccomp_bpf_data': Buffer.from(bpf).toString('base64') },
  };
  Object.assign(spec.process, { args: ['/bin/sh', '-c', inside], env: ['PATH=/usr/bin:/bin'] });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
  const id = `seccomp-test-${process.pid}`;
  const root = join(bundle, 'state');
  const args = ['--root', root, '--cgroup-manager=disabled', 'run', '--no-new-keyring', '--bundle', bundle, id];
  const { stdout } = await runTool('/usr/bin/crun', args);
  t.match(stdout, /NoNewPrivs:\s+1\nSeccomp:\s+2\nSeccomp_filters:\s+1\n/);
  t.match(stdout, /unshare: unshare failed: Operation not permitted\n1\n$/);
});
