// Owns what is told of a sandbox: the object that inspect prints, and the words of a listing.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../../base/paths.ts';
import { runFolders } from '../folders.ts';
import { type EndReason, signalOf } from '../result.ts';
import { listSandboxes, logsFolder, type Sandbox, type Unreadable } from './sandbox.ts';
import { readState, type SandboxState } from './state.ts';
import { isWayServed, readEgress } from './usedWay.ts';

export interface SandboxDescription extends Omit<Sandbox, 'version' | 'request'> {
  readonly state: {
    readonly status: SandboxState['status'];
    /** Null while it runs, and when nobody recorded an end. */
    readonly exitCode: number | null;
    readonly signal: string | null;
    readonly reason: EndReason | null;
    /** ISO 8601. */
    readonly startedAt: string | null;
    readonly endedAt: string | null;
    /** Of the supervisor. */
    readonly pid: number | null;
  };
  /** Null where its network is none, and before its first start. What it was used for is known when it has ended. */
  readonly egress: {
    /** open: a daemon holds it; closed: it runs, and there is none, so nothing leaves; ended: it does not run. */
    readonly way: 'open' | 'closed' | 'ended';
    readonly allowed: number | null;
    readonly denied: number | null;
    readonly problem: string | null;
  } | null;
  readonly logs: string;
}

function describeEgress(paths: Paths, { run, network }: Sandbox, lives: boolean): SandboxDescription['egress'] {
  if (run === null || network.mode === 'none') return null;
  if (lives) {
    const way = isWayServed(paths, run) ? 'open' : 'closed';
    return { way, allowed: null, denied: null, problem: way === 'open' ? null : 'its daemon has ended: sandbox gc' };
  }
  const egress = readEgress(paths, run);
  const known = egress !== undefined && egress.problem === undefined;
  return {
    way: 'ended',
    allowed: known ? egress.allowed : null,
    denied: known ? egress.denied : null,
    problem: egress === undefined ? 'nobody counted: see firewall log' : (egress.problem ?? null),
  };
}

function iso(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

function startedMs(paths: Paths, run: string | null): number | undefined {
  if (run === null) return undefined;
  return lstatSync(join(runFolders(paths).records, run), { throwIfNoEntry: false })?.mtimeMs;
}

/** All that is known of a sandbox now. */
export function describeSandbox(paths: Paths, sandbox: Sandbox, state = readState(paths, sandbox)): SandboxDescription {
  const { version: _, request: __, ...known } = sandbox;
  const record = state.status === 'exited' ? state.record : undefined;
  const live = state.status === 'running' || state.status === 'paused' ? state.live : undefined;
  return {
    ...known,
    state: {
      status: state.status,
      exitCode: record?.exitCode ?? null,
      signal: record === undefined ? null : signalOf(record.exitCode),
      reason: record?.reason ?? null,
      startedAt: iso(record?.startedMs ?? (live === undefined ? undefined : startedMs(paths, sandbox.run))),
      endedAt: iso(record?.endedMs),
      pid: live?.pid ?? null,
    },
    egress: describeEgress(paths, sandbox, live !== undefined),
    logs: logsFolder(paths, sandbox.id),
  };
}

export interface Described {
  readonly sandbox: Sandbox;
  readonly state: SandboxState;
  readonly described: SandboxDescription;
}

/** Every sandbox with its state, oldest first; those that cannot be read apart. */
export function describeAll(paths: Paths): { all: Described[]; unreadable: readonly Unreadable[] } {
  const { sandboxes, unreadable } = listSandboxes(paths);
  const all = sandboxes.map((sandbox) => {
    const state = readState(paths, sandbox);
    return { sandbox, state, described: describeSandbox(paths, sandbox, state) };
  });
  return { all, unreadable };
}
