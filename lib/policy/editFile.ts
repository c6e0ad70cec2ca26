// Owns changing firewall.yaml on disk: one writer at a time, what it widens judged before it is written, whole or not at all.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ensureDirectory, writeFileAtomic } from '../base/files.ts';
import { takeFolderLock } from '../base/lock.ts';
import type { Clock } from './clock.ts';
import { type Change, diffPolicies } from './diff.ts';
import { editPolicy, emptyPolicy, type PolicyEdit } from './edit.ts';
import { followPolicyLink, type PolicySource, parsePolicy, readPolicyText } from './load.ts';
import type { Policy } from './policy.ts';

export interface EditRequest extends PolicySource {
  readonly edit: PolicyEdit;
  readonly clock: Clock;
  /** Throws what refuses the changes; nothing is written then. */
  readonly permit: (changes: readonly Change[]) => void;
}

export interface EditOutcome {
  /** The policy as it is now. */
  readonly policy: Policy;
  /** Empty when everything was so already; then nothing was written. */
  readonly changes: readonly Change[];
}

// Root's is for all to read, as its config.yaml is: a user may ask what the host forbids.
function modeOf(file: string, uid: number): number {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? (uid === 0 ? 0o644 : 0o600) : found.mode & 0o755;
}

/**
 * Makes the edit, in a new file where there is none. Throws what editPolicy(), `permit` and writing throw
 * (POLICY_EDIT, RULE_UNKNOWN, CONFIG_UNREADABLE, YAML_INVALID, CONFIG_INVALID, DISK_FULL, TOOL_FAILED).
 */
export async function editPolicyFile({ file, uid, edit, clock, permit }: EditRequest): Promise<EditOutcome> {
  const folder = dirname(file);
  ensureDirectory(folder, uid === 0 ? 0o755 : 0o700);
  const lock = await takeFolderLock(followPolicyLink(folder));
  try {
    const text = readPolicyText({ file, uid }) ?? emptyPolicy;
    const edited = editPolicy(text, file, edit, clock);
    const policy = parsePolicy(edited, file);
    const changes = diffPolicies(parsePolicy(text, file), policy);
    permit(changes);
    const target = followPolicyLink(file);
    if (edited !== text) writeFileAtomic(target, edited, modeOf(target, uid));
    return { policy, changes };
  } finally {
    lock.release();
  }
}
