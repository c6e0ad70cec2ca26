// Owns reading firewall.yaml: who may write it, what it says. A policy that is not there is never taken for an empty one.
import { realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { type Distrust, readTextIfPresent } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import { parseStrict } from '../base/strict.ts';
import { parseYaml } from '../base/yaml.ts';
import { buildPolicy, type Policy } from './policy.ts';
import { policySchema } from './schema.ts';

export interface PolicySource {
  readonly file: string;
  /** Who we are: the file must be this user's or root's, and nobody else's to write. */
  readonly uid: number;
}

/** Ten thousand entries of the longest name fit. */
export const mostPolicyBytes = 4 << 20;

/** `~/.config/cofferdam/firewall.yaml`, or root's `/etc/cofferdam/firewall.yaml`. */
export function policyFileOf(paths: Paths): string {
  return join(paths.config, 'firewall.yaml');
}

function distrust(uid: number): Distrust {
  return (found) => {
    if (found.uid !== uid && found.uid !== 0) return `it belongs to uid ${found.uid}, not to ${uid} or root`;
    if ((found.mode & 0o022) !== 0) return `others may write to it (mode ${found.mode.toString(8)}); chmod go-w`;
    return undefined;
  };
}

// Who may write to the folder can put another file in its place.
function checkFolder(folder: string, uid: number): void {
  try {
    const found = statSync(folder);
    const reason = distrust(uid)({ uid: found.uid, mode: found.mode & 0o7777 });
    if (reason !== undefined) throw new Error(reason);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return;
    throw new CofferdamError('CONFIG_UNREADABLE', `cannot trust ${printable(folder)}: ${messageOf(cause)}`, { cause });
  }
}

/** What a link leads to; the path itself where it is none, or leads nowhere. */
export function followPolicyLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** The text of the policy, or undefined when there is none. Throws CONFIG_UNREADABLE. */
export function readPolicyText({ file, uid }: PolicySource): string | undefined {
  for (const path of new Set([file, followPolicyLink(file)])) checkFolder(dirname(path), uid);
  return readTextIfPresent(file, mostPolicyBytes, distrust(uid));
}

/** A policy from its text. Throws YAML_INVALID and CONFIG_INVALID with `file:line:column` and the nearest key. */
export function parsePolicy(text: string, file: string): Policy {
  const document = parseYaml(text, file);
  try {
    return buildPolicy(parseStrict(policySchema, document), document);
  } catch (cause) {
    if (!(cause instanceof CofferdamError)) throw cause;
    const remedy = 'mend the key that is named; docs/firewall.md lists them';
    throw new CofferdamError(cause.code, cause.message, { cause, remedy, details: cause.details });
  }
}

/** The policy in `file`. Throws POLICY_MISSING, CONFIG_UNREADABLE, YAML_INVALID or CONFIG_INVALID; never returns a default. */
export function loadPolicy(source: PolicySource): Policy {
  const text = readPolicyText(source);
  if (text === undefined) throw new CofferdamError('POLICY_MISSING', `there is no policy: ${printable(source.file)}`);
  return parsePolicy(text, source.file);
}
