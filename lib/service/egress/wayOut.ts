// Owns opening the way out for one run, as whoever starts runs is given it.
import { basename, dirname } from 'node:path';
import type { z } from 'zod';
import { CofferdamError } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { requireWall } from '../../firewall/wall.ts';
import { readClock } from '../../policy/clock.ts';
import { isServed, leasesFolder, listLeases, readLease } from '../../policy/lease.ts';
import { scopeNames } from '../../policy/schema.ts';
import { type EgressConnection, openDaemon, reachDaemon } from './client.ts';
import { egressFolders, wallPlaces } from './folders.ts';
import {
  type EgressRequest,
  type EgressStatus,
  type EgressSummary,
  leasedSchema,
  openedSchema,
  statusSchema,
  summarySchema,
} from './protocol.ts';
import { callerPlaces, isSystemEgress } from './systemPlaces.ts';

/** On whose behalf. */
export interface WayOutCaller {
  readonly paths: Paths;
  readonly uid: number;
  /** Where a daemon has to be started, its variables may name a parent proxy (lib/policy/parentProxy.ts). */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface WayOutRequest {
  readonly run: string;
  /** Id of the tool whose rules apply, beside those of the profile. */
  readonly tool: string | undefined;
  readonly profile: string;
  /** Whether a refused request waits for a person's answer: `network.onDeny: ask`. */
  readonly asks: boolean;
  /** The profile's own list of hosts, of which alone the policy may allow any: `network.allow`. Undefined: it has none. */
  readonly allow: readonly string[] | undefined;
}

export interface OpenWayOut {
  /** Holds `proxy.sock` and nothing else; to be mounted read-only. */
  readonly folder: string;
  /** `sha256:` and 64 hex digits: the policy that held at the start. */
  readonly policy: string;
  /** As it is at the start; `absent` also where nobody tells a plain user (firewall watch). */
  readonly hostFirewall: 'verified' | 'absent';
  /** Closes it. Throws PROXY_FAILED when the daemon is gone: then nobody knows what was reached. */
  close(): Promise<EgressSummary>;
}

export interface LeasedWayOut extends Pick<OpenWayOut, 'folder'> {
  /** What the supervisor of the sandbox opens for writing. */
  readonly hold: string;
  /** Leaves it to whoever holds it. */
  leave(): void;
  close(): Promise<EgressSummary>;
}

/** As the bridge makes them (lib/service/bridge/bridge.ts). */
const runFolderName = /^[0-9a-f]{16}$/;
/** Of this many tries one must meet a daemon that is not just ending for want of work. */
const tries = 3;

function askedWay({ run, tool, profile, asks, allow }: WayOutRequest) {
  return { id: run, tool: tool ?? null, profile, asks, allow: allow === undefined ? null : [...allow] };
}

function checkTool(tool: string | undefined): void {
  if (tool === undefined || scopeNames.tool.safeParse(tool).success) return;
  throw new CofferdamError('VALUE_INVALID', `"${printable(tool, 80)}" is not the id of a tool`, {
    remedy: 'write it as in the policy, such as web.search@v1',
  });
}

/** Asks a daemon, a new one where it was just ending. The connection stays open. */
async function askDaemon<T extends z.ZodType>({ paths, uid, env }: WayOutCaller, request: EgressRequest, answer: T) {
  for (let attempt = 1; ; attempt++) {
    const daemon = await openDaemon(paths, uid, env);
    try {
      return { daemon, opened: await daemon.ask(request, answer) };
    } catch (error) {
      daemon.close();
      if (!(error instanceof CofferdamError) || error.code !== 'PROXY_FAILED' || attempt === tries) throw error;
    }
  }
}

/**
 * The same for a way. The folder that the daemon names is mounted and, by root, given away: nothing but one for a run, where those are.
 * Throws PROXY_FAILED.
 */
async function askWay<T extends z.ZodType<{ readonly folder: string }>>(
  caller: WayOutCaller,
  request: EgressRequest,
  answer: T,
) {
  const { paths, uid } = caller;
  const asked = await askDaemon(caller, request, answer);
  const { folder } = asked.opened;
  const around = isSystemEgress(paths, uid) ? callerPlaces(uid).folder : egressFolders(paths).runs;
  if (dirname(folder) === around && runFolderName.test(basename(folder))) return asked;
  asked.daemon.close();
  throw new CofferdamError('PROXY_FAILED', `the way out is not where ways out are: ${printable(folder, 200)}`);
}

async function endWay(daemon: EgressConnection, run: string): Promise<EgressSummary> {
  try {
    return await daemon.ask({ do: 'end', id: run }, summarySchema);
  } finally {
    daemon.close();
  }
}

/**
 * Opens the way out of a run; it closes with close(), and when this process ends, however it ends. Throws VALUE_INVALID for
 * what is no tool, FIREWALL_DRIFT, POLICY_MISSING and all that a policy is refused with, PROXY_MISSING, PROXY_FAILED, ID_IN_USE.
 */
export async function openWayOut(caller: WayOutCaller, request: WayOutRequest): Promise<OpenWayOut> {
  const { tool, run } = request;
  checkTool(tool);
  const { paths, uid } = caller;
  const hostFirewall = await requireWall({ places: wallPlaces(paths), uid, clock: readClock });
  const asked = { do: 'run', ...askedWay(request) } as const;
  const { daemon, opened } = await askWay(caller, asked, openedSchema);
  return { ...opened, hostFirewall, close: () => endWay(daemon, run) };
}

/**
 * Opens the way out of a sandbox that lives on: it lasts while somebody holds `hold` open for writing, and until then as that of
 * openWayOut. Throws the same.
 */
export async function leaseWayOut(caller: WayOutCaller, request: WayOutRequest): Promise<LeasedWayOut> {
  const { tool, run } = request;
  checkTool(tool);
  const { paths, uid } = caller;
  const hostFirewall = await requireWall({ places: wallPlaces(paths), uid, clock: readClock });
  const asked = { do: 'lease', ...askedWay(request), hostFirewall } as const;
  const { daemon, opened } = await askWay(caller, asked, leasedSchema);
  const { folder, hold } = opened;
  return { folder, hold, leave: () => daemon.close(), close: () => endWay(daemon, run) };
}

/** Whether a way of this user is without a daemon: that of a sandbox which lives, or what a killed one left. */
function isUnserved(paths: Paths): boolean {
  const folder = leasesFolder(paths);
  return listLeases(folder).some((run) => {
    try {
      const lease = readLease(folder, run);
      return lease === undefined || !isServed(lease);
    } catch {
      // Damaged: the daemon takes it away.
      return true;
    }
  });
}

/**
 * Starts the daemon where an earlier one left ways of sandboxes that live: it opens them again, and clears away what has ended. False when there is
 * nothing to do. Throws what its start is stopped by.
 */
export async function restoreWaysOut({ paths, uid, env }: WayOutCaller): Promise<boolean> {
  if (isSystemEgress(paths, uid) || !isUnserved(paths)) return false;
  (await openDaemon(paths, uid, env)).close();
  return true;
}

/** Tells the service of the host what became of a request of `caller`'s. Throws EGRESS_DOWN, REQUEST_UNKNOWN, HOST_FORBIDS. */
export async function tellAnswer(
  { paths, uid, env }: WayOutCaller,
  answered: Omit<Extract<EgressRequest, { do: 'answer' }>, 'do'>,
): Promise<void> {
  const daemon = await openDaemon(paths, uid, env);
  try {
    await daemon.ask({ do: 'answer', ...answered }, statusSchema);
  } finally {
    daemon.close();
  }
}

/** What the daemon of this user says of itself and of the ways that are open; undefined where there is none. */
export async function askStatus(paths: Paths): Promise<EgressStatus | undefined> {
  const daemon = await reachDaemon(egressFolders(paths));
  try {
    return await daemon?.ask({ do: 'status' }, statusSchema);
  } catch (error) {
    if (error instanceof CofferdamError && error.code === 'PROXY_FAILED') return undefined;
    throw error;
  } finally {
    daemon?.close();
  }
}
