// Owns the forms of the files in /proc that checks read (proc(5), user_namespaces(7), cgroups(7)). Pure.
import type { IdMapping } from '../../spec/types.ts';
import type { Facts } from './evidence.ts';

/** A field of /proc/PID/status; throws when there is none. */
export function statusField(facts: Facts, name: string): string {
  const line = facts
    .text('status')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`no ${name} in /proc/PID/status`);
  return line.slice(name.length + 1).trim();
}

/** Ids by namespace, the reader's first and the process's own last: `NSpid`, `NSsid`. */
export function namespaceIds(facts: Facts, name: 'NSpid' | 'NSsid'): number[] {
  return statusField(facts, name).split(/\s+/).map(Number);
}

/** Real, effective, saved and file-system id, as the reader's namespace numbers them. */
export function fourIds(facts: Facts, name: 'Uid' | 'Gid'): number[] {
  return statusField(facts, name).split(/\s+/).map(Number);
}

export function parseIdMap(text: string): IdMapping[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([containerID = -1, hostID = -1, size = -1]) => ({ containerID, hostID, size }));
}

export interface Mount {
  readonly id: string;
  /** Id of the mount that this one stands on. */
  readonly parent: string;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** Path inside the file system that is mounted. */
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  /** `shared:N`, `master:N`. */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly superOptions: readonly string[];
}

// Blanks and backslashes stand as three octal digits.
function unescapePath(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ');
      const [id = '', parent = '', device = '', root = '', target = '', options = '', ...propagation] = left.split(' ');
      const [type = '', , superOptions = ''] = right.split(' ');
      return {
        id,
        parent,
        device,
        root: unescapePath(root),
        target: unescapePath(target),
        options: options.split(','),
        propagation,
        type,
        superOptions: superOptions.split(','),
      };
    });
}

/** Those that can be reached: what another mount covers, and what stands on it, is out of sight. */
export function visibleMounts(facts: Facts): Mount[] {
  const all = parseMounts(facts.text('mountinfo'));
  if (all.length === 0) throw new Error('no mount at all');
  const byId = new Map(all.map((mount) => [mount.id, mount]));
  const covered = new Set(
    all.filter(({ parent, target }) => byId.get(parent)?.target === target).map(({ parent }) => parent),
  );
  const isHidden = ({ id, parent, target }: Mount): boolean => {
    const below = parent === id ? undefined : byId.get(parent);
    if (covered.has(id) || below === undefined) return covered.has(id);
    // What covers its parent is seen in its stead. In doubt a mount counts as visible: checks then look at it.
    if (below.target === target) return false;
    return isHidden(below);
  };
  return all.filter((mount) => !isHidden(mount));
}

/** The mount that one sees at a path, which is the last made there. */
export function mountAt(facts: Facts, target: string): Mount | undefined {
  return parseMounts(facts.text('mountinfo')).findLast((mount) => mount.target === target);
}

/** `Max open files` → `1024 1024`, soft and hard. */
export function rlimit(facts: Facts, name: string): string {
  const line = facts
    .text('limits')
    .split('\n')
    .find((text) => text.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no "${name}" in /proc/PID/limits`);
  return line.slice(name.length).trim().split(/\s+/).slice(0, 2).join(' ');
}

/** Controller (on v2 the empty name) → path of the process's group, as the reader's cgroup namespace shows it. */
export function parseCgroups(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^[0-9]+:([^:]*):(.*)$/.exec(line);
    for (const controller of match?.[1]?.split(',') ?? []) found.set(controller, match?.[2] ?? '');
  }
  return found;
}

/** Lines of a table in /proc/PID/net after its head. */
export function rows(table: string): string[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Names of interfaces in /proc/PID/net/dev, which has two lines of head. */
export function interfaceNames(facts: Facts): string[] {
  return rows(facts.text('net/dev'))
    .slice(1)
    .map((line) => line.split(':')[0] ?? '');
}

/** `NAME=value` entries of /proc/PID/environ as a map. */
export function environment(facts: Facts): Map<string, string> {
  return new Map(
    facts
      .text('environ')
      .split('\0')
      .filter((entry) => entry !== '')
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

/** Session and controlling terminal: fields 6 and 7 of /proc/PID/stat, counted after the name in brackets. */
export function terminalOf(facts: Facts): { session: number; terminal: number } {
  const stat = facts.text('stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { session: Number(fields[3]), terminal: Number(fields[4]) };
}
