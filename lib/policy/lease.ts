// Owns the files about the way out of a sandbox that lives on: its lease and its counts while it stands, and what it was used for.
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { listIfPresent, readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import { idPattern } from '../base/ids.ts';
import type { Paths } from '../base/paths.ts';
import { bootId, startTimeOf } from '../base/process.ts';
import { flag, list, matching, nullable, object, oneOf, type Shape, type ShapeOf, text, whole } from '../base/shape.ts';

const count = whole(0);
const id = matching(idPattern);
const policy = matching(/^sha256:[0-9a-f]{64}$/);

/** What the daemon needs to open the way again that a predecessor of it held open. */
const leaseShape = object({
  version: oneOf(1),
  run: id,
  tool: nullable(text),
  profile: text,
  /** `network.onDeny: ask`. */
  asks: flag,
  /** `network.allow`; null: all that the policy allows. */
  allow: nullable(list(text)),
  /** Name of the folder with the socket, which is mounted inside. */
  folder: matching(/^[0-9a-f]{16}$/),
  /** That of the start. */
  policy,
  hostFirewall: oneOf('verified', 'absent'),
  /** The one that holds it open now. */
  daemon: object({ pid: count, started: text, boot: text }),
});

export type Lease = ShapeOf<typeof leaseShape>;

const usedShape = object({
  version: oneOf(1),
  run: id,
  /** Requests that the proxy let out, and that it refused. */
  allowed: count,
  denied: count,
  /** Bytes from and to the sandbox. */
  bytesOut: count,
  bytesIn: count,
  policy,
  hostFirewall: oneOf('verified', 'drifted', 'absent'),
  /** Why the counts are not the whole truth. */
  problem: nullable(text),
});

const countsShape = object({
  version: oneOf(1),
  run: id,
  connections: count,
  requests: count,
  bytesOut: count,
  bytesIn: count,
});

/** What of the limits of a run is used up: the next daemon goes on from there. */
export type WayCounts = ShapeOf<typeof countsShape>;

export type UsedWay = ShapeOf<typeof usedShape>;

/** Where it is written down what the way of `run` was used for: by the daemon, and removed with the sandbox. */
export function usedWayFile({ state }: Pick<Paths, 'state'>, run: string): string {
  return join(usedWaysFolder({ state }), `${run}.json`);
}

export function usedWaysFolder({ state }: Pick<Paths, 'state'>): string {
  return join(state, 'egress', 'used');
}

/** A folder for each lease: `lease.json`, and the fifo `held`. */
export function leasesFolder({ run }: Pick<Paths, 'run'>): string {
  return join(run, 'egress', 'leases');
}

/** Runs that have one. */
export function listLeases(folder: string): string[] {
  return listIfPresent(folder).filter((name) => idPattern.test(name));
}

function readAs<T extends { readonly run: string }>(shape: Shape<T>, file: string, run: string): T | undefined {
  const written = readTextIfPresent(file, 65_536);
  if (written === undefined) return undefined;
  try {
    const read = shape(JSON.parse(written));
    if (read.run === run) return read;
    throw new Error(`it is of ${read.run}`);
  } catch (cause) {
    throw new CofferdamError('CONFIG_UNREADABLE', `${file} is damaged`, { cause });
  }
}

/** Undefined where there is none. Throws CONFIG_UNREADABLE. */
export function readLease(folder: string, run: string): Lease | undefined {
  return readAs(leaseShape, join(folder, run, 'lease.json'), run);
}

/** Throws DISK_FULL, TOOL_FAILED. */
export function writeLease(folder: string, lease: Lease): void {
  writeFileAtomic(join(folder, lease.run, 'lease.json'), `${JSON.stringify(lease)}\n`);
}

/** Undefined where nothing was counted. Throws CONFIG_UNREADABLE. */
export function readWayCounts(folder: string, run: string): WayCounts | undefined {
  return readAs(countsShape, join(folder, run, 'counts.json'), run);
}

/** Throws DISK_FULL, TOOL_FAILED. */
export function writeWayCounts(folder: string, counts: WayCounts): void {
  writeFileAtomic(join(folder, counts.run, 'counts.json'), `${JSON.stringify(counts)}\n`);
}

/** Whether somebody is there to end it, and to say what it was used for. */
export function isServed({ daemon }: Lease): boolean {
  return daemon.boot === bootId() && startTimeOf(daemon.pid) === daemon.started;
}

/** Undefined where nothing was recorded. Throws CONFIG_UNREADABLE. */
export function readUsedWay(file: string, run: string): UsedWay | undefined {
  return readAs(usedShape, file, run);
}

/** Throws DISK_FULL, TOOL_FAILED. */
export function writeUsedWay(file: string, used: UsedWay): void {
  writeFileAtomic(file, `${JSON.stringify(used)}\n`);
}
