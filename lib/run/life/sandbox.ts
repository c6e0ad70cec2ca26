// Owns where sandboxes are kept, reading and writing them, and finding one by id, name or unique prefix.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { listIfPresent, readTextIfPresent, writeFileAtomic } from '../../base/files.ts';
import { randomHex } from '../../base/ids.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import {
  dictionary,
  flag,
  list,
  matching,
  nullable,
  object,
  oneOf,
  optional,
  orElse,
  type ShapeOf,
  text,
  whole,
} from '../../base/shape.ts';
import { leafControllers } from '../../engine/cgroup.ts';

export const sandboxIdPattern = /^s[0-9a-f]{16}$/;
export const sandboxNamePattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

const digest = matching(/^sha256:[0-9a-f]{64}$/);
const word = optional(text);

/** A greater one is of a newer Cofferdam, and left alone. */
const version = 1;

const noNetwork: { readonly mode: 'none'; readonly tool: null } = { mode: 'none', tool: null };

const sandboxShape = object({
  version: oneOf(version),
  id: matching(sandboxIdPattern),
  name: matching(sandboxNamePattern),
  /** Those of the profile and the caller's. */
  labels: dictionary(text),
  profileName: text,
  /** Of the resolved profile, labels and lifetimes left out: start refuses when it has changed. */
  profileDigest: digest,
  /** ISO 8601. */
  created: text,
  command: list(text, 1),
  tty: flag,
  /** Whether its program takes what attached callers type. */
  interactive: orElse(flag, false),
  /** null: as long as the host's ceiling permits. */
  ttlMs: nullable(whole(1)),
  /** null: as the profile says. */
  idleMs: nullable(whole(1)),
  /** Of the profile as it was resolved; the tool's egress rules apply beside those of the profile. */
  network: orElse(object({ mode: oneOf('none', 'proxy', 'bridge'), tool: nullable(text) }), noNetwork),
  /** Absolute host folder; null for scratch. */
  workspace: object({ mode: oneOf('scratch', 'ro', 'rw', 'copy'), source: nullable(text) }),
  /** The one that is, or was last, executed. */
  plan: object({ digest, directory: text }),
  /** Parents of the leaves `PATH/RUN`, as of the last start (lib/engine/cgroup.ts, CgroupParents). */
  cgroups: object({
    version: oneOf(1, 2),
    folders: list(object({ controllers: list(oneOf(...leafControllers)), path: text })),
  }),
  engine: object({ name: text, path: text, version: text }),
  image: object({ name: text, version: text, digest }),
  /** What was asked for, from which each start compiles its plan: as the words stood on the command line, and in which folder. */
  request: object({
    profile: text,
    cwd: text,
    workspace: word,
    overrides: object({
      memory: word,
      cpus: word,
      pids: word,
      engine: word,
      isolation: word,
      network: word,
      tool: word,
      env: list(text),
      labels: list(text),
      publish: optional(list(text)),
    }),
  }),
  /** As of the last start. */
  ports: orElse(list(object({ name: text, address: text, port: whole(0), container: whole(0) })), []),
  /** Id of the run that is, or was last: `ID-N`. null: never started. */
  run: nullable(text),
  starts: whole(0),
});

export type Sandbox = ShapeOf<typeof sandboxShape>;

/** One that is there and cannot be read. */
export interface Unreadable {
  readonly id: string;
  /** SANDBOX_NEWER or CONFIG_UNREADABLE. */
  readonly error: CofferdamError;
}

export interface Listing {
  /** Oldest first. */
  readonly sandboxes: readonly Sandbox[];
  readonly unreadable: readonly Unreadable[];
}

/** A fresh id: `s` and 16 hex digits of the kernel's randomness. */
export function newSandboxId(): string {
  return `s${randomHex(8)}`;
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

// What a newer version wrote has keys that we do not know.
function isNewer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'version' in value && Number(value.version) > version;
}

function parseSandbox(text: string, id: string, file: string): Sandbox {
  let cause: unknown;
  try {
    const value: unknown = JSON.parse(text);
    if (isNewer(value))
      throw new CofferdamError('SANDBOX_NEWER', `${printable(file)} was written by a newer version of Cofferdam`);
    const sandbox = sandboxShape(value);
    if (sandbox.id === id) return sandbox;
    cause = new Error(`it names ${sandbox.id}`);
  } catch (error) {
    if (error instanceof CofferdamError) throw error;
    cause = error;
  }
  throw new CofferdamError('CONFIG_UNREADABLE', `${printable(file)} is damaged: ${printable(messageOf(cause))}`, {
    cause,
    remedy: `remove it: sandbox rm -f ${id}`,
  });
}

function sandboxFile(paths: Paths, id: string): string {
  return join(sandboxFolder(paths, id), 'sandbox.json');
}

/** The bytes of its sandbox.json, unchecked. Throws CONFIG_UNREADABLE. */
export function readSandboxText(paths: Paths, id: string): string | undefined {
  return readTextIfPresent(sandboxFile(paths, id), 4 << 20);
}

/** The sandbox with exactly this id; undefined when there is none. Throws SANDBOX_NEWER, or CONFIG_UNREADABLE for a damaged one. */
export function readSandbox(paths: Paths, id: string): Sandbox | undefined {
  const text = readSandboxText(paths, id);
  return text === undefined ? undefined : parseSandbox(text, id, sandboxFile(paths, id));
}

/** Throws DISK_FULL or TOOL_FAILED. */
export function writeSandbox(paths: Paths, sandbox: Sandbox): void {
  writeFileAtomic(sandboxFile(paths, sandbox.id), `${JSON.stringify(sandbox, null, 1)}\n`);
}

/** Ids of the folders that hold a sandbox. */
export function listSandboxIds(paths: Paths): string[] {
  return listIfPresent(sandboxesFolder(paths)).filter(
    (name) => sandboxIdPattern.test(name) && existsSync(sandboxFile(paths, name)),
  );
}

/** All sandboxes of this user. One that cannot be read hides no other. */
export function listSandboxes(paths: Paths): Listing {
  const sandboxes: Sandbox[] = [];
  const unreadable: Unreadable[] = [];
  for (const id of listSandboxIds(paths)) {
    try {
      const sandbox = readSandbox(paths, id);
      if (sandbox !== undefined) sandboxes.push(sandbox);
    } catch (error) {
      if (!(error instanceof CofferdamError)) throw error;
      unreadable.push({ id, error });
    }
  }
  sandboxes.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : a.id < b.id ? -1 : 1));
  return { sandboxes, unreadable };
}

// The least of an id that names a sandbox: `s1` would too easily be a typing error for something else.
const shortestPrefix = 4;

/**
 * The sandbox that `text` names: its id, its name, or a prefix of at least 4 characters of one id only. Throws SANDBOX_UNKNOWN with the
 * nearest names, and what readSandbox throws.
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
  const names = listSandboxes(paths).sandboxes.map(({ name }) => name);
  throw new CofferdamError('SANDBOX_UNKNOWN', `no sandbox is called "${shown}"${didYouMean(text, names)}`);
}
