// Owns reading /proc of a process from outside, at one moment, without following anything that the guest made.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { errnoOf, messageOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { requireTool } from '../../engine/tools.ts';
import type { Facts } from './evidence.ts';

const texts = [
  'cgroup',
  'cmdline',
  'comm',
  'environ',
  'gid_map',
  'limits',
  'mountinfo',
  'net/dev',
  'net/if_inet6',
  'net/ipv6_route',
  'net/packet',
  'net/route',
  'net/tcp',
  'net/tcp6',
  'net/udp',
  'net/udp6',
  'net/unix',
  'oom_score_adj',
  'stat',
  'status',
  'uid_map',
];

const namespaces = ['user', 'pid', 'ipc', 'uts', 'net', 'mnt', 'cgroup'];

type Read<T> = { readonly value: T } | { readonly error: string };

function attempt<T>(read: () => T): Read<T> {
  try {
    return { value: read() };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    // A descriptor of ours that listed the folder, closed since.
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function readLinks(folder: string, names: readonly string[]): Map<string, string> {
  return new Map(
    names.flatMap((name) => {
      const target = readLink(`${folder}/${name}`);
      return target === undefined ? [] : [[name, target]];
    }),
  );
}

function valueIn<T>(read: Read<T> | undefined, name: string): T {
  if (read === undefined) throw new Error(`nobody reads ${name}`);
  if ('error' in read) throw new Error(`unreadable: ${read.error}`);
  return read.value;
}

function assemble(pid: number, found: ReadonlyMap<string, Read<string>>, fd: Read<Map<string, string>>): Facts {
  // By name: a plain user may follow these links of a subordinate uid's process, but not list them.
  const ns = attempt(() => readLinks(`/proc/${pid}/ns`, namespaces));
  return {
    pid,
    text: (name) => valueIn(found.get(name), name),
    links: (name) => valueIn(name === 'fd' ? fd : ns, name),
    hostHas: (path) => existsSync(path),
    // Not by its size: that of a file of /proc is 0.
    hostFills: (path) => {
      const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
      const read = attempt(() => (isFolder ? readdirSync(path) : readFileSync(path, 'latin1')).length);
      return 'value' in read && read.value > 0;
    },
    kernel: release(),
  };
}

function readTexts(pid: number): Map<string, Read<string>> {
  // latin1: the bytes of a guest's environment or command line are no valid UTF-8 by any promise.
  return new Map(texts.map((name) => [name, attempt(() => readFileSync(`/proc/${pid}/${name}`, 'latin1'))]));
}

/** Everything of `pid` now; what cannot be read throws when it is asked for. */
export function readFacts(pid: number): Facts {
  const folder = `/proc/${pid}/fd`;
  return assemble(
    pid,
    readTexts(pid),
    attempt(() => readLinks(folder, readdirSync(folder))),
  );
}

/**
 * The same for a plain user's sandbox: environment and descriptors belong to a subordinate uid and are read from within the
 * sandbox's user namespace, whose owner the caller is (user_namespaces(7)). Nothing but that namespace is entered: files,
 * processes and programs are the host's. Throws TOOL_FAILED.
 */
export async function readGuestFacts(pid: number): Promise<Facts> {
  const inside = [`--user=/proc/${pid}/ns/user`, '--preserve-credentials', '--'];
  const enter = async (tool: string, ...args: string[]) =>
    (await runTool(requireTool('nsenter', 'util-linux'), [...inside, tool, ...args])).stdout;
  const links = await enter(
    requireTool('find', 'findutils'),
    ...[`/proc/${pid}/fd`, '-mindepth', '1', '-printf', '%f %l\\0'],
  );
  const environ = await enter(requireTool('cat', 'coreutils'), `/proc/${pid}/environ`);
  const found = readTexts(pid).set('environ', { value: environ });
  const pairs = links.split('\0').filter((entry) => entry !== '');
  return assemble(pid, found, {
    value: new Map(pairs.map((entry) => [entry.split(' ', 1)[0] ?? '', entry.slice(entry.indexOf(' ') + 1)])),
  });
}

/** sha256 of the program that a process executes. Throws where it cannot be read. */
export function digestProgram(pid: number): string {
  return createHash('sha256')
    .update(readFileSync(`/proc/${pid}/exe`))
    .digest('hex');
}
