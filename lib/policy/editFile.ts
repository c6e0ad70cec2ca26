// Owns changing firewall.yaml on disk: what an edit widens is judged before it is written.
import type { Clock } from './clock.ts';
import { type Change, diffPolicies } from './diff.ts';
import { editPolicy, emptyPolicy, type ParentEdit, type PolicyEdit } from './edit.ts';
import { type PolicySource, parsePolicy } from './load.ts';
import type { Policy } from './policy.ts';
import { rewriteFile } from './rewrite.ts';

export interface EditRequest extends PolicySource {
  readonly edit: PolicyEdit | ParentEdit;
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

/**
 * Makes the edit, in a new file where there is none. Throws what editPolicy(), `permit` and writing throw
 * (POLICY_EDIT, RULE_UNKNOWN, CONFIG_UNREADABLE, YAML_INVALID, CONFIG_INVALID, DISK_FULL, TOOL_FAILED).
 */
export async function editPolicyFile({ file, uid, edit, clock, permit }: EditRequest): Promise<EditOutcome> {
  return rewriteFile({ file, uid }, (found) => {
    const text = found ?? emptyPolicy;
    const edited = editPolicy(text, file, edit, clock);
    const policy = parsePolicy(edited, file);
    const changes = diffPolicies(parsePolicy(text, file), policy);
    permit(changes);
    return { text: edited === text ? undefined : edited, result: { policy, changes } };
  });
}
