// Owns a plain user's commands without a process for each: arguments come as lines of JSON, and what became of them goes back so.
import { createInterface } from 'node:readline';
import { ask } from './ask.ts';

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await ask('sandbox', JSON.parse(line) as string[]))}\n`);
