// Tests the way out of runs with real packets: whose rules apply, what a change of the policy does, and that nothing else leads out.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { egressFolders } from '../../../lib/service/egress/folders.ts';
import { newId, until } from '../../system/scene.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, two, type WayScene } from './scene.ts';

const curl = (host: string) => `curl -sS --max-time 25 https://${host}/hello.txt`;
/** A tunnel that stays open for a minute. */
const slow = `curl -sSN --max-time 120 https://${one}/slow`;
const both = policy(`global: {allow: ["${one}", "${two}"]}\n`);
const onlyOne = policy(`global: {allow: ["${one}"]}\n`);

const way = await makeWayScene(tap);

/** One shell in a sandbox with a way out. */
function run(way: WayScene, script: string, ...options: string[]) {
  return way.sandbox('run', '-p', 'base-tools', ...way.options, ...options, '--', 'sh', '-c', script);
}

/** The same, under way: settles with it when its output has `text`. */
async function begun(t: Test, way: WayScene, script: string, text: string, ...options: string[]) {
  const started = way.start('run', '-p', 'base-tools', ...way.options, ...options, '--', 'sh', '-c', script);
  t.teardown(() => started.child.kill('SIGKILL'));
  t.ok(await until(() => started.out().includes(text)), `${text}: ${started.err().toString().slice(0, 500)}`);
  return started;
}

test('a policy is needed, and what it does not list is refused', async (t) => {
  way.removePolicy();
  const missing = await run(way, 'echo started');
  t.same([missing.status, missing.stdout], [125, '']);
  t.match(missing.stderr, /there is no policy/);

  way.writePolicy('global: {alow: []}\n');
  const broken = await run(way, 'echo started');
  t.same([broken.status, broken.stdout], [2, '']);
  t.match(broken.stderr, /firewall\.yaml:1:\d+.*allow/);

  way.writePolicy(policy(''));
  const empty = await run(way, `${curl(one)}; ${curl(two)}; true`);
  t.notMatch(empty.stdout, word, 'an empty policy allows nothing');

  way.writePolicy(onlyOne);
  const listed = await run(way, curl(one));
  t.equal(listed.stdout.trim(), word, `control: ${listed.stderr}`);
  const without = await way.sandbox('run', '-p', 'base-tools', '--', 'sh', '-c', `ls /proxy-sock; env; ${curl(one)}`);
  t.notMatch(without.stdout, /sock|proxy=/i, 'network none is what it was');
  t.notMatch(without.stdout, word);
});

test('a result and its receipt say what left, and tell a program no command that widens', async (t) => {
  way.writePolicy(onlyOne);
  const ended = await run(way, `${curl(one)}; ${curl(two)}; ${curl(two)}; true`, '--json', '--tool', 'web.search@v1');
  const result = JSON.parse(ended.stdout) as {
    id: string;
    egress: unknown;
    receipt: { file: string };
  };
  t.same(result.egress, { allowed: 1, denied: 2 });
  t.notMatch(ended.stdout + ended.stderr, /firewall (allow|approve)/);
  const envelope = JSON.parse(readFileSync(result.receipt.file, 'utf8')) as { payload: string };
  const { predicate } = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as {
    predicate: Record<string, unknown>;
  };
  t.same(predicate['egress'], { allowed: 1, denied: 2, hostFirewall: 'absent' });
  t.match(predicate['digests'], { policy: { sha256: createHash('sha256').update(onlyOne).digest('hex') } });
  const lines = way.log().filter((line) => line.run === result.id);
  t.same(lines.map(({ host, result: answer, tool }) => [host, answer, tool]).sort(), [
    [one, 'allow', 'web.search@v1'],
    [two, 'deny', 'web.search@v1'],
    [two, 'deny', 'web.search@v1'],
  ]);
  const bad = await run(way, 'true', '--tool', 'No Tool');
  t.equal(bad.status, 2);
});

test('two tools reach different sets at the same moment, each by its own socket alone', async (t) => {
  way.writePolicy(policy(`tools:\n  first@v1: {allow: ["${one}"]}\n  second@v1: {allow: ["${two}"]}\n`));
  const script = `echo up; while :; do ${curl(one)} && echo got-one; ${curl(two)} && echo got-two; echo round; sleep 0.2; done 2>/dev/null`;
  const runs = await Promise.all(
    ['first@v1', 'second@v1'].map((tool) => begun(t, way, script, 'round', '--tool', tool)),
  );
  t.equal((await way.status())?.runs.length, 2, 'both live');
  for (const { child } of runs) child.kill('SIGTERM');
  const [first, second] = await Promise.all(runs.map(({ ended }) => ended));
  t.match(first?.stdout, /got-one/);
  t.notMatch(first?.stdout, /got-two/);
  t.match(second?.stdout, /got-two/);
  t.notMatch(second?.stdout, /got-one/);

  const { runs: folder } = egressFolders(way.scene.paths);
  const other = await begun(t, way, 'echo up; sleep 60', 'up', '--tool', 'second@v1');
  const [name = ''] = readdirSync(folder);
  t.ok(existsSync(join(folder, name, 'proxy.sock')), 'control: it is there, on the host');
  const looked = await run(
    way,
    `ls -A /proxy-sock; ls ${folder} ${join(folder, name)}; find / -path /proc -prune -o -type s -print 2>/dev/null; touch /proxy-sock/x; rm /proxy-sock/proxy.sock`,
    '--tool',
    'first@v1',
  );
  t.equal(looked.stdout, 'proxy.sock\n/proxy-sock/proxy.sock\n', 'its own and no other is in reach');
  t.match(looked.stderr, /touch: .*Read-only file system/);
  other.child.kill('SIGTERM');
  await other.ended;
});

test('a change of the policy reaches live sandboxes within seconds, and cuts open tunnels that it takes away', async (t) => {
  way.writePolicy(onlyOne);
  const script = `${slow} >/sandbox/out 2>&1 & until grep -q begun /sandbox/out; do sleep 0.05; done; echo up
    until ${curl(two)} 2>/dev/null | grep -q ${word}; do sleep 0.1; done; echo two-opened
    wait; cat /sandbox/out; echo tunnel-cut; ${curl(one)}; true`;
  const live = await begun(t, way, script, 'up');
  way.writePolicy(both);
  t.ok(await until(() => live.out().includes('two-opened')), 'a widening is seen');
  t.notMatch(live.out().toString(), /tunnel-cut/, 'which cuts nothing');
  way.writePolicy(policy(`global: {allow: ["${two}"]}\n`));
  t.ok(await until(() => live.out().includes('tunnel-cut')), 'a tightening cuts the tunnel');
  const { stdout, stderr } = await live.ended;
  t.notMatch(stdout, word);
  t.match(stderr, /CONNECT tunnel failed, response 403/);

  const grant = (ms: number) =>
    way.writePolicy(policy(`grants:\n  - {host: ${one}, until: "${new Date(Date.now() + ms).toISOString()}"}\n`));
  grant(600_000);
  const granted = await begun(
    t,
    way,
    `${slow} >/sandbox/out 2>&1 & until grep -q begun /sandbox/out; do sleep 0.05; done; echo up; wait; echo tunnel-cut; ${curl(one)}`,
    'up',
  );
  grant(3000);
  t.ok(await until(() => granted.out().includes('tunnel-cut')), 'the end of a grant cuts it too');
  const after = await granted.ended;
  t.match(after.stderr, /response 403/);
});

test('without the proxy nothing leaves, and nothing goes directly', async (t) => {
  way.writePolicy(both);
  const script = `${slow} >/sandbox/out 2>&1 & until grep -q begun /sandbox/out; do sleep 0.05; done; echo up; wait
    echo cut; until ${curl(one)} 2>/dev/null | grep -q ${word}; do sleep 0.1; done; echo again`;
  const live = await begun(t, way, script, 'up');
  const before = await way.status();
  t.ok(before?.proxy);
  process.kill(before?.proxy?.pid ?? -1, 'SIGKILL');
  t.ok(await until(() => live.out().includes('cut')), 'its tunnels are gone with it');
  t.ok(await until(() => live.out().includes('again')), 'another is started');
  await live.ended;
  t.not((await way.status())?.proxy?.pid, before?.proxy?.pid);

  const orphan = await begun(
    t,
    way,
    `${curl(one)}; echo up; until ! ${curl(one)} 2>/sandbox/err; do sleep 0.1; done; cat /sandbox/err; curl -sS --noproxy '*' --max-time 5 http://45.45.45.10/hello.txt; cat /proc/net/route; echo end`,
    'up',
  );
  t.match(orphan.out().toString(), word, 'control');
  process.kill((await way.status())?.pid ?? -1, 'SIGKILL');
  const ended = await orphan.ended;
  t.match(ended.stdout, /end\n$/);
  t.match(ended.stdout, /curl: \(/);
  t.match(ended.stderr, /curl: \(7\)/, 'there is no direct way');
  t.equal(ended.stdout.split(word).length, 2, 'nothing more was reached');
  t.match(ended.stderr, /nobody knows what left the sandbox/);
  const next = await run(way, curl(one));
  t.equal(next.stdout.trim(), word, `the next run starts it anew: ${next.stderr}`);
});

test('a way out ends with its run, and with whoever started it', async (t) => {
  way.writePolicy(both);
  const { runs } = egressFolders(way.scene.paths);
  t.equal((await run(way, curl(one))).status, 0);
  t.same(readdirSync(runs), []);
  const id = newId();
  const killed = await begun(t, way, 'echo up; sleep 60', 'up', '--id', id);
  t.equal(readdirSync(runs).length, 1);
  killed.child.kill('SIGKILL');
  t.ok(await until(() => readdirSync(runs).length === 0));
  t.ok(await until(() => way.scene.traces(id).every((trace) => !trace.includes('process'))));
  t.same((await way.status())?.runs, []);
});

test('every check of verify holds for a sandbox with a way out', async (t) => {
  way.writePolicy(both);
  const verified = await way.sandbox('verify', '-p', 'base-tools', '--network', 'proxy', '--json');
  const { ok, checks } = JSON.parse(verified.stdout) as { ok: boolean; checks: { id: string; level: string }[] };
  t.same(
    checks.filter(({ level }) => level !== 'PASS').map(({ id }) => id),
    [],
  );
  t.ok(ok, verified.stderr);
});

test('a thousand connections at once are the matter of the run that makes them', async (t) => {
  way.writePolicy(onlyOne);
  const flood = `import socket, time
all = []
for _ in range(1000):
    s = socket.create_connection(('127.0.0.1', 3128), 20); s.sendall(b'CONNECT ${one}:443 HTTP/1.1\\r\\nHost: ${one}:443\\r\\n\\r\\n'); all.append(s)
    if len(all) == 400: print('up', flush=True)
codes = {}
for s in all:
    s.settimeout(30)
    try: code = s.recv(12)[9:12].decode()
    except OSError: code = 'reset'
    codes[code] = codes.get(code, 0) + 1
    if code != '200': s.close()
print(sorted(codes.items()))`;
  const script = `cat >/sandbox/flood.py <<'END'\n${flood}\nEND\nulimit -n 1024; exec python3 /sandbox/flood.py`;
  const started = way.start('run', '-p', 'python-tools', ...way.options, '--', 'sh', '-c', script);
  t.teardown(() => started.child.kill('SIGKILL'));
  t.ok(await until(() => started.out().includes('up')), started.err().toString().slice(0, 500));
  const beside = await run(way, curl(one));
  t.equal(beside.stdout.trim(), word, `another run is served meanwhile: ${beside.stderr}`);
  const { stdout, stderr } = await started.ended;
  t.match(stdout, /\('200', 64\)/, `as many as the policy lets be open, ${stdout} ${stderr}`);
  t.match(stdout, /\('429', \d+\)/, 'the others are told');
});
