// Owns approvals `approve_all`: a grant without a person, where the policy and the host's administrator both say so.
import { planApproval } from '../../policy/approval.ts';
import { endAfter, readClock } from '../../policy/clock.ts';
import { editPolicyFile } from '../../policy/editFile.ts';
import { loadPolicy, type PolicySource } from '../../policy/load.ts';
import type { Asked } from '../requests/gate.ts';
import type { RequestStore } from '../requests/store.ts';

/** As long as the host configuration says it is. */
const grantMs = 15 * 60_000;

/** Grants what was asked for, in firewall.yaml as everybody does. Throws what reading and writing that throw. */
export async function grantAsked(
  source: PolicySource,
  store: Pick<RequestStore, 'answer'>,
  id: string,
  { tool, profile, host, port }: Asked,
): Promise<void> {
  const clock = readClock();
  const end = endAfter(grantMs, clock);
  const refused = { tool: tool ?? null, profile: profile ?? null, host, port };
  const plan = planApproval(refused, loadPolicy(source), clock, end);
  if (plan.fault !== undefined) return;
  await editPolicyFile({ ...source, edit: plan.edit, clock, permit: () => undefined });
  store.answer(id, { answer: 'approved', by: 'approve_all', until: end.wallMs });
}
