// Tests the way out of sandboxes that live on, with real packets: it lasts as long as its sandbox, whatever becomes of whoever opened it.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { runFolders } from '../../../lib/run/folders.ts';
import { addresses } from '../../firewall/world.ts';
import { install, newId, sandboxFile, until } from '../../system/scene.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, two, type WayScene } from './scene.ts';

// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

const curl = (host: string) => `curl -sS --max-time 25 https://${host}/hello.txt`;
const both = policy(`global: {allow: ["${one}", "${two}"]}\n`);
const onlyOne = policy(`global: {allow: ["${one}"]}\n`);

interface Described {
  readonly egress: {
    readonly way: string;
    readonly allowed: number | null;
    readonly denied: number | null;
    readonly problem: string | null;
  } | null;
  readonly id: string;
  readonly run: string;
  readonly starts: number;
  readonly network: { readonly mode: string; readonly tool: string | null };
  readonly state: { readonly status: string; readonly pid: number };
}

/** A sandbox that lives on, started; it goes with the test. */
async function live(t: Test, way: WayScene, ...options: string[]): Promise<string> {
  const name = newId();
  t.teardown(() => way.sandbox('rm', '-f', name));
  const made = await way.sandbox('create', '-p', 'base-tools', '--name', name, '--start', ...way.options, ...options);
  t.equal(made.status, 0, made.stderr);
  return name;
}

async function inspect(way: WayScene, name: string): Promise<Described> {
  const { stdout, stderr } = await way.sandbox('inspect', name);
  const [found] = JSON.parse(stdout || '[]') as Described[];
  if (found === undefined) throw new Error(stderr);
  return found;
}

/**
 * What the receipt of a run says of its egress. Root's are made by whoever comes first on this host, who may not see the folders of this test: then it
 * says only that.
 */
async function checkReceipt(t: Test, way: WayScene, run: string, egress: object): Promise<void> {
  const { stdout } = await way.sandbox('receipt', 'show', '--json', run);
  const { predicate } = (JSON.parse(stdout) as { statement: { predicate: Record<string, unknown> } }).statement;
  const others = way.scene.uid === 0 && 'absent' in (predicate['egress'] as object);
  t.match(others ? egress : predicate['egress'], egress);
  if (!others && !('absent' in egress))
    t.match(predicate['digests'], { policy: { sha256: createHash('sha256').update(onlyOne).digest('hex') } });
}

const ways = { 'plain user': await makeWayScene(tap), root: await makeWayScene(tap, 'root') };
const way = ways['plain user'];

/** Declares a test twice: root has folders and a proxy account of its own, a plain user maps ids. */
function testAsBoth(title: string, body: (t: Test, way: WayScene) => Promise<void>): void {
  for (const caller of ['plain user', 'root'] as const)
    test(`${title} (${caller})`, async (t) => body(t, ways[caller]));
}

const exec = (way: WayScene, name: string, script: string, ...options: string[]) =>
  way.sandbox('exec', ...options, name, '--', 'sh', '-c', script);

/** What of ways is left on the host. */
function left(way: WayScene): string[] {
  const { runs, leases } = way.folders;
  return [runs, leases].flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
}

testAsBoth('what is executed in a sandbox that lives on reaches what is listed and nothing else', async (t, way) => {
  way.writePolicy(onlyOne);
  const name = await live(t, way, '--tool', 'web.search@v1', '--label', 'a=b');
  const passed = await exec(way, name, curl(one));
  t.equal(passed.stdout.trim(), word, passed.stderr);
  const refused = await exec(way, name, curl(two));
  t.notMatch(refused.stdout, word);
  t.match(refused.stderr, /response 403/);
  const direct = await exec(way, name, `curl -sS --noproxy '*' --max-time 5 http://${addresses.public4}/hello.txt`);
  t.match(direct.stderr, /curl: \(7\)/, 'there is no direct way');
  const typist = join(install, 'test/system/typist.py');
  const words = ['exec', '-it', name, '--', 'sh', '-c', `test -t 0 && ${curl(one)}`];
  const typed = await way.spawn('/usr/bin/python3', typist, '[]', sandboxFile, ...words).ended;
  t.match(typed.stdout, word, typed.stderr);

  const { network, run, egress } = await inspect(way, name);
  t.same(network, { mode: 'proxy', tool: 'web.search@v1' });
  t.same(egress, { way: 'open', allowed: 2, denied: 1, problem: null });
  t.equal(
    (await way.sandbox('ps', '--filter', `name=${name}`, '--format', '{{.Network}} {{.Labels}}')).stdout,
    'proxy (web.search@v1) a=b\n',
  );
  t.match((await way.sandbox('stats', '--no-stream', '--format', '{{.NetIO}}', name)).stdout, /^0\.0MiB \/ 0\.0MiB$/m);
  t.equal(left(way).length, 2, 'control: a socket and a lease');
  t.equal((await way.sandbox('stop', name)).status, 0);
  t.same(left(way), [], 'nothing is left when stop has returned');
  t.same((await inspect(way, name)).egress, { way: 'ended', allowed: 2, denied: 1, problem: null });
  await checkReceipt(t, way, run, { allowed: 2, denied: 1, hostFirewall: 'absent' });
  t.same(
    way.log().map((line) => [line.run, line.host, line.result, line.tool]),
    [one, two, one].map((host) => [run, host, host === one ? 'allow' : 'deny', 'web.search@v1']),
  );
  t.equal((await way.sandbox('start', name)).status, 0);
  t.equal((await exec(way, name, curl(one))).stdout.trim(), word, 'started again it has a way again');
  t.equal((await way.sandbox('rm', '-f', name)).status, 0);
  t.same(left(way), []);
  t.same(readdirSync(join(way.folders.logs, 'used')), []);
});

test('two that live reach different sets, and a name that is used again takes nothing over', async (t) => {
  way.writePolicy(policy(`tools:\n  first@v1: {allow: ["${one}"]}\n  second@v1: {allow: ["${two}"]}\n`));
  const script = `${curl(one)} >/dev/null && echo got-one; ${curl(two)} >/dev/null && echo got-two; ls -A /proxy-sock; find / -path /proc -prune -o -type s -print 2>/dev/null`;
  const own = 'proxy.sock\n/proxy-sock/proxy.sock\n';
  const first = await live(t, way, '--tool', 'first@v1');
  const second = await live(t, way, '--tool', 'second@v1');
  t.equal((await exec(way, first, script)).stdout, `got-one\n${own}`);
  t.equal((await exec(way, second, script)).stdout, `got-two\n${own}`);
  t.equal((await exec(way, first, script)).stdout, `got-one\n${own}`, 'also with both alive');
  t.equal((await way.sandbox('rm', '-f', first)).status, 0);
  const again = ['create', '-p', 'base-tools', '--name', first, ...way.options, '--tool', 'second@v1', '--start'];
  t.equal((await way.sandbox(...again)).status, 0);
  const other = await exec(way, first, script);
  t.equal(other.stdout, `got-two\n${own}`, other.stderr);
  const bare = await live(t, way, '--network', 'none');
  t.equal((await exec(way, bare, script)).stdout, '', 'network none is what it was');
});

test('a change of the policy reaches one that lives, cuts what it takes away, and a pause changes nothing', async (t) => {
  way.writePolicy(onlyOne);
  const name = await live(t, way);
  const slow = way.start(
    'exec',
    name,
    '--',
    'sh',
    '-c',
    `curl -sSN --max-time 120 https://${one}/slow; echo tunnel-cut`,
  );
  t.ok(await until(() => slow.out().includes('begun')), slow.err().toString());
  t.equal((await way.sandbox('pause', name)).status, 0);
  way.writePolicy(both);
  t.equal((await way.sandbox('unpause', name)).status, 0);
  const widened = await exec(way, name, `until ${curl(two)} 2>/dev/null; do sleep 0.1; done`, '--timeout', '60s');
  t.match(widened.stdout, word);
  t.notMatch(slow.out().toString(), /tunnel-cut/, 'which cuts nothing');
  way.writePolicy(policy(`global: {allow: ["${two}"]}\n`));
  t.ok(await until(() => slow.out().includes('tunnel-cut')), 'a tightening cuts the tunnel');
  t.match((await exec(way, name, curl(one))).stderr, /response 403/);
});

testAsBoth('a killed daemon leaves no egress, and the next one opens the ways of those that live', async (t, way) => {
  way.writePolicy(onlyOne);
  const name = await live(t, way);
  const gone = await live(t, way);
  const { run, state } = await inspect(way, gone);
  t.equal((await exec(way, name, curl(one))).stdout.trim(), word, 'control');
  const kill = async () => {
    process.kill((await way.status())?.pid ?? -1, 'SIGKILL');
    const ended = await exec(
      way,
      name,
      `${curl(one)}; curl -sS --noproxy '*' --max-time 5 http://${addresses.public4}/`,
    );
    t.equal(ended.stdout, '');
    t.match(ended.stderr, /curl: \(7\)/, 'there is no direct way');
  };
  await kill();
  t.match((await inspect(way, name)).egress, { way: 'closed', problem: /sandbox gc/ });
  process.kill(state.pid, 'SIGKILL');
  t.ok(await until(() => way.scene.traces(run).every((trace) => !trace.includes('process'))));
  t.match(await way.sandbox('start', name), { status: 0 });
  t.equal((await exec(way, name, curl(one))).stdout.trim(), word, 'start of one that runs opens it again');
  t.equal((await way.status())?.runs.length, 1, 'and not that of one that died meanwhile');
  t.equal(left(way).length, 2);
  await kill();
  t.match(await way.sandbox('gc'), { status: 0 });
  t.equal((await exec(way, name, curl(one))).stdout.trim(), word, 'so does gc');
  await kill();
  const other = await way.sandbox('run', '-p', 'base-tools', ...way.options, '--', 'sh', '-c', curl(one));
  t.equal(other.stdout.trim(), word, other.stderr);
  t.equal((await exec(way, name, curl(one))).stdout.trim(), word, 'and any run that needs a daemon');
  const own = (await inspect(way, name)).run;
  t.equal((await way.sandbox('stop', name)).status, 0);
  // What nobody counted is not told.
  await checkReceipt(t, way, own, { absent: /(ended in between|whoever started the run was gone)/ });
  t.same(left(way), []);
});

test('a way ends with its supervisor, however that ends', async (t) => {
  way.writePolicy(onlyOne);
  const killed = await live(t, way);
  t.equal((await exec(way, killed, curl(one))).stdout.trim(), word, 'control');
  const { run, state } = await inspect(way, killed);
  process.kill(state.pid, 'SIGKILL');
  t.ok(await until(() => left(way).length === 0), 'the way is closed');
  t.ok(await until(() => way.scene.traces(run).every((trace) => !trace.includes('process'))), 'the sandbox is dead');
  t.equal((await inspect(way, killed)).state.status, 'lost');
  await checkReceipt(t, way, run, { allowed: 1, denied: 0, hostFirewall: 'absent' });
  const [timeout, idle, brief] = await Promise.all([
    live(t, way, '--ttl', '3s'),
    live(t, way, '--idle', '3s'),
    live(t, way, '--', 'true'),
  ]);
  for (const [name, status, reason] of [
    [timeout, '124\n', 'timeout'],
    [idle, '124\n', 'idle'],
    [brief, '0\n', 'exit'],
  ] as const) {
    t.equal((await way.sandbox('wait', name)).stdout, status);
    t.match((await inspect(way, name)).state, { status: 'exited', reason });
  }
  t.ok(await until(() => left(way).length === 0));
  t.same((await way.status())?.runs, []);
});

test('a guest that ends its forwarder loses its own way alone, and commands still enter its program', async (t) => {
  way.writePolicy(onlyOne);
  const name = await live(t, way);
  const other = await live(t, way);
  // An orphan becomes a child of init, and the forwarder goes: init's first child is the program still.
  const script = `(setsid sleep 300 </dev/null >/dev/null 2>&1 &); readlink /proc/2/exe; tr '\\0' ' ' </proc/2/cmdline; kill -9 3`;
  t.match((await exec(way, name, script)).stdout, /sleep infinity/, 'the program is process 2');
  const { run } = await inspect(way, name);
  const folder = join(runFolders(way.scene.paths).runs, run);
  for (const made of ['entrance', 'enter']) rmSync(join(folder, made), { recursive: true });
  const ended = await exec(way, name, `echo entered; ${curl(one)}`);
  t.match(ended, { stdout: 'entered\n', stderr: /curl: \(7\)/ });
  const { pid } = JSON.parse(readFileSync(join(folder, 'enter', run, 'status'), 'utf8')) as { pid: number };
  t.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^NSpid:\t[0-9]+\t2$/m);
  t.equal((await exec(way, other, curl(one))).stdout.trim(), word, 'control');
});

test('SIGKILL of start in its middle leaves a sandbox with its way, or neither', async (t) => {
  way.writePolicy(onlyOne);
  const name = await live(t, way);
  const { records } = runFolders(way.scene.paths);
  const { leases } = way.folders;
  for (const reached of [
    (run: string) => existsSync(join(leases, run)),
    (run: string) => existsSync(join(leases, run, 'lease.json')),
    (run: string) => existsSync(join(records, run)),
  ]) {
    t.equal((await way.sandbox('stop', name)).status, 0);
    t.same(left(way), []);
    const { id, starts } = await inspect(way, name);
    const run = `${id}-${starts + 1}`;
    const starting = way.start('start', name);
    t.ok(await until(() => reached(run)), run);
    starting.child.kill('SIGKILL');
    await starting.ended;
    // The launcher may still be on its way.
    const settled = async () => {
      const { state } = await inspect(way, name);
      return state.status === 'running' ? left(way).length === 2 : left(way).length === 0;
    };
    let ok = false;
    for (let look = 0; look < 100 && !ok; look++) ok = await settled();
    t.ok(ok, left(way).join());
    t.equal((await way.sandbox('start', name)).status, 0);
    t.equal((await exec(way, name, curl(one))).stdout.trim(), word);
  }
});

test('refuses what has no policy, and a tool that is none; nothing is left of it', async (t) => {
  way.removePolicy();
  const create = (...words: string[]) => way.sandbox('create', '-p', 'base-tools', '--network', 'proxy', ...words);
  const missing = await create('--start');
  t.match(missing, { status: 125, stdout: '', stderr: /there is no policy/ });
  way.writePolicy(onlyOne);
  t.match(await create('--tool', 'No Tool', '--start'), { status: 2, stdout: '' });
  t.equal((await way.sandbox('ps', '-aq')).stdout, '');
  t.equal((await create('--start')).status, 0, 'control');
  await way.sandbox('rm', '-f', ...(await way.sandbox('ps', '-aq')).stdout.trim().split('\n'));
});

test('a published port leads in beside the way out', async (t) => {
  way.writePolicy(onlyOne);
  way.scene.write('.config/cofferdam/ports.yaml', 'ranges:\n  - { first: 23100, last: 23119 }\n', 0o600);
  const server =
    'import http.server as h; h.ThreadingHTTPServer(("127.0.0.1", 8000), h.SimpleHTTPRequestHandler).serve_forever()';
  const name = await live(t, way, '-p', 'python-tools', '--publish', '8000', '--', 'python3', '-c', server);
  const port = (await way.sandbox('inspect', '-f', '{{.Ports}}', name)).stdout.replace(/->.*\n/, '');
  const get = ['-sS', '--retry', '40', '--retry-all-errors', '--retry-delay', '1', `http://${port}/ca.pem`];
  const got = await way.spawn('/usr/bin/curl', ...get).ended;
  t.match(got.stdout, /BEGIN CERTIFICATE/, got.stderr);
  t.equal((await exec(way, name, curl(one))).stdout.trim(), word);
});
