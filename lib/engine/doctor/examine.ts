// Owns the whole examination: which topics, in which order, and what it comes to.
import { cpus, totalmem } from 'node:os';
import { messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { checkCgroups } from './cgroups.ts';
import { type Check, type DoctorInput, type Finding, fail, ok } from './check.ts';
import { checkEngines } from './engines.ts';
import { checkIds } from './ids.ts';
import { checkKernel } from './kernel.ts';
import { checkNamespaces } from './namespaces.ts';
import { checkStorage } from './storage.ts';
import { checkTools } from './tools.ts';

const checkSize: Check = async () => [
  ok('host.size', `${cpus().length} processors, ${(totalmem() / 1024 ** 3).toFixed(1)}g of memory`),
];

const topics: readonly { readonly name: string; readonly check: Check }[] = [
  { name: 'host', check: checkSize },
  { name: 'kernel', check: checkKernel },
  { name: 'tools', check: checkTools },
  { name: 'engine', check: checkEngines },
  { name: 'ids', check: checkIds },
  { name: 'namespaces', check: checkNamespaces },
  { name: 'cgroups', check: checkCgroups },
  { name: 'storage', check: checkStorage },
];

export interface Examination {
  /** Whether the engine that was asked for can run: nothing failed. */
  readonly runs: boolean;
  readonly findings: readonly Finding[];
}

/** Looks at everything, one topic after the other; a topic that breaks is a failure of its own, never silence. */
export async function examine(input: DoctorInput): Promise<Examination> {
  const findings: Finding[] = [];
  for (const { name, check } of topics) {
    try {
      findings.push(...(await check(input)));
    } catch (cause) {
      findings.push(fail(name, `could not be examined: ${printable(messageOf(cause), 300)}`, 'report this'));
    }
  }
  return { runs: findings.every(({ level }) => level !== 'fail'), findings };
}
