// Owns the index by which a plan is found without compiling it: one file per invocation, with the state of every input.
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import { quoteLiteral } from '../engine/words.ts';

/** What bin/sandbox can express in a key; anything else goes through Node. */
export interface QuickInvocation {
  readonly profile: string;
  readonly memory?: string | undefined;
  readonly cpus?: string | undefined;
  readonly pids?: string | undefined;
  readonly engine?: string | undefined;
}

const keyText = /^[A-Za-z0-9_.-]{1,64}$/;

/** The file name for an invocation, as bin/sandbox builds it, or undefined when it has none. */
export function indexKey({
  profile,
  memory = '',
  cpus = '',
  pids = '',
  engine = '',
}: QuickInvocation): string | undefined {
  const parts = [profile, memory, cpus, pids, engine];
  return keyText.test(profile) && parts.every((part) => part === '' || keyText.test(part))
    ? parts.join('+')
    : undefined;
}

export type Homes = Readonly<Pick<Paths, 'config' | 'state' | 'run'>>;

/** In the order in which an entry lists them. */
export function listHomes({ config, state, run }: Homes): string[] {
  return [config, state, run];
}

export interface IndexInputs {
  /** The package: a checkout never executes the plan of another one, which may be older. */
  readonly install: string;
  /** The caller's own folders: those of another XDG_CONFIG_HOME hold other profiles, and one's records belong to its own state. */
  readonly homes: Homes;
  /** Of the caller; root's folders follow no variable. */
  readonly uid: number;
  /** Absolute paths whose state was part of the plan. */
  readonly files: readonly string[];
  /** Paths that would have been used first, had they existed. */
  readonly absent: readonly string[];
  /** Folders that the launch needs (cgroup parents, run folders). */
  readonly folders: readonly string[];
  /** Groups of cgroup v2 from which the plan may be launched; undefined: all. */
  readonly callers: readonly { readonly group: string; readonly below: boolean }[] | undefined;
}

// The leaves of a plan stand below one unit; a caller in another place has others, and so another plan.
function callerTests(callers: IndexInputs['callers']): string[] {
  if (callers === undefined) return [];
  const patterns = callers.flatMap(({ group, below }) => {
    const exact = quoteLiteral(`0::${group}`);
    return below ? [exact, `${exact}/*`] : [exact];
  });
  return ['IFS= read -r found </proc/self/cgroup', `case $found in ${patterns.join(' | ')}) ;; *) false ;; esac`];
}

// As lib/base/paths.ts finds them. What is spelled otherwise, such as with two slashes, goes through Node.
function homeTests({ config, state, run }: Homes): string[] {
  const home = (variable: string, usual: string) =>
    `case \${${variable}:-} in /*) found=$${variable}/cofferdam ;; *) found=${usual} ;; esac`;
  const is = (path: string) => `[ "$found" = ${quoteLiteral(path)} ]`;
  return [
    home('XDG_CONFIG_HOME', '$HOME/.config/cofferdam'),
    is(config),
    home('XDG_STATE_HOME', '$HOME/.local/state/cofferdam'),
    is(state),
    home('XDG_RUNTIME_DIR', '$found/run'),
    is(run),
  ];
}

/** Of a file, as lib/run/native/inputs.c compares it: size, mtime and ctime in ns, inode. Throws when there is none. */
export function inputLine(path: string): string {
  const { size, mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true });
  const time = (ns: bigint) => `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
  return `#input ${size} ${time(mtimeNs)} ${time(ctimeNs)} ${ino} ${path}`;
}

/**
 * Writes the entry, a piece of POSIX shell that bin/sandbox sources: it sets `plan_folder`, or empties it when a folder is
 * missing or an absent file has appeared. Its comments are for the supervisor, which compares the files with them
 * before it makes anything: one process less than stat(1); and for Node (planEntry.ts). All in one file, so that the three never disagree.
 */
export function writeIndex(indexFolder: string, key: string, plan: PlanPlace, inputs: IndexInputs): void {
  const { install, homes, uid, files, absent, folders, callers = [] } = inputs;
  const places = listHomes(homes);
  const names = [
    plan.directory,
    install,
    ...places,
    ...files,
    ...absent,
    ...folders,
    ...callers.map(({ group }) => group),
  ];
  // Each is to stand in a line.
  if (files.length === 0 || names.some((name) => /[\n\0]/.test(name))) return;
  const tests = [
    // bin/sandbox has it as it was called, with `..` in it.
    `[ "$install" -ef ${quoteLiteral(install)} ]`,
    ...(uid === 0 ? [] : homeTests(homes)),
    ...absent.map((path) => `[ ! -e ${quoteLiteral(path)} ]`),
    ...folders.map((path) => `[ -d ${quoteLiteral(path)} ]`),
    ...callerTests(inputs.callers),
  ];
  const lines = [
    `plan_folder=${quoteLiteral(plan.directory)}`,
    `${tests.join(' &&\n\t')} ||\n\tplan_folder=''`,
    `#plan ${plan.digest.replace(/^sha256:/, '')}`,
    ...files.map(inputLine),
    `#install ${install}`,
    ...places.map((path) => `#home ${path}`),
    ...absent.map((path) => `#absent ${path}`),
    ...folders.map((path) => `#folder ${path}`),
    ...callers.map(({ group, below }) => `#caller ${below ? 'below' : 'in'} ${group}`),
  ];
  const file = join(indexFolder, key);
  const text = `${lines.join('\n')}\n`;
  if (readTextIfPresent(file) !== text) writeFileAtomic(file, text);
}

/** What of a plan stands in the index. */
export interface PlanPlace {
  readonly directory: string;
  readonly digest: string;
}

/** Plans kept at the most, and how long an unused one is safe from removal (a run may be reading it), ms. */
const mostPlans = 256;
const safeAge = 3_600_000;

/** Removes a plan's folder: read-only, so for anybody but root nothing in it can be removed before that is taken back. */
export function removePlan(folder: string): void {
  try {
    chmodSync(folder, 0o700);
  } catch (error) {
    // Another process was as quick.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Removes the plans that were made longest ago, beyond 256, but for those that are `kept` (64 hex digits each); their index
 * entries fall back to Node by themselves.
 */
export function trimPlans(plansFolder: string, now: number, kept: () => ReadonlySet<string> = () => new Set()): void {
  if (!existsSync(plansFolder)) mkdirSync(plansFolder, { recursive: true, mode: 0o700 });
  const plans = readdirSync(plansFolder).filter((name) => /^[0-9a-f]{64}$/.test(name));
  if (plans.length <= mostPlans) return;
  const used = kept();
  const unused = plans
    .filter((name) => !used.has(name))
    .flatMap((name) => {
      const path = join(plansFolder, name);
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? [] : [{ path, made: found.mtimeMs }];
    })
    .sort((a, b) => b.made - a.made);
  for (const { path, made } of unused.slice(mostPlans)) if (now - made > safeAge) removePlan(path);
}
