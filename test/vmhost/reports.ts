// Owns the reports of the virtual worker host as tests read them, and who its callers are.
import type { Report } from './machine.ts';

export interface Reports {
  readonly all: readonly Report[];
  /** What `who` reported about `what`. Throws when it did not. */
  seen<T>(who: string, what: string): T;
}

export function readReports(all: readonly Report[]): Reports {
  return {
    all,
    seen: <T>(who: string, what: string) => {
      const found = all.find((report) => report.who === who && report.what === what);
      if (found === undefined) throw new Error(`${who} did not report ${what}`);
      return found.seen as T;
    },
  };
}

const slice = 'cofferdam.slice/cofferdam-runs.service';
/** Where each caller is, and below which group its runs are. */
export const callers: Readonly<Record<string, { place: RegExp; parent: string }>> = {
  root: { place: /^0::\/system\.slice\/vmhost\.service$/, parent: slice },
  service: { place: /^0::\/system\.slice\/worker\.service$/, parent: 'system.slice/worker.service' },
  session: {
    place: /^0::\/user\.slice\/user-1000\.slice\/session-[^/]+\.scope$/,
    parent: `user.slice/user-1000.slice/user@1000.service/${slice}`,
  },
};
