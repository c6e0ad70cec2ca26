// Owns reading lines of JSON from a socket, bounded: who sends a longer one is hung up on.
import type { Socket } from 'node:net';
import type { z } from 'zod';
import { mostMessage } from './protocol.ts';

/** Calls `onLine` for each line; one at a time, in order. */
export function readLineMessages(socket: Socket, onLine: (line: string) => void, most = mostMessage): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString('utf8');
      rest = rest.subarray(end + 1);
      onLine(line);
    }
    if (rest.length > most) socket.destroy();
  });
}

/** What a line says, or undefined where it is nothing of the schema's. */
export function readMessage<T extends z.ZodType>(schema: T, line: string): z.output<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

export function writeMessage(socket: Socket, value: unknown): void {
  socket.write(`${JSON.stringify(value)}\n`);
}
