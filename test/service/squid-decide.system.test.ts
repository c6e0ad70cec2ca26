// Owns the proof that a real Squid and lib/policy agree: random policies, principals, hosts, ports and addresses.
import { test } from 'tap';
import { decideAddress } from '../../lib/policy/address.ts';
import { decide, type Principal } from '../../lib/policy/decide.ts';
import { parsePolicy } from '../../lib/policy/load.ts';
import { addresses } from '../firewall/world.ts';
import { clock } from '../policy/world.ts';
import { type Ask, makeSquidScene } from './squidScene.ts';

/** Numbers that look random and are the same each time (xorshift32). */
function makeDice(seed: number) {
  let state = seed;
  const roll = (sides: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
  return { roll, pick: <T>(all: readonly T[]) => all[roll(all.length)] as T };
}
type Dice = ReturnType<typeof makeDice>;

const { public4, public6, private4, private6, excepted4, excepted6, metadata } = addresses;
const places = [
  public4,
  public4,
  public4,
  public6,
  private4,
  private6,
  excepted4,
  excepted6,
  ...metadata,
  '127.0.0.1',
  '::1',
];
const networks = [
  '10.8.0.0/16',
  '10.0.0.0/8',
  '10.9.9.10',
  '"fd00:8::/32"',
  '"fc00::/7"',
  '100.64.0.0/10',
  '"fd00:ec2::/32"',
];
const [tools, profiles] = [
  ['t.one@v1', 't.two@v1', 't.three@v1'],
  ['p1', 'p2', 'p3'],
] as const;

/** Few labels, so that names lie within each other. */
function makeName({ roll, pick }: Dice): string {
  const labels = Array.from({ length: roll(4) }, () => pick(['a', 'b', 'aa']));
  return [...labels, pick(['z.example', 'y.example'])].join('.');
}

function makePattern(dice: Dice): string {
  const port = dice.pick(['', '', '', ':80', ':443', ':8443']);
  return `"${dice.pick(['', '*.', '.'])}${makeName(dice)}${port}"`;
}

function makeScope(dice: Dice): string {
  const list = (most: number) => Array.from({ length: dice.roll(most) }, () => makePattern(dice)).join(', ');
  const exceptions = Array.from({ length: dice.roll(3) }, () => {
    return `{host: ${makePattern(dice)}, addresses: [${dice.pick(networks)}, ${dice.pick(networks)}]}`;
  });
  return `{allow: [${list(6)}], deny: [${list(3)}], private: [${exceptions.join(', ')}]}`;
}

function makePolicy(dice: Dice): string {
  const grants = Array.from({ length: dice.roll(4) }, () => {
    const who = dice.pick(['', ', tool: t.one@v1', ', profile: p1']);
    return `  - {host: ${makePattern(dice)}${who}, until: "2026-06-0${dice.pick([1, 2])}T00:00:00Z"}`;
  });
  return [
    `global: ${makeScope(dice)}`,
    `profiles: {p1: ${makeScope(dice)}, p2: ${makeScope(dice)}}`,
    `tools: {t.one@v1: ${makeScope(dice)}, t.two@v1: ${makeScope(dice)}}`,
    ...(grants.length === 0 ? [] : ['grants:', ...grants]),
  ].join('\n');
}

const spell = ({ pick }: Dice, host: string) => pick([host, host, host.toUpperCase(), `${host}.`]);

test('Squid and decide() give the same answer to each of many requests', async (t) => {
  const dice = makeDice(20_260_601);
  const records = Object.fromEntries(
    Array.from({ length: 400 }, () => makeName(dice)).map((name) => {
      const all = [dice.pick(places), ...(dice.roll(4) === 0 ? [dice.pick(places)] : [])];
      return [name, all];
    }),
  );
  const hosts = Object.keys(records);
  const scene = await makeSquidScene(t, records);
  const seen = { allow: 0, deny: 0, address: 0 };
  for (let round = 0; round < 12; round++) {
    const text = makePolicy(dice);
    const policy = parsePolicy(text, 'firewall.yaml');
    const squid = await scene.start(text);
    const cases = Array.from({ length: 120 }, () => {
      const as: Principal = { tool: dice.pick([undefined, ...tools]), profile: dice.pick([undefined, ...profiles]) };
      const [host, port] = [dice.pick(hosts), dice.pick([80, 443, 8443, 22])];
      return { as, host, port, written: spell(dice, host) };
    });
    const asks = cases.map(({ as, port, written }, run): Ask => {
      const target = `${written}:${port}`;
      return { as, run, send: `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n` };
    });
    const answers = await squid.askAll(asks);
    for (const [i, { as, host, port, written }] of cases.entries()) {
      const decision = decide(policy, as, written, port, clock);
      const isThere = (records[host] ?? []).every((one) => decideAddress(one, decision.networks).result === 'allow');
      const wanted = decision.result === 'allow' && isThere ? 'allow' : 'deny';
      seen[decision.result === wanted ? wanted : 'address']++;
      const [entry] = answers[i]?.entries ?? [];
      const what = `${JSON.stringify(as)} ${written}:${port} (${records[host]?.join(', ')})`;
      if (entry?.result !== wanted) t.fail(`${what}: ${decision.text}; Squid: ${entry?.reason}`, { policy: text });
      if (wanted === 'deny' && decision.result === 'deny')
        t.ok(['rule', 'unlisted'].includes(entry?.reason ?? ''), `${what}: denied before DNS`);
    }
    await squid.stop();
  }
  t.ok(Math.min(...Object.values(seen)) > 20, `each answer was given often: ${JSON.stringify(seen)}`);
});
