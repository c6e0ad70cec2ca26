// Tests published ports of the engines whose containers are no children of our supervisor: reached there alone, free at each end.
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test } from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { findSupervisors, makePorts, type PortScene, serves, untilServes } from '../system/portScene.ts';
import { newId, type Scene, sceneOf, until } from '../system/scene.ts';
import { entries } from './cells/engines.ts';
import { startContainerd } from './nerdctlScene.ts';

declareNeeds('podman', 'docker', 'base-tools');
tap.setTimeout(900_000);

const answer = `$s = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8000', Listen => 9, ReuseAddr => 1) or die;
while ($c = $s->accept) { while (<$c>) { last if /^\\r?$/ } print $c "HTTP/1.0 200 OK\\r\\n\\r\\n"; close $c }`;
const server = `cat /proc/net/dev; tail -n +2 /proc/net/route; echo end; exec perl -MIO::Socket::INET -e '${answer.replaceAll("'", '"')}'`;

interface Published {
  readonly ports: PortScene;
  readonly id: string;
  readonly port: number;
  readonly out: () => string;
  end(): Promise<unknown>;
}

async function publish(t: Test, ports: PortScene, chosen: readonly string[]): Promise<Published> {
  const id = newId();
  const words = ['run', '--id', id, ...chosen, '-p', 'base-tools', '--timeout', '5m', '--publish', 'web:8000'];
  const started = ports.start([...words, '--', 'sh', '-c', server]);
  t.teardown(() => started.child.kill('SIGTERM'));
  t.ok(await until(() => started.out().includes('end\n') || started.child.exitCode !== null), started.err().toString());
  const port = ports.portOf('web');
  t.ok(await untilServes(port, true), `it serves: ${started.err().toString()}`);
  const end = () => {
    started.child.kill('SIGTERM');
    return started.ended;
  };
  return { ports, id, port, out: () => started.out().toString(), end };
}

/** Reached at its port and nowhere else, by a process that can do nothing more; the sandbox has no network for it. */
async function showReached(t: Test, { ports, id, port, out, end }: Published): Promise<void> {
  t.notOk(await serves(port, '127.0.0.2'), 'not at another address');
  t.notOk(await serves(8000), 'the port inside is none of the host');
  const lines = out().split('end\n')[0]?.split('\n').slice(2, -1) ?? [];
  t.match(lines, [/^ *lo:/], 'the guest has lo and no route');
  t.equal(lines.length, 1, lines.join('\n'));
  const { forwarder } = findSupervisors(id);
  const status = readFileSync(`/proc/${forwarder}/status`, 'utf8');
  for (const line of ['CapPrm:\t0000000000000000', 'CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'])
    t.ok(status.includes(`\n${line}\n`), line);
  t.not(readlinkSync(`/proc/${forwarder}/ns/net`), readlinkSync('/proc/self/ns/net'), 'it is in the sandbox’s network');
  await end();
  t.notOk(await serves(port), 'not after the end');
  t.ok(await until(() => ports.scene.traces(id).length === 0), ports.scene.traces(id).join('; '));
}

async function showKilled(t: Test, { ports, id, port, end }: Published): Promise<void> {
  process.kill(findSupervisors(id).supervisor, 'SIGKILL');
  t.ok(await untilServes(port, false), 'nobody answers');
  await end();
  const check = await ports.start(['ports', 'check', String(port)]).ended;
  t.match(check.stdout, /^[0-9]+: registered for web, owner \S+\n$/, 'nobody has bound it');
}

async function showLife(t: Test, ports: PortScene, chosen: readonly string[]): Promise<void> {
  const name = newId();
  t.teardown(() => ports.start(['rm', '-f', name]).ended);
  const words = ['create', ...chosen, '-p', 'base-tools', '--name', name, '--publish', '8000', '--start'];
  const made = await ports.start([...words, '--', 'sh', '-c', server]).ended;
  t.equal(made.status, 0, made.stderr);
  const port = ports.portOf(`${name}.8000`);
  t.ok(await untilServes(port, true), 'a sandbox that lives on serves, too');
  await ports.start(['rm', '-f', name]).ended;
  t.ok(await untilServes(port, false), 'until it is removed');
}

async function showVerify(t: Test, ports: PortScene, chosen: readonly string[]): Promise<void> {
  const profile = ports.scene.write(
    `${newId()}.yaml`,
    'image: base-tools\nports: [{container: 8000, name: verified}]\n',
  );
  const { stdout, stderr } = await ports.start(['verify', '--json', ...chosen, '--profile', profile]).ended;
  t.equal((JSON.parse(stdout) as { ok: boolean }).ok, true, stderr);
  t.match(ports.text(), 'name: verified');
}

/** Root's: a plain user's has no way in. */
async function openNerdctl(): Promise<{ scene: Scene; config: string }> {
  const { home } = await startContainerd();
  return { scene: sceneOf('root'), config: readFileSync(join(home, 'etc/config.yaml'), 'utf8') };
}

for (const name of ['podman', 'nerdctl', 'docker'] as const) {
  tap.test(`sandboxes of ${name} are reached at their ports`, async (t) => {
    const { chosen, open } = entries[name];
    const { scene, config } = name === 'nerdctl' ? await openNerdctl() : await open();
    const ports = makePorts(scene, `ports-${name}`);
    if (config !== '') scene.write(`ports-${name}/config.yaml`, config);
    await t.test('at its port and nowhere else', async (u) => showReached(u, await publish(u, ports, chosen)));
    await t.test('SIGKILL of the supervisor frees it', async (u) => showKilled(u, await publish(u, ports, chosen)));
    await t.test('verify finds nothing wrong', (u) => showVerify(u, ports, chosen));
    await t.test('at each start of one that lives on', (u) => showLife(u, ports, chosen));
  });
}
