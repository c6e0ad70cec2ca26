// Owns the command line of the daemon of the way out: node egress.cjs PATHS, started by lib/service/egress/client.ts. fd 3 takes what stops it.
import { writeSync } from 'node:fs';
import { z } from 'zod';
import { printable } from '../base/printable.ts';
import { startDaemon } from '../service/egress/daemon.ts';
import { failureOf } from '../service/egress/protocol.ts';

const absolute = z.string().startsWith('/');
const pathsSchema = z.strictObject({
  hostConfig: absolute,
  config: absolute,
  data: absolute,
  state: absolute,
  run: absolute,
  imageStores: z.array(absolute),
  install: absolute,
});

/** Without a run for so long it ends; the next one starts it again in a third of a second. */
const idleMs = 60_000;
const resultFd = 3;

async function main(): Promise<void> {
  const paths = pathsSchema.parse(JSON.parse(process.argv[2] ?? ''));
  const uid = process.getuid?.() ?? -1;
  const say = (text: string) => void process.stderr.write(`${new Date().toISOString()} ${printable(text, 600)}\n`);
  const daemon = await startDaemon({ paths, uid, env: process.env, idleMs, say });
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => daemon.close());
  process.on('SIGHUP', () => undefined);
  await daemon.ended;
}

process.umask(0o077);
main().then(
  () => process.exit(0),
  (thrown) => {
    writeSync(resultFd, JSON.stringify(failureOf(thrown)));
    process.exit(125);
  },
);
