// Owns counting what stands on a lone host: processes, mounts, control groups, sockets, files and folders.
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lineProcess } from './commandLine.ts';
import { findCgroups, type LoneHost } from './loneHost.ts';
import { until } from './scene.ts';
import { readSoft } from './traces.ts';

/** Where anything of ours or of an engine's may be made. */
export const places = ['/tmp', '/run/cofferdam', '/run/user', '/var/lib/cofferdam', '/dev/shm'];

interface Live {
  /** As the lone host sees it. */
  readonly pid: string;
  readonly words: string;
}

/** Processes other than the host's own two, its init and what that waits for, and our command lines there. A zombie is one until it is reaped. */
export function processesOf({ root }: LoneHost): Live[] {
  const proc = join(root, 'proc');
  return readdirSync(proc)
    .filter((name) => /^[0-9]+$/.test(name) && name !== '1')
    .map((pid) => ({
      pid,
      words: readSoft(join(proc, pid, 'cmdline'))
        .replaceAll('\0', ' ')
        .trim(),
    }))
    .filter(({ words }) => words !== 'sleep infinity' && !words.includes(lineProcess))
    .map(({ pid, words }) => ({ pid, words: words === '' ? readSoft(join(proc, pid, 'comm')).trim() : words }))
    .filter(({ words }) => words !== '');
}

function mountsOf({ init }: LoneHost): string[] {
  return readSoft(`/proc/${init}/mountinfo`)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `mount ${line.split(' ')[4]} ${line.split(' - ')[1]?.split(' ')[0]}`);
}

/** proc(5): /proc/net/unix has its paths in the eighth field; the others have their addresses in the second. */
function socketsOf({ init }: LoneHost): string[] {
  const lines = (name: string, field: number) =>
    readSoft(`/proc/${init}/net/${name}`)
      .split('\n')
      .slice(1)
      .filter((line) => line !== '')
      .map((line) => `socket ${name} ${line.trim().split(/\s+/)[field] ?? 'without a name'}`);
  return [...lines('unix', 7), ...['tcp', 'tcp6', 'udp', 'udp6'].flatMap((name) => lines(name, 1))];
}

function filesBelow(root: string, place: string, device: number): string[] {
  return readdirSync(join(root, place), { withFileTypes: true }).flatMap((entry) => {
    const path = join(place, entry.name);
    if (!entry.isDirectory()) return [`file ${path}`];
    const within = lstatSync(join(root, path)).dev === device;
    return [`folder ${path}`, ...(within ? filesBelow(root, path, device) : [])];
  });
}

/** A line for each thing. Receipts are what a run, killed or not, is meant to leave: told apart by isReceipt. */
export function countHost(host: LoneHost): string[] {
  const files = places.flatMap((place) => filesBelow(host.root, place, lstatSync(join(host.root, place)).dev));
  const cgroups = findCgroups(host.prefix).map((path) => `cgroup ${path}`);
  const processes = processesOf(host).map(({ words }) => `process ${words}`);
  return [...processes, ...mountsOf(host), ...cgroups, ...socketsOf(host), ...files].sort();
}

/** Whether a line of countHost is the receipt of a run of ours. */
export function isReceipt({ prefix }: LoneHost, line: string): boolean {
  return (
    line.includes(`/receipts/`) &&
    /\/receipts\/[0-9]{4}-[0-9]{2}\/[A-Za-z0-9_-]+\.json$/.test(line) &&
    line.includes(`/${prefix}`)
  );
}

/**
 * Waits for the processes of a killed run to be gone; gives those that are not. `seconds` is for a busy machine. Looked at twice:
 * one look does not see a child that was made after the look began, of a parent that had ended when the look came to it.
 */
export async function awaitDeath(host: LoneHost, seconds = 60): Promise<Live[]> {
  const isGone = () => processesOf(host).length === 0;
  return (await until(() => isGone() && isGone(), seconds)) ? [] : processesOf(host);
}
