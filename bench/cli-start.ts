// Owns the benchmark of how commands start that go through Node: each beside a Node that does nothing, in one call.
// node bench/cli-start.ts [--rounds N] [--json]; as root, or a plain user that `sandbox setup --user` prepared.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { $ } from 'zx';
import { compare, median } from './compare.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '4' }, json: { type: 'boolean' } } });
const sandbox = join(import.meta.dirname, '../bin/sandbox');
const name = `bench-${process.pid}`;
const bare = 'node -e 0';
$.verbose = false;

const commands: Readonly<Record<string, string>> = {
  [bare]: `${process.execPath} -e 0`,
  'sandbox ps': `${sandbox} ps`,
  'sandbox inspect': `${sandbox} inspect ${name}`,
  'sandbox logs': `${sandbox} logs ${name}`,
  // An environment variable is what the short way does not take.
  'sandbox exec -e': `${sandbox} exec -e A=b ${name} -- /bin/true`,
  'sandbox create': `${sandbox} create --profile base-tools --label bench=${name}`,
  'sandbox --help': `${sandbox} --help`,
};

const folder = mkdtempSync(join(tmpdir(), 'cofferdam-bench-'));
try {
  await $`${sandbox} create --profile base-tools --name ${name} --start`.quiet();
  const peers = Object.entries(commands).map(([label, command]) => ({ name: label, command, cgroups: [] }));
  const times = await compare(peers, { rounds: Number(values.rounds), gapMs: 0, folder });
  const base = median(times.find((one) => one.name === bare)?.ms ?? []);
  if (values.json === true) console.log(JSON.stringify(times));
  else {
    console.log(`back to back (${times[0]?.ms.length} runs each, ms)\n${' '.repeat(20)}    min   median   of ${bare}`);
    for (const { name: label, ms } of times) {
      const [least, mid] = [(ms[0] ?? 0).toFixed(1).padStart(7), median(ms).toFixed(1).padStart(8)];
      console.log(`${label.padEnd(20)}${least} ${mid}   ${(median(ms) / base).toFixed(2)}x`);
    }
  }
} finally {
  await $`${sandbox} rm -f ${name}`.quiet();
  await $`${sandbox} prune --filter label=bench=${name}`.quiet();
  rmSync(folder, { recursive: true });
}
