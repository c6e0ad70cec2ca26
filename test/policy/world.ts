// Owns what the tests of the policy are made of: a clock that stands still, and a policy from a few lines of YAML.
import type { Clock } from '../../lib/policy/clock.ts';
import { parsePolicy } from '../../lib/policy/load.ts';
import type { Policy } from '../../lib/policy/policy.ts';

export const clock: Clock = {
  wallMs: Date.parse('2026-06-01T12:00:00Z'),
  bootId: '0f0e0d0c-0b0a-4900-8807-060504030201',
  bootMs: 1_000_000,
};

export function policy(...lines: readonly string[]): Policy {
  return parsePolicy(`${lines.join('\n')}\n`, 'f.yaml');
}
