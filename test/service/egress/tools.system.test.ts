// Tests that real tools inside a sandbox take the way out by themselves: what is listed is reached, what is not is refused.
import { test } from 'tap';
import { addresses } from '../../firewall/world.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, two } from './scene.ts';

interface Case {
  readonly name: string;
  readonly profile: string;
  readonly env?: readonly string[];
  /** A shell's words that print `word`, fetched from `host`. */
  readonly script: (host: string) => string;
}

/** What leads to the other host, without a proxy. */
const direct = `import urllib.request as r; print(r.urlopen(r.Request("http://${addresses.public4}/hello.txt", headers={"Host": "${two}"})).read().decode())`;

const python = (host: string) =>
  `python3 -c 'import urllib.request as r; print(r.urlopen("https://${host}/hello.txt", timeout=20).read().decode())'`;
const fetch = (host: string) =>
  `node -e 'fetch("https://${host}/hello.txt").then(async (r) => console.log(await r.text()))'`;

const cases: readonly Case[] = [
  { name: 'curl', profile: 'base-tools', script: (host) => `curl -fsS --max-time 20 https://${host}/hello.txt` },
  { name: 'curl, plain', profile: 'base-tools', script: (host) => `curl -fsS --max-time 20 http://${host}/hello.txt` },
  {
    name: 'git',
    profile: 'base-tools',
    script: (host) => `git clone -q https://${host}/repo.git /sandbox/r && cat /sandbox/r/hello.txt`,
  },
  { name: 'python', profile: 'python-tools', script: python },
  {
    name: 'pip',
    profile: 'python-tools',
    script: (host) =>
      `python3 -m pip install -q --retries 0 --index-url https://${host}/simple/ --target /sandbox/t tinything &&
       PYTHONPATH=/sandbox/t python3 -c 'import tinything; print(tinything.word)'`,
  },
  { name: 'fetch of node', profile: 'node-tools', script: fetch },
  {
    name: 'npm',
    profile: 'node-tools',
    script: (host) =>
      `cd /sandbox && npm install --silent --fetch-retries=0 --registry https://${host}/npm/ tinything &&
       node -p 'require("tinything")'`,
  },
  {
    name: 'go',
    profile: 'go-tools',
    env: ['GOSUMDB=off'],
    script: (host) =>
      `mkdir /sandbox/m && cd /sandbox/m && go mod init example.org/m && GOPROXY=https://${host}/go go get example.org/tiny@v1.0.0 &&
       cat "$(go list -m -f '{{.Dir}}' example.org/tiny)/tiny.go"`,
  },
];

test('real tools take the way out, and get nowhere else', async (t) => {
  const way = await makeWayScene(t);
  way.writePolicy(policy(`global: {allow: ["${one}"]}\n`));
  t.match(
    way.world.host(['/usr/bin/python3', '-c', direct]),
    word,
    'control: the host itself reaches what no rule lists',
  );
  for (const { name, profile, script, env = [] } of cases) {
    const variables = env.flatMap((one) => ['--env', one]);
    const run = (host: string) =>
      way.sandbox('run', '-p', profile, ...way.options, ...variables, '--', 'sh', '-c', script(host));
    const [listed, other] = await Promise.all([run(one), run(two)]);
    t.match(listed.stdout, word, `${name}: ${listed.stderr.slice(0, 600)}`);
    t.equal(listed.status, 0, name);
    t.notMatch(other.stdout + other.stderr, word, `${name}: the other host`);
    t.not(other.status, 0, name);
    t.match(other.stderr, /refused on its way out: q[0-9a-f]{16}/, `${name}: the person is told the request's id`);
    t.notMatch(other.stderr, /firewall allow/, `${name}: a pipe is told no command that widens`);
  }
  const log = way.log();
  t.ok(log.some(({ host, result }) => host === one && result === 'allow'));
  t.same([...new Set(log.filter(({ host }) => host === two).map(({ result }) => result))], ['deny']);
});
