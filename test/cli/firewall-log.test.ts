// Owns what `firewall log` prints: what was asked for, harmless; and lines that `firewall replay` takes as they are.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { appendLines } from '../../lib/base/lineLog.ts';
import { accessLog } from '../../lib/service/egress/folders.ts';
import { makeWorld, person } from './firewallWorld.ts';
import { hostileNames } from './hostileNames.ts';

const writeEgress = (logs: string, entries: readonly object[]) =>
  appendLines(
    accessLog({ logs }),
    entries.map((one) => JSON.stringify(one)),
    true,
  );

const entry = {
  ...{
    time: Date.parse('2026-06-01T12:00:00Z'),
    run: 'r1',
    tool: null,
    profile: 'py',
    connection: 7,
    method: 'CONNECT',
  },
  ...{ host: 'a.example', port: 443, result: 'allow', reason: 'listed', status: 200, squid: 'TCP_TUNNEL' },
  ...{ bytesOut: 10, bytesIn: 20, ms: 30, error: null, server: '192.0.2.1', sni: null },
};

test('the log says who asked for what, and what became of it', async (t) => {
  const { egress, run } = makeWorld(t);
  t.same(await run({}, 'log'), { out: '', err: '', status: 0 });
  const denied = {
    ...entry,
    time: Date.now(),
    run: 'r2',
    tool: 'web@v1',
    result: 'deny',
    reason: 'unlisted',
    status: 403,
  };
  writeEgress(egress, [entry, denied]);
  const { out } = await run(person, 'log');
  t.equal(
    out.split('\n')[0],
    '2026-06-01T12:00:00.000Z  allow  CONNECT a.example:443  by py in r1  200, 10 B out, 20 B in, 30 ms',
  );
  t.match(out, /\n20.*Z {2}deny \(unlisted\) {2}CONNECT a\.example:443 {2}by web@v1, py in r2 {2}403, /);
  t.notMatch((await run({}, 'log', '--run', 'r2')).out, / in r1 /);
  t.notMatch((await run({}, 'log', '--since', '1h')).out, / in r1 /);
});

test('replay takes what log gives', async (t) => {
  const { egress, file, run } = makeWorld(t);
  writeEgress(egress, [entry, { ...entry, host: 'b.example' }]);
  const log = join(egress, 'copy');
  writeFileSync(log, (await run({}, 'log', '--json')).out);
  writeFileSync(file, 'global: {allow: [a.example]}\n');
  t.match(
    (await run({}, 'replay', log, '--policy', file)).out,
    /deny {2}b\.example:443 [\s\S]*\n2 requests: 0 .* 1 newly fail/,
  );
});

test('nothing hostile in the log reaches a terminal raw', async (t) => {
  const { egress, run } = makeWorld(t);
  const hostile = (name: string) => ({
    ...entry,
    host: name,
    method: name,
    reason: name,
    run: name,
    tool: name,
    result: 'deny',
  });
  writeEgress(
    egress,
    hostileNames.map((name) => hostile(name.slice(0, 199))),
  );
  appendFileSync(join(egress, 'access.log'), `${hostileNames.join('\n')}\n`);
  for (const words of [['log'], ['log', '--json']]) {
    const { out, err } = await run(person, ...words);
    t.notMatch(`${out}${err}`, /[\u0000-\u0009\u000b-\u001f\u007f\u200b\u202e\u2066]/, words.join(' '));
    t.match(err, /lines of the log are none of ours/);
  }
});
