// Tests network.allow of a profile in real sandboxes: of what the policy allows its runs reach what it lists, and nothing else.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { install } from '../../system/scene.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, two } from './scene.ts';

const curl = 'curl -sS --max-time 25';
const raw = (text: string) => `printf '${text}' | ${curl} --max-time 6 --noproxy '*' telnet://127.0.0.1:3128`;
const get = (host: string) => `GET http://${host}/hello.txt HTTP/1.1\\r\\nHost: ${host}\\r\\n`;

interface Asked {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly reason: string;
}

test('a profile that lists hosts narrows its runs, on every request, and no approval widens them', async (t) => {
  const way = await makeWayScene(t);
  way.writePolicy(policy(`global: {allow: ["${one}", "${two}"]}\n`));
  const text = 'image: {name: base-tools}\nnetwork: {mode: proxy, onDeny: ask';
  const listed = way.scene.write('listed.yaml', `${text}, allow: ["${one}", never.example.org]}\n`);
  const open = way.scene.write('open.yaml', `${text}}\n`);
  const script = [
    `${curl} https://${one}/hello.txt; echo end-one`,
    `${curl} https://${two}/hello.txt; echo end-two`,
    `${curl} http://${one}/hello.txt http://${two}/hello.txt; echo end-kept`,
    `${raw(`${get(one)}\\r\\n${get(two)}\\r\\n`)}; echo end-pipelined`,
    `${raw(`${get(one)}Content-Length: 0\\r\\nConnection: keep-alive\\r\\n\\r\\n${get(two)}\\r\\n`)}; echo end-smuggled`,
    `${raw(`GET http://${two}/hello.txt HTTP/1.1\\r\\nHost: ${one}\\r\\n\\r\\n`)}; echo end-host`,
    `curl -sS --max-time 3 https://never.example.org/; echo end-never`,
    'true',
  ].join('\n');
  const run = async (profile: string) => {
    const ended = await way.sandbox('run', '--json', '-p', profile, ...way.options, '--', 'sh', '-c', script);
    t.equal(ended.status, 0, ended.stderr);
    const result = JSON.parse(ended.stdout) as {
      id: string;
      stdout: string;
      stderr: string;
      receipt: { file: string };
    };
    const { payload } = JSON.parse(readFileSync(result.receipt.file, 'utf8')) as { payload: string };
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as {
      predicate: { egress: { within?: string[]; denied: number } };
    };
    const parts = result.stdout.split(/end-[a-z]+\n/).map((part) => part.split(word).length - 1);
    return { ...result, parts, egress: predicate.egress };
  };
  const whole = await run(open);
  t.same(
    whole.parts,
    [1, 1, 2, 1, 1, 1, 0, 0],
    `control: without the list all of it arrives: ${whole.stdout}${whole.stderr}`,
  );
  t.equal(whole.egress.within, undefined);
  const narrowed = await run(listed);
  t.same(narrowed.parts, [1, 0, 1, 1, 1, 0, 0, 0], `${narrowed.stdout}${narrowed.stderr}`);
  t.match(narrowed.stderr, /CONNECT tunnel failed, response 403/);
  t.same(narrowed.egress.within, [one, 'never.example.org']);
  const lines = way.log().filter((line) => line.run === narrowed.id);
  t.same([...new Set(lines.filter(({ result }) => result === 'allow').map(({ host }) => host))], [one]);
  t.equal(lines.filter(({ result }) => result === 'deny').length, narrowed.egress.denied);

  const firewall = join(install, 'bin/firewall');
  const said = await way.scene.spawn(firewall, ['denied', '--run', narrowed.id, '--json']).ended;
  const denied = (JSON.parse(said.stdout) as { requests: Asked[] }).requests;
  t.same(denied.map(({ host, port, reason }) => [host, port, reason]).sort(), [
    ['never.example.org', 443, 'unlisted'],
    [two, 443, 'profile'],
    [two, 80, 'profile'],
  ]);
  const id = denied.find(({ reason }) => reason === 'profile')?.id ?? '';
  t.match(
    narrowed.stdout,
    `X-Cofferdam-Request: ${denied.find(({ port }) => port === 80)?.id}`,
    'the guest has read its id',
  );
  const words = ['-q', '-e', '-c', `${firewall} approve ${id}`, '/dev/null'];
  const approved = await way.scene.spawn('/usr/bin/script', words).ended;
  t.match(approved.stdout, /cannot be approved: the profile of the run does not list it/);
  const bad = way.scene.write('bad.yaml', `${text}, allow: ["${one}", "http://${two}"]}\n`);
  t.match(await way.sandbox('run', '-p', bad, '--', 'true'), {
    status: 2,
    stderr: /bad\.yaml:2:.*network\.allow\[1\]: .*is a URL/,
  });
});
