// Owns the collector's command line: node collect.cjs FROM TO MAXCOUNT MAXBYTES MAXDEPTH RESULT_FD, started by a launch script.
import { writeSync } from 'node:fs';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { collectArtifacts } from '../run/collect.ts';

function parseCount(text: string | undefined): number {
  if (text === undefined || !/^[0-9]{1,15}$/.test(text)) {
    throw new CofferdamError('USAGE', 'the collector was given a bound that is no number');
  }
  return Number(text);
}

function writeLine(fd: number, line: string): void {
  const bytes = Buffer.from(line);
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

function main(): void {
  const [from, to, maxCount, maxBytes, maxDepth, resultFd] = process.argv.slice(2);
  if (from === undefined || to === undefined) throw new CofferdamError('USAGE', 'the collector was given no folders');
  const collected = collectArtifacts({
    from,
    to,
    maxCount: parseCount(maxCount),
    maxBytes: parseCount(maxBytes),
    maxDepth: parseCount(maxDepth),
  });
  // A run from the prompt asks for no result object; the manifest stands beside the artifacts either way.
  if (resultFd !== undefined && resultFd !== '') writeLine(parseCount(resultFd), `${JSON.stringify(collected)}\n`);
}

try {
  process.umask(0o077);
  main();
} catch (thrown) {
  const remedy = thrown instanceof CofferdamError ? `\n  ${thrown.remedy}` : '';
  process.stderr.write(`sandbox: ${printable(messageOf(thrown), 400)}${remedy}\n`);
  process.exitCode = 125;
}
