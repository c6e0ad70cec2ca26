// Owns asking a proposed policy about what was asked before: which requests would newly pass, which would newly fail.
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { type Decision, decide } from './decide.ts';
import type { Policy } from './policy.ts';

/** What a line of an egress log must say; a log says more, which is not looked at. */
export const egressEntry = z.object({
  tool: z.string().max(200).nullish(),
  profile: z.string().max(200).nullish(),
  host: z.string().max(2000),
  port: z.int().min(0).max(65_535),
  result: z.enum(['allow', 'deny']),
});

export type EgressEntry = z.output<typeof egressEntry>;

export interface Turn {
  readonly entry: EgressEntry;
  /** What the proposed policy says, and why. */
  readonly now: Decision;
  /** How many entries ask the same. */
  times: number;
}

export interface Replay {
  /** Every entry that was read. */
  total: number;
  /** Numbers of lines that are no entry, from 1; at most `mostKept`. */
  readonly unreadable: number[];
  /** One for each tool, profile, host and port, at most `mostKept`: hosts are the guest's to invent. */
  readonly turns: Turn[];
  /** Entries that turn and are not among them. */
  unkept: number;
}

const mostKept = 10_000;
const mostLine = 65_536;

function readEntry(line: string): EgressEntry | undefined {
  if (line.length > mostLine) return undefined;
  try {
    return egressEntry.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Decides every line (JSON, one object each) anew by `policy`. A blank line is nothing; another that is no entry is counted. */
export async function replayLog(lines: AsyncIterable<string>, policy: Policy, clock: Clock): Promise<Replay> {
  const replay: Replay = { total: 0, unreadable: [], turns: [], unkept: 0 };
  const known = new Map<string, Turn>();
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    const entry = readEntry(line);
    if (entry === undefined) {
      if (replay.unreadable.length < mostKept) replay.unreadable.push(number);
      continue;
    }
    replay.total++;
    const { tool, profile, host, port, result } = entry;
    const now = decide(policy, { tool: tool ?? undefined, profile: profile ?? undefined }, host, port, clock);
    if (now.result === result) continue;
    const key = JSON.stringify([tool, profile, now.host, port, result]);
    const turn = known.get(key);
    if (turn !== undefined) turn.times++;
    else if (known.size === mostKept) replay.unkept++;
    else {
      const first = { entry, now, times: 1 };
      known.set(key, first);
      replay.turns.push(first);
    }
  }
  return replay;
}
