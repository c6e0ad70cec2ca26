// Owns what listens on the host while a sandbox is verified: sockets of each kind, for it neither to see nor to reach.
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';

export interface Doors {
  readonly port: number;
  close(): Promise<void>;
}

function listen(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(where, () => done());
  });
}

function bind(socket: Socket, address: string): Promise<void> {
  return new Promise((done, failed) => {
    socket.once('error', failed);
    socket.bind(0, address, () => done());
  });
}

function hasLoopback6(): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
}

/** Opens them all: TCP, UDP, and an abstract unix socket named after the port. Whoever connects is hung up on. */
export async function openDoors(): Promise<Doors> {
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  const open = async (where: { host: string; port: number } | { path: string }) => {
    const server = createServer((socket) => socket.destroy());
    servers.push(server);
    await listen(server, where);
    return server;
  };
  const receive = async (type: 'udp4' | 'udp6', address: string) => {
    const socket = createSocket(type);
    sockets.push(socket);
    await bind(socket, address);
  };
  const close = async () => {
    for (const socket of sockets) socket.close();
    for (const server of servers) await new Promise((done) => server.close(done));
  };
  try {
    const address = (await open({ host: '127.0.0.1', port: 0 })).address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await open({ path: `\0cofferdam-verify-${port}` });
    await receive('udp4', '127.0.0.1');
    if (hasLoopback6()) {
      await open({ host: '::1', port: 0 });
      await receive('udp6', '::1');
    }
    return { port, close };
  } catch (error) {
    await close();
    throw error;
  }
}
