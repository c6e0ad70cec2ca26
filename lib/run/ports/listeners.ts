// Owns looking at what is bound on this host: sockets, and the processes that hold them as far as we may see.
import { readdirSync, readlinkSync } from 'node:fs';
import { readTextIfPresent } from '../../base/files.ts';
import { printable } from '../../base/printable.ts';
import { type Listener, parseEphemeral, parseSockets } from '../../policy/ports/procNet.ts';
import { protocols } from '../../policy/ports/schema.ts';

/** A process as a person finds it; its name is what it calls itself, made printable. */
export interface Holder {
  readonly pid: number;
  readonly name: string;
}

const most = 64 << 20;
const read = (file: string) => readTextIfPresent(file, most) ?? '';

/**
 * All listeners of our network namespace. A UDP socket at a port that the kernel chose is some program's question to somebody, and left
 * out. Throws CONFIG_UNREADABLE.
 */
export function readListeners(): Listener[] {
  const ephemeral = parseEphemeral(read('/proc/sys/net/ipv4/ip_local_port_range'));
  return protocols
    .flatMap((protocol) =>
      ['', '6'].flatMap((family) => parseSockets(read(`/proc/self/net/${protocol}${family}`), protocol)),
    )
    .filter(({ protocol, port }) => protocol === 'tcp' || port < ephemeral.first || port > ephemeral.last);
}

// Processes come and go, and others' are closed to us.
function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function inodeOf(path: string): string | undefined {
  try {
    return /^socket:\[([0-9]+)\]$/.exec(readlinkSync(path))?.[1];
  } catch {
    return undefined;
  }
}

// Of a process that has ended meanwhile there is none; nor of one whose name is no text.
function nameOf(pid: string): string {
  try {
    return printable(read(`/proc/${pid}/comm`).trim(), 40);
  } catch {
    return '?';
  }
}

/** The processes that hold the sockets with these inodes; without those that we may not see. */
export function findHolders(inodes: ReadonlySet<string>): Map<string, Holder[]> {
  const holders = new Map<string, Holder[]>();
  for (const pid of list('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    const held = new Set(list(`/proc/${pid}/fd`).map((fd) => inodeOf(`/proc/${pid}/fd/${fd}`)));
    for (const inode of held) {
      if (inode === undefined || !inodes.has(inode)) continue;
      holders.set(inode, [...(holders.get(inode) ?? []), { pid: Number(pid), name: nameOf(pid) }]);
    }
  }
  return holders;
}

/** `python3 (pid 12), sh (pid 13)`, or whose it is where the process is closed to us. */
export function holderText(holders: readonly Holder[] | undefined, uid: number): string {
  if (holders === undefined || holders.length === 0) return `a process of uid ${uid}`;
  return holders
    .slice(0, 4)
    .map(({ pid, name }) => `${name} (pid ${pid})`)
    .join(', ');
}
