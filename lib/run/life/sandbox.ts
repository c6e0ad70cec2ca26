// Owns what is kept of a sandbox between commands: its folder, sandbox.json, and finding it by id, name or unique prefix.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { readTextIfPresent, writeFileAtomic } from '../../base/files.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { leafControllers } from '../../engine/cgroup.ts';

export const sandboxIdPattern = /^s[0-9a-f]{16}$/;
export const sandboxNamePattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const word = z.string().optional();

const sandboxSchema = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(sandboxIdPattern),
  name: z.string().regex(sandboxNamePattern),
  /** Those of the profile and the caller's. */
  labels: z.record(z.string(), z.string()),
  profileName: z.string(),
  /** Of the resolved profile, labels and lifetimes left out: start refuses when it has changed. */
  profileDigest: digest,
  /** ISO 8601. */
  created: z.string(),
  command: z.array(z.string()).min(1),
  tty: z.boolean(),
  /** Whether its program takes what attached callers type. */
  interactive: z.boolean().default(false),
  /** null: as long as the host's ceiling permits. */
  ttlMs: z.int().min(1).nullable(),
  /** null: as the profile says. */
  idleMs: z.int().min(1).nullable(),
  /** Absolute host folder; null for scratch. */
  workspace: z.strictObject({ mode: z.enum(['scratch', 'ro', 'rw', 'copy']), source: z.string().nullable() }),
  /** The one that is, or was last, executed. */
  plan: z.strictObject({ digest, directory: z.string() }),
  /** Parents of the leaves `PATH/RUN`, as of the last start (lib/engine/cgroup.ts, CgroupParents). */
  cgroups: z.strictObject({
    version: z.union([z.literal(1), z.literal(2)]),
    folders: z.array(z.strictObject({ controllers: z.array(z.enum(leafControllers)), path: z.string() })),
  }),
  engine: z.strictObject({ name: z.string(), path: z.string(), version: z.string() }),
  image: z.strictObject({ name: z.string(), version: z.string(), digest }),
  /** What was asked for, from which each start compiles its plan: as the words stood on the command line, and in which folder. */
  request: z.strictObject({
    profile: z.string(),
    cwd: z.string(),
    workspace: word,
    overrides: z.strictObject({
      memory: word,
      cpus: word,
      pids: word,
      engine: word,
      isolation: word,
      env: z.array(z.string()),
      labels: z.array(z.string()),
      publish: z.array(z.string()).optional(),
    }),
  }),
  /** As of the last start. */
  ports: z
    .array(z.strictObject({ name: z.string(), address: z.string(), port: z.int(), container: z.int() }))
    .default([]),
  /** Id of the run that is, or was last: `ID-N`. null: never started. */
  run: z.string().nullable(),
  starts: z.int().min(0),
});

export type Sandbox = z.output<typeof sandboxSchema>;

/** A fresh id: `s` and 16 hex digits of the kernel's randomness. */
export function newSandboxId(): string {
  return `s${randomBytes(8).toString('hex')}`;
}

/** Folder of all sandboxes of this user. Makes nothing. */
export function sandboxesFolder(paths: Paths): string {
  return join(paths.state, 'sandboxes');
}

/** The folder of one: sandbox.json, `lock`, `result` (of the last run), `messages` (the supervisor's own words), `logs/`. */
export function sandboxFolder(paths: Paths, id: string): string {
  return join(sandboxesFolder(paths), id);
}

/** Where the supervisor writes the output of the sandbox. */
export function logsFolder(paths: Paths, id: string): string {
  return join(sandboxFolder(paths, id), 'logs');
}

/** The control groups of its run: one folder for each parent; none when it never started. */
export function leavesOf({ cgroups, run }: Pick<Sandbox, 'cgroups' | 'run'>): string[] {
  return run === null ? [] : cgroups.folders.map(({ path }) => join(path, run));
}

/** Folder of claimed names: one file each, holding the id. */
export function namesFolder(paths: Paths): string {
  return join(sandboxesFolder(paths), 'names');
}

/** The sandbox with exactly this id; undefined when there is none. Throws CONFIG_UNREADABLE for a damaged one. */
export function readSandbox(paths: Paths, id: string): Sandbox | undefined {
  const file = join(sandboxFolder(paths, id), 'sandbox.json');
  const text = readTextIfPresent(file, 4 << 20);
  if (text === undefined) return undefined;
  try {
    const sandbox = sandboxSchema.parse(JSON.parse(text));
    if (sandbox.id === id) return sandbox;
    throw new Error(`it names ${sandbox.id}`);
  } catch (cause) {
    throw new CofferdamError('CONFIG_UNREADABLE', `${printable(file)} is damaged`, {
      cause,
      remedy: `remove it: sandbox rm -f ${id}`,
    });
  }
}

/** Throws DISK_FULL or TOOL_FAILED. */
export function writeSandbox(paths: Paths, sandbox: Sandbox): void {
  writeFileAtomic(join(sandboxFolder(paths, sandbox.id), 'sandbox.json'), `${JSON.stringify(sandbox, null, 1)}\n`);
}

/** Ids of the folders that hold a sandbox. */
export function listSandboxIds(paths: Paths): string[] {
  try {
    return readdirSync(sandboxesFolder(paths)).filter(
      (name) => sandboxIdPattern.test(name) && existsSync(join(sandboxFolder(paths, name), 'sandbox.json')),
    );
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  }
}

/** All sandboxes of this user, oldest first. Throws CONFIG_UNREADABLE when one is damaged. */
export function listSandboxes(paths: Paths): Sandbox[] {
  return listSandboxIds(paths)
    .map((id) => readSandbox(paths, id))
    .filter((sandbox) => sandbox !== undefined)
    .sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : a.id < b.id ? -1 : 1));
}

// A damaged one is told to who names it.
function nameOf(paths: Paths, id: string): string[] {
  try {
    const sandbox = readSandbox(paths, id);
    return sandbox === undefined ? [] : [sandbox.name];
  } catch {
    return [];
  }
}

// The least of an id that names a sandbox: `s1` would too easily be a typing error for something else.
const shortestPrefix = 4;

/**
 * The sandbox that `text` names: its id, its name, or a prefix of at least 4 characters of one id only. Throws SANDBOX_UNKNOWN with the
 * nearest names.
 */
export function findSandbox(paths: Paths, text: string): Sandbox {
  const ids = listSandboxIds(paths);
  const named = sandboxNamePattern.test(text)
    ? readTextIfPresent(join(namesFolder(paths), text), 64)?.trim()
    : undefined;
  const exact = [text, named].find((id) => id !== undefined && ids.includes(id));
  const prefixed = text.length >= shortestPrefix ? ids.filter((id) => id.startsWith(text)) : [];
  const id = exact ?? (prefixed.length === 1 ? prefixed[0] : undefined);
  const found = id === undefined ? undefined : readSandbox(paths, id);
  if (found !== undefined) return found;
  const shown = printable(text, 80);
  if (prefixed.length > 1) {
    const details = prefixed.slice(0, 10);
    throw new CofferdamError('SANDBOX_UNKNOWN', `"${shown}" begins ${prefixed.length} ids`, { details });
  }
  const names = ids.flatMap((one) => nameOf(paths, one));
  throw new CofferdamError('SANDBOX_UNKNOWN', `no sandbox is called "${shown}"${didYouMean(text, names)}`);
}
