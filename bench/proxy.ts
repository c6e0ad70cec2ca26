// Owns the way out's benchmark: a new connection and a large download, directly, by Squid alone, and by our whole path, in one call.
// node bench/proxy.ts --user NAME [--rounds N] [--json]; as root, for a prepared plain user. The internet is a namespace that ends with it.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemPath } from '../lib/base/exec.ts';
import { resolvePaths } from '../lib/base/paths.ts';
import { encodeHeader } from '../lib/service/bridge/header.ts';
import { reachDaemon } from '../lib/service/egress/client.ts';
import { egressFolders } from '../lib/service/egress/folders.ts';
import { statusSchema } from '../lib/service/egress/protocol.ts';
import { addresses, makeWorld } from '../test/firewall/world.ts';
import { median } from './compare.ts';

const { values } = parseArgs({
  options: { user: { type: 'string' }, rounds: { type: 'string', default: '7' }, json: { type: 'boolean' } },
});
const name = 'bench.example.org';
const perRound = 40;
const megabytes = 256;

// e: one byte back. d: as much as can be sent.
const server = `import socket, threading
piece = bytes(1 << 20)
def serve(c):
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if c.recv(1) == b"d":
        for _ in range(${megabytes}): c.sendall(piece)
    else: c.sendall(b"x")
    c.close()
def names():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${addresses.dns4}", 53))
    while True:
        q, sender = s.recvfrom(4096)
        end = q.index(0, 12) + 5
        four = q[end - 3] == 1
        answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + socket.inet_aton("${addresses.public4}") if four else b""
        s.sendto(q[:2] + b"\\x81\\x80\\0\\1\\0" + bytes([int(four)]) + b"\\0\\0\\0\\0" + q[12:end] + answer, sender)
threading.Thread(target=names, daemon=True).start()
l = socket.create_server(("${addresses.public4}", 443), backlog=256); print("ready", flush=True)
while True:
    c, _ = l.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
`;

// argv: address, port, what is sent before anything else (hex), whether a tunnel must be asked for. A line "MS... | MB/s" per round.
const client = `import socket, sys, time
address, port, head, tunnel = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), sys.argv[4] == "1"
def reach():
    s = socket.create_connection((address, port), 20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tunnel:
        s.sendall(head + b"CONNECT ${name}:443 HTTP/1.1\\r\\nHost: ${name}:443\\r\\n\\r\\n")
        said = b""
        while b"\\r\\n\\r\\n" not in said: said += s.recv(4096)
        assert b" 200 " in said.split(b"\\r\\n")[0], said
    return s
for line in sys.stdin:
    times = []
    for _ in range(${perRound}):
        began = time.perf_counter(); s = reach(); s.sendall(b"e"); assert s.recv(1) == b"x"
        times.append((time.perf_counter() - began) * 1e3); s.close()
    s = reach(); s.sendall(b"d"); got = 0; buffer = bytearray(1 << 18); began = time.perf_counter()
    while (n := s.recv_into(buffer)): got += n
    assert got == ${megabytes} << 20, got
    print(" ".join("%.3f" % t for t in times), "|", "%.1f" % (${megabytes} / (time.perf_counter() - began)), flush=True)
`;

if (values.user === undefined || process.getuid?.() !== 0) throw new Error('as root: node bench/proxy.ts --user NAME');
const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, values.user ?? ''])));
const ends: (() => unknown)[] = [];
const world = makeWorld({ teardown: (end) => ends.push(end) });
const home = mkdtempSync(join(tmpdir(), 'cft-bench-'));
ends.push(() => rmSync(home, { recursive: true, force: true }));
const env = { PATH: systemPath, HOME: home, LANG: 'C.UTF-8' };
const install = join(import.meta.dirname, '..');
const folders = egressFolders(resolvePaths({ uid: uid ?? -1, env, install }));
// Before its folder goes, and whatever went wrong: by itself the daemon would stay a minute longer.
ends.unshift(async () => {
  const daemon = await askDaemon();
  if (daemon === undefined) return;
  process.kill(daemon.pid, 'SIGTERM');
  for (const end = Date.now() + 20_000; existsSync(`/proc/${daemon.pid}`) && Date.now() < end; ) await setTimeout(50);
});

async function askDaemon() {
  const daemon = await reachDaemon(folders);
  const status = await daemon?.ask({ do: 'status' }, statusSchema);
  daemon?.close();
  return status;
}

/** A program of the user's, where the internet is, that answers every line with a line. */
function startClient(file: string, ...args: string[]) {
  const who = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups'];
  const words = [`--net=/run/netns/${world.hostName}`, 'setpriv', ...who, file, ...args];
  const child = spawn('nsenter', words, { env, cwd: home, stdio: ['pipe', 'pipe', 'inherit'] });
  ends.unshift(async () => {
    if (child.exitCode !== null) return;
    child.stdin.end();
    await once(child, 'exit');
  });
  return async () => {
    child.stdin.write('\n');
    let said = '';
    while (!said.endsWith('\n')) {
      const [chunk] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => [])])) as [
        Buffer?,
      ];
      if (chunk === undefined) throw new Error(`${file} ended`);
      said += String(chunk);
    }
    const [times = '', rate = ''] = said.split('|');
    return { times: times.trim().split(' ').map(Number), rate: Number(rate) };
  };
}

try {
  for (const folder of ['.config', '.config/cofferdam']) {
    mkdirSync(join(home, folder));
    chownSync(join(home, folder), uid ?? -1, gid ?? -1);
  }
  chownSync(home, uid ?? -1, gid ?? -1);
  const policy = `dns: {servers: ["${addresses.dns4}"]}\nglobal: {allow: [${name}], limits: {perRun: {bytes: 64g}, perMinute: {bytes: 64g}}}\n`;
  const file = join(home, '.config/cofferdam/firewall.yaml');
  writeFileSync(file, policy);
  chownSync(file, uid ?? -1, gid ?? -1);
  await world.start('net', server);
  const sandbox = ['run', '-p', 'python-tools', '--network', 'proxy', '--label', 'bench=1', '--stdin', '--'];
  const ours = startClient(
    join(install, 'bin/sandbox'),
    ...sandbox,
    'python3',
    '-c',
    client,
    '127.0.0.1',
    '3128',
    '',
    '1',
  );
  await ours();
  const status = await askDaemon();
  if (status?.proxy == null) throw new Error('the daemon has no proxy');
  const target = { address: '127.0.0.1', port: status.proxy.port };
  const nobody = { run: 'bench', number: 1, tool: undefined, profile: 'bench' };
  const header = encodeHeader(
    nobody,
    { tools: new Map(), profiles: new Map() },
    { counter: 0, request: '', target },
  ).toString('hex');
  const python = ['/usr/bin/python3', '-c', client] as const;
  const ways = [
    { way: 'direct', measure: startClient(...python, addresses.public4, '443', '', '0') },
    { way: 'Squid alone', measure: startClient(...python, '127.0.0.1', String(target.port), header, '1') },
    { way: 'sandbox, bridge, Squid', measure: ours },
  ].map((one) => ({ ...one, times: [] as number[], rates: [] as number[] }));
  // Round by round, so that what else the machine does falls on all alike.
  for (let round = 0; round < Number(values.rounds); round++)
    for (const { measure, times, rates } of ways) {
      const found = await measure();
      times.push(...found.times);
      rates.push(found.rate);
    }
  const sorted = (all: readonly number[]) => all.toSorted((a, b) => a - b);
  const rows = ways.map(({ way, times, rates }) => ({
    way,
    connectMs: Math.round(median(sorted(times)) * 100) / 100,
    megabytesPerSecond: Math.round(median(sorted(rates))),
  }));
  const [, squid, whole] = rows;
  const addedMs = Math.round(((whole?.connectMs ?? 0) - (squid?.connectMs ?? 0)) * 100) / 100;
  const share = Math.round((100 * (whole?.megabytesPerSecond ?? 0)) / (squid?.megabytesPerSecond ?? 1));
  if (values.json === true) console.log(JSON.stringify({ rows, addedMs, share }, null, 2));
  else {
    console.table(rows);
    console.log(`over Squid alone: ${addedMs} ms for a new connection, ${share} % of its throughput`);
  }
} finally {
  for (const end of ends) await end();
}
