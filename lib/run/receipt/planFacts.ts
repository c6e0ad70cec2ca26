// Owns what a plan's folder tells about a run of it: digests, and what was enforced. Believed only while it is what it was.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../../base/errors.ts';
import type { RunLimits } from '../result.ts';
import type { Absent, Digest, Enforced, Limit } from './statement.ts';

const prefixed = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .transform((text) => text.slice(7));

// Loose: it is what plan.ts wrote, under a digest that was checked; other versions write more.
const inputsSchema = z.object({
  version: z.string(),
  profile: z.object({
    name: z.string(),
    resolved: z.looseObject({
      limits: z.object({ timeout: z.int().min(1), enforce: z.enum(['strict', 'best-effort']).default('strict') }),
      network: z.object({ mode: z.string(), allow: z.array(z.string()).optional() }),
      workspace: z.object({ mode: z.string() }),
      // Plans of before there were any have none.
      ports: z.array(z.unknown()).default([]),
      labels: z.record(z.string(), z.string()),
    }),
  }),
  image: z.object({ name: z.string(), digest: prefixed }),
  engine: z.object({
    name: z.string(),
    path: z.string(),
    version: z.string(),
    weaknesses: z.array(z.string()).optional(),
  }),
  kernel: z.string(),
  seccomp: prefixed,
  cgroups: z.object({ version: z.union([z.literal(1), z.literal(2)]) }),
  program: z.object({ kind: z.enum(['slot', 'owner']) }),
  artifacts: z.boolean(),
});

export type PlanInputs = z.output<typeof inputsSchema>;

const names = z.array(z.string()).default([]);

const specSchema = z.object({
  process: z.object({
    capabilities: z.object({ bounding: names, effective: names, inheritable: names, permitted: names, ambient: names }),
    rlimits: z.array(z.object({ type: z.string(), soft: z.int(), hard: z.int() })).default([]),
    noNewPrivileges: z.boolean(),
  }),
  root: z.object({ readonly: z.boolean() }),
  linux: z.object({ namespaces: z.array(z.object({ type: z.string() })) }),
});

export interface PlanFacts {
  readonly inputs: PlanInputs;
  readonly profile: Digest;
  readonly spec: Digest;
  /** What a run that lacks these limits enforced; undefined: nobody knows what it lacked. */
  enforced(lacking: RunLimits['lacking'] | undefined): Enforced | Absent;
}

const gone = 'the plan was removed before the run was completed';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The digest of a plan's files, as plan.ts names the folder by it: with the folder's own name taken out again. */
export function digestPlan(folder: string, digest: string, files: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const [name, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const content = text.replaceAll(folder, '@@PLAN@@').replaceAll(digest, '@@DIGEST@@');
    hash.update(`${name}\0${content.length}\0${content}\0`);
  }
  return hash.digest('hex');
}

export interface PlannedLimit extends Limit {
  /** The limit of a profile that it is part of. */
  readonly part: RunLimits['lacking'][number] | undefined;
}

// lib/run/launch.ts writes them.
const parts: Readonly<Record<string, PlannedLimit['part']>> = { m: 'memory', n: 'pids', c: 'cpus' };

/**
 * The limits of a launch script: those that its supervisor writes and reads back (`--limit LETTER:VALUE:FILE`, s for a bound of swap),
 * without which it does not start, or, at best effort, says so in the record; and those that have no control group (`lack`).
 */
export function readLimits(launch: string): PlannedLimit[] {
  const applied = launch.matchAll(/^\t+--limit '?([mncs]):([A-Za-z0-9 ]+):'?\S*\/([a-z_.]+) \\$/gm);
  const lacked = launch.matchAll(/^\t+lack ([a-z_.]+) ([mnc]) '?([A-Za-z0-9 ]+)'?$/gm);
  return [
    ...[...applied].map(([, letter = '', value = '', file = '']): PlannedLimit => {
      const swap = letter === 's';
      return { file, value, when: swap ? 'swap' : 'always', part: parts[swap ? 'm' : letter] };
    }),
    ...[...lacked].map(
      ([, file = '', letter = '', value = '']): PlannedLimit => ({ file, value, when: 'always', part: parts[letter] }),
    ),
  ];
}

function readEnforced(
  inputs: PlanInputs,
  limits: readonly PlannedLimit[],
  config: string,
  lacking: RunLimits['lacking'] | undefined,
): Enforced | Absent {
  if (limits.length === 0) return { absent: 'the launch script names no limits in a form that this version reads' };
  // A strict launch script does not start a program that lacks one.
  if (lacking === undefined && inputs.profile.resolved.limits.enforce !== 'strict') {
    return { absent: 'limits were best effort, and the run left no record of those it lacked' };
  }
  const spec = specSchema.safeParse(JSON.parse(config));
  if (!spec.success) return { absent: 'the spec has not the form that this version reads' };
  const lacks = ({ part }: PlannedLimit) => part !== undefined && lacking?.includes(part) === true;
  const show = ({ file, value, when }: PlannedLimit) => ({ file, value, when });
  const { process: started, root, linux } = spec.data;
  return {
    limits: limits.filter((one) => !lacks(one)).map(show),
    lacking: limits.filter(lacks).map(show),
    rlimits: started.rlimits,
    namespaces: linux.namespaces.map(({ type }) => type),
    capabilities: started.capabilities,
    noNewPrivileges: started.noNewPrivileges,
    readOnlyRoot: root.readonly,
    seccomp: { sha256: inputs.seccomp },
    userMap: inputs.program.kind,
    network: inputs.profile.resolved.network.mode,
  };
}

/** The facts of the plan `digest` (64 hex digits), or why there are none. */
export function readPlanFacts(plans: string, digest: string): PlanFacts | { absent: string } {
  const folder = join(plans, digest);
  const files = new Map<string, string>();
  try {
    for (const name of readdirSync(folder)) files.set(name, readFileSync(join(folder, name), 'utf8'));
  } catch (cause) {
    return { absent: errnoOf(cause) === 'ENOENT' ? gone : 'the plan cannot be read' };
  }
  const changed = { absent: 'the plan was changed after it was made' };
  if (digestPlan(folder, digest, files) !== digest) return changed;
  const [config, launch, text] = [files.get('config.json'), files.get('launch'), files.get('inputs.json')];
  if (config === undefined || launch === undefined || text === undefined) return changed;
  const value = JSON.parse(text) as { profile?: unknown };
  const inputs = inputsSchema.safeParse(value);
  if (!inputs.success) return { absent: 'the plan was made by a version whose form this one does not read' };
  const limits = readLimits(launch);
  return {
    inputs: inputs.data,
    profile: { sha256: sha256(JSON.stringify(value.profile)) },
    spec: { sha256: sha256(config) },
    enforced: (lacking) => readEnforced(inputs.data, limits, config, lacking),
  };
}
