// Owns what a plan's folder tells about a run of it: digests, and what was enforced. Believed only while it is what it was.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../../base/errors.ts';
import type { Digest, Enforced } from './statement.ts';

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
      limits: z.object({ timeout: z.int().min(1) }),
      network: z.object({ mode: z.string() }),
      workspace: z.object({ mode: z.string() }),
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
  readonly enforced: Enforced | { absent: string };
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

/** `apply FILE VALUE` lines of a launch script: the limits that it writes, reads back, and does not start without. */
export function readLimits(launch: string): { file: string; value: string }[] {
  return [...launch.matchAll(/^\tapply \S*\/([a-z_.]+) '?([A-Za-z0-9 ]+)'?$/gm)].map(([, file = '', value = '']) => {
    return { file, value };
  });
}

function readEnforced(inputs: PlanInputs, launch: string, config: string): PlanFacts['enforced'] {
  const limits = readLimits(launch);
  if (limits.length === 0) return { absent: 'the launch script names no limits in a form that this version reads' };
  const spec = specSchema.safeParse(JSON.parse(config));
  if (!spec.success) return { absent: 'the spec has not the form that this version reads' };
  const { process: started, root, linux } = spec.data;
  return {
    limits,
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
  return {
    inputs: inputs.data,
    profile: { sha256: sha256(JSON.stringify(value.profile)) },
    spec: { sha256: sha256(config) },
    enforced: readEnforced(inputs.data, launch, config),
  };
}
