// Owns which bounds hold for a principal: of tool, profile and global the smallest, so that no scope lifts another's.
import type { Policy, Scope } from './policy.ts';
import { builtInLimits, type LimitsFile } from './schema.ts';

export interface Amounts {
  readonly connections: number;
  readonly requests: number;
  readonly bytes: number;
}

export interface Limits {
  /** Connections open at the same time. */
  readonly atOnce: number;
  readonly perRun: Amounts;
  readonly perMinute: Amounts;
}

type Stated = { readonly [key in keyof Amounts]?: number | undefined };

function smallest(all: readonly Stated[]): Amounts {
  const least = (name: keyof Amounts) => Math.min(...all.map((one) => one[name] ?? Number.POSITIVE_INFINITY));
  return { connections: least('connections'), requests: least('requests'), bytes: least('bytes') };
}

function fill(stated: Stated | undefined, fallback: Amounts): Amounts {
  const { connections, requests, bytes } = { ...stated };
  return {
    connections: connections ?? fallback.connections,
    requests: requests ?? fallback.requests,
    bytes: bytes ?? fallback.bytes,
  };
}

/** What `global` says, with what is built in for each bound that it leaves out. */
export function globalLimits(limits: LimitsFile | undefined): Limits {
  return {
    atOnce: limits?.atOnce ?? builtInLimits.atOnce,
    perRun: fill(limits?.perRun, builtInLimits.perRun),
    perMinute: fill(limits?.perMinute, builtInLimits.perMinute),
  };
}

/** The bounds of a run whose scopes `applies` picks. */
export function decideLimits(policy: Policy, applies: (scope: Scope) => boolean): Limits {
  const base = globalLimits(policy.limits.find(({ scope }) => scope.kind === 'global')?.limits);
  const stated = policy.limits
    .filter(({ scope }) => scope.kind !== 'global' && applies(scope))
    .map((one) => one.limits);
  return {
    atOnce: Math.min(base.atOnce, ...stated.map(({ atOnce }) => atOnce ?? Number.POSITIVE_INFINITY)),
    perRun: smallest([base.perRun, ...stated.map(({ perRun }) => perRun)]),
    perMinute: smallest([base.perMinute, ...stated.map(({ perMinute }) => perMinute)]),
  };
}
