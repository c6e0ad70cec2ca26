// Owns asking the kernel who listens on a port of loopback, and how many connections it has: proc(5), net/tcp.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { CofferdamError } from '../../base/errors.ts';

const listening = '0A';

interface Socket {
  readonly local: string;
  readonly state: string;
  readonly inode: string;
}

function readSockets(pid: number): Socket[] {
  return readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local, , state] = fields;
      const inode = fields[9];
      return local === undefined || state === undefined || inode === undefined ? [] : [{ local, state, inode }];
    });
}

// 127.0.0.1 as the kernel prints it on a little-endian machine, and on a big-endian one.
const isAt = (port: number) => {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return ({ local }: Socket) => local === `0100007F:${hex}` || local === `7F000001:${hex}`;
};

/** Inodes of the sockets that process `pid` has open; none when it has ended. */
export function openSockets(pid: number): ReadonlySet<string> {
  const folder = `/proc/${pid}/fd`;
  const inodes = new Set<string>();
  try {
    for (const fd of readdirSync(folder)) {
      try {
        const [, inode] = /^socket:\[([0-9]+)\]$/.exec(readlinkSync(`${folder}/${fd}`)) ?? [];
        if (inode !== undefined) inodes.add(inode);
      } catch {
        // Closed meanwhile.
      }
    }
  } catch {
    // It has ended.
  }
  return inodes;
}

/** Whether process `pid` itself listens on 127.0.0.1:`port`: another's listener, however it answers, is not taken for it. */
export function isListening(pid: number, port: number): boolean {
  try {
    const listeners = readSockets(pid)
      .filter(isAt(port))
      .filter(({ state }) => state === listening);
    if (listeners.length === 0) return false;
    const own = openSockets(pid);
    return listeners.some(({ inode }) => own.has(inode));
  } catch {
    return false; // It has ended.
  }
}

/** How many connections to 127.0.0.1:`port` are not closed on the side of `pid`. 0 when it has ended. */
export function countConnections(pid: number, port: number): number {
  try {
    // 01 established, 08 the peer has closed.
    return readSockets(pid)
      .filter(isAt(port))
      .filter(({ state }) => state === '01' || state === '08').length;
  } catch {
    return 0;
  }
}

/** A port of 127.0.0.1 that nobody has at this moment. */
export function findFreePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) done(address.port);
        else fail(new CofferdamError('INTERNAL', 'a listener has no port'));
      });
    });
  });
}
