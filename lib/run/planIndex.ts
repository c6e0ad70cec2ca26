// Owns the index by which bin/sandbox finds a plan without Node: one file per invocation, with the state of every input.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runToolSync } from '../base/exec.ts';
import { writeFileAtomic } from '../base/files.ts';
import { requireTool } from '../engine/tools.ts';
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

// Size, mtime and ctime in ns, and inode of each input: bin/sandbox runs the very same command and compares the text.
const format = '%n %s %.9Y %.9Z %i';

export interface IndexInputs {
  /** The package: a checkout never executes the plan of another one, which may be older. */
  readonly install: string;
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

/**
 * Writes the entry, a piece of POSIX shell that bin/sandbox sources: it sets `plan_folder`, `expected` (what stat(1) printed
 * for the inputs) and `found` (what it prints now; nothing when a folder is missing or an absent file has appeared).
 * Sourced, because the shell reads a script in blocks, but lines of data byte by byte.
 */
export function writeIndex(indexFolder: string, key: string, planDirectory: string, inputs: IndexInputs): void {
  if (inputs.files.length === 0) return;
  const stat = requireTool('stat', 'coreutils');
  const words = ['-L', '-c', format, '--', ...inputs.files];
  const now = runToolSync(stat, words).stdout.replace(/\n+$/, '');
  const tests = [
    // bin/sandbox has it as it was called, with `..` in it.
    `[ "$install" -ef ${quoteLiteral(inputs.install)} ]`,
    ...inputs.absent.map((path) => `[ ! -e ${quoteLiteral(path)} ]`),
    ...inputs.folders.map((path) => `[ -d ${quoteLiteral(path)} ]`),
    ...callerTests(inputs.callers),
  ];
  const lines = [
    `plan_folder=${quoteLiteral(planDirectory)}`,
    `expected=${quoteLiteral(now)}`,
    [...tests, `found=$(${[stat, ...words].map(quoteLiteral).join(' ')} 2>/dev/null)`]
      .join(' &&\n\t')
      .concat(" ||\n\tfound=''"),
  ];
  writeFileAtomic(join(indexFolder, key), `${lines.join('\n')}\n`);
}

/** Plans kept at the most, and how long an unused one is safe from removal (a run may be reading it), ms. */
const mostPlans = 256;
const safeAge = 3_600_000;

/** Removes the plans that were made longest ago, beyond 256; their index entries fall back to Node by themselves. */
export function trimPlans(plansFolder: string, now: number): void {
  if (!existsSync(plansFolder)) mkdirSync(plansFolder, { recursive: true, mode: 0o700 });
  const plans = readdirSync(plansFolder)
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .map((name) => ({ path: join(plansFolder, name), made: statSync(join(plansFolder, name)).mtimeMs }))
    .sort((a, b) => b.made - a.made);
  for (const { path, made } of plans.slice(mostPlans))
    if (now - made > safeAge) rmSync(path, { recursive: true, force: true });
}
