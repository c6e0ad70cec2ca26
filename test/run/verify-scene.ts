// Owns evidence made up for tests of checks: a sandbox of the default profile, of which each part can be replaced.
import { profileSchema } from '../../lib/profile/schema.ts';
import type { Evidence, Facts } from '../../lib/run/verify/evidence.ts';
import type { Attempt } from '../../lib/run/verify/report.ts';

/** Facts of which only these texts and links can be read. */
export function factsOf(
  texts: Readonly<Record<string, string>>,
  links: Partial<Record<'fd' | 'ns', Readonly<Record<string, string>>>> = {},
): Facts {
  const unreadable = (): never => {
    throw new Error('unreadable');
  };
  return {
    pid: 7,
    text: (name) => texts[name] ?? unreadable(),
    links: (name) => new Map(Object.entries(links[name] ?? unreadable())),
    hostHas: () => true,
    hostFills: () => true,
    kernel: '6.12.0',
  };
}

/** Evidence where nothing can be read and every attempt comes to `attempt`. */
export function evidenceOf(attempt: Attempt, parts: Partial<Evidence> = {}): Evidence {
  const range = { start: 100_000, count: 65_536 };
  return {
    expected: {
      id: 'r1',
      profile: profileSchema.parse({}),
      engine: 'crun',
      ids: { callerUid: 1000, callerGid: 1000, subuids: range, subgids: range },
      owner: undefined,
      cgroupVersion: 2,
    },
    host: factsOf({}),
    program: factsOf({}),
    init: undefined,
    members: [],
    strangers: [1],
    limits: new Map(),
    oomWatched: false,
    attempts: { get: () => attempt },
    ...parts,
  };
}
