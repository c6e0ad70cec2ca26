// Owns what must have been reported about `sandbox verify` on cgroup v2: every check passes, and none is left out.
import { test } from 'tap';
import { callers, type Reports } from './reports.ts';

interface Verified {
  readonly status: number;
  readonly stderr: string;
  /** Missing where it printed nothing: then stderr says why. */
  readonly counts?: { readonly passed: number };
  /** Checks that did not pass. */
  readonly others: readonly unknown[];
}

/** Registers the tests. */
export function testVerify({ seen }: Reports): void {
  for (const who of Object.keys(callers)) {
    test(`every check of verify passes, without a skip (${who})`, async (t) => {
      const { status, stderr, others, counts } = seen<Verified>(who, 'verify');
      t.strictSame([status, stderr], [0, '']);
      t.same(others, []);
      t.ok(Number(counts?.passed) >= 80, `${counts?.passed} passed`);
    });
  }
}
