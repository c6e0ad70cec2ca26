// Owns what a supervisor becomes when a sandbox with a writable folder has ended: node sweep.cjs CLAIMS RECORDS DESTINATION.
import { CofferdamError, messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { sweepClaims } from '../run/claimSweep.ts';

async function main(): Promise<void> {
  const [claims, records, destination] = process.argv.slice(2);
  if (claims === undefined || records === undefined || destination === undefined)
    throw new CofferdamError('USAGE', 'the sweeper was given no folders');
  const { stuck } = await sweepClaims({ claims, records, destination, quarantine: undefined });
  for (const { id, why } of stuck) process.stderr.write(`sandbox: ${id} was not looked through: ${why}\n`);
}

// Until it is known to have gone well.
process.exitCode = 125;
process.umask(0o077);
main().then(
  () => {
    process.exitCode = 0;
  },
  (thrown) => void process.stderr.write(`sandbox: ${printable(messageOf(thrown), 400)}\n`),
);
