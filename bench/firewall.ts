// Owns the host firewall's benchmark: how long sets take to load, and what a packet costs, by the number of elements.
// node bench/firewall.ts [--rounds N] [--json]; as root. All of it in network namespaces that end with it.
import { parseArgs } from 'node:util';
import { renderNftables } from '../lib/firewall/render.ts';
import { largeModel } from '../test/firewall/samples.ts';
import { addresses, makeWorld, staticRules, uids } from '../test/firewall/world.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean' } } });
const rounds = Number(values.rounds);
const exchanges = 10_000;

// One byte there and back on one connection: data and acknowledgements of the proxy's uid pass its whole chain. Both ends on
// one processor, or the scheduler's choices would be most of what is measured.
const pingPong = `import os, socket, time
os.sched_setaffinity(0, {0})
os.setgroups([]); os.setresgid(${uids.proxy}, ${uids.proxy}, ${uids.proxy}); os.setresuid(${uids.proxy}, ${uids.proxy}, ${uids.proxy})
s = socket.create_connection(("${addresses.private4}", 443), 2)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
began = time.perf_counter()
for _ in range(${exchanges}):
    s.send(b"x"); s.recv(1)
print((time.perf_counter() - began) / ${exchanges} * 1e6)
`;
const echo = `import os, socket
os.sched_setaffinity(0, {0})
l = socket.create_server(("${addresses.private4}", 443)); print("ready", flush=True)
while True:
    c, _ = l.accept()
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while (b := c.recv(1)): c.send(b)
`;

const ends: (() => unknown)[] = [];
const world = makeWorld({ teardown: (end) => ends.push(end) });
const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[all.length >> 1] ?? Number.NaN;
const round = (value: number) => Math.round(value * 100) / 100;

/** The sample's exceptions, and the one that the probe needs. */
function scriptOf(count: number): string {
  const model = largeModel(count);
  const needed = { address: addresses.private4, prefix: 32, family: 'ipv4' as const, text: `${addresses.private4}/32` };
  return renderNftables({ ...model, privateNetworks: [...model.privateNetworks, needed] }, staticRules);
}

try {
  await world.start('net', echo);
  const cases = [0, 10, 1000, 10_000].map((elements) => ({ elements, loads: [] as number[], trips: [] as number[] }));
  // Round by round, so that what else the machine does falls on all alike.
  for (let i = 0; i < rounds; i++) {
    for (const { elements, loads, trips } of cases) {
      world.host(['nft', 'flush', 'ruleset']);
      if (elements > 0) {
        const script = scriptOf(elements);
        const began = performance.now();
        world.host(['nft', '-f', '-'], script);
        loads.push(performance.now() - began);
      }
      trips.push(Number(world.host(['/usr/bin/python3', '-c', pingPong])));
    }
  }
  // The fastest round is the one that least else happened in.
  const without = Math.min(...(cases[0]?.trips ?? []));
  const results = cases.map(({ elements, loads, trips }) => ({
    elements,
    loadMs: elements === 0 ? null : round(median(loads)),
    roundTripUs: round(Math.min(...trips)),
    addedUs: elements === 0 ? null : round(Math.min(...trips) - without),
  }));
  if (values.json === true) console.log(JSON.stringify(results));
  else console.table(results);
} finally {
  for (const end of ends) await end();
}
