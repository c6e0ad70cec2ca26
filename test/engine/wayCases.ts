// Owns what each engine's way out must show with real packets: the same acts as on crun (test/service/egress/way.system.test.ts).
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { addresses } from '../firewall/world.ts';
import { word } from '../service/egress/offers.ts';
import { one, policy, two, type WayScene } from '../service/egress/scene.ts';
import { newId, type Started, until } from '../system/scene.ts';

export interface WayEngine {
  readonly way: WayScene;
  /** Words after `sandbox run` that choose it. */
  readonly chosen: readonly string[];
  /** Further options of `run` and `verify`. */
  readonly options?: readonly string[];
  /** Whether the engine itself keeps nothing of a run, too. */
  isGone(id: string): Promise<boolean>;
}

const curl = (host: string) => `curl -sS --max-time 25 https://${host}/hello.txt`;
const direct = `http://${addresses.public4}/hello.txt`;
const around = `curl -sS --noproxy '*' --max-time 5 ${direct}`;
/** A tunnel that stays open for a minute. */
const slow = `curl -sSN --max-time 120 https://${one}/slow`;
const onlyOne = policy(`global: {allow: ["${one}"]}\n`);

function words({ way, chosen, options = [] }: WayEngine, script: string, others: readonly string[]): string[] {
  return ['run', ...chosen, '-p', 'base-tools', ...way.options, ...options, ...others, '--', 'sh', '-c', script];
}

/** Whether nothing of a run is left: on the host, with the engine, and with the daemon of the way out. */
async function isLeftAlone({ way, isGone }: WayEngine, id: string): Promise<boolean> {
  const gone = await until(() => way.scene.traces(id).length === 0 && readdirSync(way.folders.runs).length === 0);
  return gone && (await isGone(id)) && (await way.status())?.runs.length === 0;
}

/** One shell with a way out, to its end; nothing of it is left. */
async function run(t: Test, engine: WayEngine, script: string, ...options: string[]) {
  const id = newId();
  const ended = await engine.way.sandbox(...words(engine, script, ['--id', id, ...options]));
  t.ok(await isLeftAlone(engine, id), `nothing is left: ${engine.way.scene.traces(id).join('; ')}`);
  return ended;
}

/** The same, under way: settles with it when its output has `text`. */
async function begun(t: Test, engine: WayEngine, script: string, text: string, ...options: string[]): Promise<Started> {
  const started = engine.way.start(...words(engine, script, options));
  t.teardown(() => started.child.kill('SIGTERM'));
  t.ok(await until(() => started.out().includes(text)), `${text}: ${started.err().toString().slice(-2000)}`);
  return started;
}

/** What is listed is reached, what is not is refused, and there is no route beside it. */
async function showReach(t: Test, engine: WayEngine): Promise<void> {
  const { way } = engine;
  way.writePolicy(onlyOne);
  t.match(way.world.host(['/usr/bin/curl', '-sS', direct]), word, 'control: the host has a route');
  const ended = await run(t, engine, `${curl(one)}; ${curl(two)}; ${around}; cat /proc/net/route; true`, '--json');
  const result = JSON.parse(ended.stdout) as { stdout: string; stderr: string; egress: unknown };
  t.equal(result.stdout.split(word).length, 2, `reached once: ${result.stdout} ${result.stderr}`);
  t.match(result.stderr, /CONNECT tunnel failed, response 403/);
  t.match(result.stderr, /curl: \(7\)/, 'there is no direct way');
  t.same(result.egress, { allowed: 1, denied: 1 });
  const without = await way.sandbox(
    ...[
      'run',
      ...engine.chosen,
      '-p',
      'base-tools',
      '--',
      'sh',
      '-c',
      `ls -A /proxy-sock; env; ${curl(one)}; ${around}`,
    ],
  );
  t.notMatch(without.stdout, /sock|proxy=/i, 'network none is what it was');
  t.notMatch(without.stdout, word);
}

/** Two at once reach different sets, each by its own socket alone, which it cannot change. */
async function showOwnSocket(t: Test, engine: WayEngine): Promise<void> {
  const { way } = engine;
  way.writePolicy(policy(`tools:\n  first@v1: {allow: ["${one}"]}\n  second@v1: {allow: ["${two}"]}\n`));
  const script = `${curl(one)} && echo got-one; ${curl(two)} && echo got-two; echo up; sleep 120`;
  const other = await begun(t, engine, script, 'up', '--tool', 'second@v1');
  t.match(other.out().toString(), /got-two/);
  t.notMatch(other.out().toString(), /got-one/);
  const { runs } = way.folders;
  const [name = ''] = readdirSync(runs);
  t.ok(existsSync(join(runs, name, 'proxy.sock')), 'control: it is there, on the host');
  const theirs = runs.replace(/^\/proc\/[0-9]+\/root/, '');
  const look = `[ ! -S /proxy-sock/proxy.sock ] || echo own; [ -e ${join(theirs, name)} ] || echo no-other
    { touch /proxy-sock/x || rm /proxy-sock/proxy.sock || mv /proxy-sock/proxy.sock /proxy-sock/y; } 2>/dev/null && echo changed
    ${curl(one)}; ${curl(two)}`;
  const first = engine.way.start(...words(engine, look, ['--tool', 'first@v1']));
  const { stdout, stderr } = await first.ended;
  t.match(stdout, /^own\nno-other\n/, 'its own and no other is in reach');
  t.notMatch(stdout, /changed/, 'and cannot be changed');
  t.equal(stdout.split(word).length, 2, 'and leads to its own set');
  t.match(stderr, /response 403/);
  other.child.kill('SIGTERM');
  await other.ended;
}

/** Squid's end cuts what is open; the daemon's leaves no way at all, and never a direct one. */
async function showDeath(t: Test, engine: WayEngine): Promise<void> {
  const { way } = engine;
  way.writePolicy(onlyOne);
  const script = `${slow} >/sandbox/out 2>&1 & until grep -q begun /sandbox/out; do sleep 0.1; done; echo up; wait
    echo cut; until ${curl(one)} 2>/dev/null | grep -q ${word}; do sleep 0.2; done; echo again
    while ${curl(one)} >/sandbox/page 2>/sandbox/err; do sleep 0.2; done
    echo closed; cat /sandbox/err; ${around}; cat /proc/net/route; echo end`;
  const live = await begun(t, engine, script, 'up');
  const before = await way.status();
  process.kill(before?.proxy?.pid ?? -1, 'SIGKILL');
  t.ok(await until(() => live.out().includes('cut')), 'its tunnels are gone with it');
  t.ok(await until(() => live.out().includes('again')), 'another is started');
  t.notMatch(live.out().toString(), /closed/, 'control: and it leads out');
  process.kill(before?.pid ?? -1, 'SIGKILL');
  const { stdout, stderr } = await live.ended;
  t.match(stdout, /closed\ncurl: \([0-9]+\)/);
  t.match(stdout, /end\n$/);
  t.match(stderr, /curl: \(7\)/, 'there is no direct way');
  t.notMatch(stdout, word);
  t.match(stderr, /nobody knows what left the sandbox/);
  t.match((await run(t, engine, curl(one))).stdout, word, 'the next run starts it anew');
}

/** SIGKILL of whoever started it takes the way with it, and all else. */
async function showKilled(t: Test, engine: WayEngine): Promise<void> {
  const { way } = engine;
  way.writePolicy(onlyOne);
  const id = newId();
  const killed = await begun(t, engine, `${curl(one)}; echo up; sleep 120`, 'up', '--id', id);
  t.match(killed.out().toString(), word, 'control');
  t.equal(readdirSync(way.folders.runs).length, 1);
  killed.child.kill('SIGKILL');
  await killed.ended;
  t.ok(await isLeftAlone(engine, id), `nothing is left: ${way.scene.traces(id).join('; ')}`);
}

/** One that lives on: its way lasts as long as it does, and a killed daemon leaves none until the next. */
async function showLiving(t: Test, engine: WayEngine): Promise<void> {
  const { way, chosen, options = [] } = engine;
  way.writePolicy(onlyOne);
  const name = newId();
  t.teardown(() => way.sandbox('rm', '-f', name));
  const exec = (script: string) => way.sandbox('exec', name, '--', 'sh', '-c', script);
  const make = ['create', ...chosen, '-p', 'base-tools', '--name', name, '--start', ...way.options, ...options];
  const made = await way.sandbox(...make);
  t.equal(made.status, 0, made.stderr);
  const first = await exec(`${curl(one)}; ${curl(two)}; ${around}; true`);
  t.equal(first.stdout.trim(), word, first.stderr);
  t.match(first.stderr, /response 403/);
  t.match(first.stderr, /curl: \(7\)/, 'there is no direct way');
  process.kill((await way.status())?.pid ?? -1, 'SIGKILL');
  t.equal((await exec(`${curl(one)}; ${around}; true`)).stdout, '', 'nothing leaves without a daemon');
  t.equal((await way.sandbox('start', name)).status, 0);
  const again = await exec(curl(one));
  t.equal(again.stdout.trim(), word, `the next one opens it again: ${again.stderr}`);
  t.equal((await way.sandbox('stop', name)).status, 0);
  const [found] = JSON.parse((await way.sandbox('inspect', name)).stdout) as { run: string }[];
  const id = found?.run ?? '';
  t.ok(await isLeftAlone(engine, id), `nothing is left: ${way.scene.traces(id).join('; ')}`);
  t.equal((await way.sandbox('start', name)).status, 0);
  t.equal((await exec(curl(one))).stdout.trim(), word, 'control');
  const [live] = JSON.parse((await way.sandbox('inspect', name)).stdout) as { state: { pid: number } }[];
  process.kill(live?.state.pid ?? -1, 'SIGKILL');
  t.ok(await until(() => readdirSync(way.folders.runs).length === 0), 'it ends with its supervisor');
  t.equal((await way.sandbox('gc')).status, 0);
}

/** Checks of verify that may be skipped are those that the engine lacks; all others hold. */
async function showVerify(t: Test, { way, chosen, options = [] }: WayEngine): Promise<void> {
  way.writePolicy(onlyOne);
  const shown = async (...network: string[]) => {
    const ended = await way.sandbox('verify', ...chosen, ...options, '-p', 'base-tools', ...network, '--json');
    t.equal(ended.status, 0, ended.stderr);
    const { ok, checks } = JSON.parse(ended.stdout) as {
      ok: boolean;
      checks: { id: string; level: string; seen: string }[];
    };
    t.ok(ok, ended.stderr);
    const others = checks.filter(({ level }) => level !== 'PASS');
    t.same(
      others.filter(({ level }) => level !== 'SKIP'),
      [],
      'none fails',
    );
    t.ok(checks.some(({ id, level }) => id === 'fs.way-out' && level === 'PASS'));
    return others.map(({ id }) => id);
  };
  t.same(await shown('--network', 'proxy'), await shown(), 'a way out loosens nothing');
}

/** What differs between callers of one engine, as tests of `t`. */
export async function showCallersWay(t: Test, engine: WayEngine): Promise<void> {
  await t.test('what is listed is reached, and nothing else', (u) => showReach(u, engine));
  await t.test('SIGKILL leaves nothing', (u) => showKilled(u, engine));
  await t.test('one that lives on has a way as long as it lives', (u) => showLiving(u, engine));
}

/** All of it, as tests of `t`. */
export async function showWayOut(t: Test, engine: WayEngine): Promise<void> {
  await showCallersWay(t, engine);
  await t.test('two at once have each their own socket', (u) => showOwnSocket(u, engine));
  await t.test('without the proxy nothing leaves', (u) => showDeath(u, engine));
  await t.test('every check of verify holds', (u) => showVerify(u, engine));
}
