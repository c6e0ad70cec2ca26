// Owns recording what was denied and what became of it. One process writes denials, the one that runs the proxy.
import { createHmac, randomBytes } from 'node:crypto';
import { appendLines, type LineLog } from '../../base/lineLog.ts';
import { printable } from '../../base/printable.ts';
import { readHost } from '../../policy/hostname.ts';
import type { DenialReason, RequestLine } from './line.ts';

/** What was asked for, by whom. */
export interface Sought {
  readonly run: string;
  readonly tool: string | undefined;
  readonly profile: string | undefined;
  /** As the guest wrote it. */
  readonly host: string;
  /** 0 where it was none. */
  readonly port: number;
}

export interface Denial extends Sought {
  /** The id that the guest has read; undefined where it has read none. */
  readonly id?: string | undefined;
  readonly reason: DenialReason;
  /** One sentence for people, harmless. */
  readonly text: string;
  /** The rule that decided, `file:line:column`. */
  readonly where: string | undefined;
}

export interface Recorded {
  readonly id: string;
  /** How often it was denied, this time included. */
  readonly count: number;
}

export interface RequestStore {
  /** The id of a request, the same each time; recorded or not, it opens nothing. */
  nameOf(sought: Sought): string;
  /** Records a denial; undefined when its run has too many different ones already: those are counted together. */
  deny(denial: Denial): Recorded | undefined;
  /** The id of a request that is about to be held; whether it is denied in the end is not counted here. */
  note(denial: Denial): string | undefined;
  /** Notes that the request is held until `until`, ms since the epoch. */
  hold(id: string, until: number): void;
  /** Notes that nobody answered in time. */
  expire(id: string): void;
  answer(id: string, answer: Answer): void;
  /** Notes a no to a request of a run that has its way still, once; false where there is none. */
  reject(id: string, by: string): boolean;
  /** Writes what is only counted yet, and forgets the run. */
  endRun(run: string): void;
}

export interface Answer {
  readonly answer: 'approved' | 'rejected';
  readonly by: string;
  /** The end of what was granted, ms since the epoch. */
  readonly until: number | undefined;
}

export interface StoreOptions {
  /** `<paths.state>/egress`. */
  readonly folder: string;
  /** Of the log's files. Default: for their owner alone. */
  readonly mode?: number | undefined;
  readonly now: () => number;
}

/** Different requests of one run that are told apart: hosts are the guest's to invent. */
export const mostPerRun = 256;

/** The log of requests below `folder`: at most 6 MiB. */
export function requestLog(folder: string): LineLog {
  return { folder, name: 'requests', kept: 2, rotateAt: 2 << 20 };
}

interface Counted {
  readonly id: string;
  count: number;
  written: number;
}

interface RunRequests {
  readonly known: Map<string, Counted>;
  readonly ids: Set<string>;
  readonly rejected: Set<string>;
  /** Nobody but us can look for two hosts that have one id. */
  readonly secret: Buffer;
  unkept: number;
}

// Each kind of line as it is, without what every line has.
type Body = RequestLine extends infer Line ? (Line extends RequestLine ? Omit<Line, 'v' | 'time'> : never) : never;

function renderLine(now: number, body: Body): string {
  return JSON.stringify({ v: 1, time: now, ...body });
}

function describe(id: string, denial: Denial): Body {
  const { run, tool, profile, host, port, reason, text, where } = denial;
  const reading = readHost(host);
  return {
    event: 'request.denied',
    id,
    run,
    tool: tool ?? null,
    profile: profile ?? null,
    host: reading.fault === undefined ? reading.host : printable(host, 120),
    port,
    reason,
    text: printable(text, 300),
    where: where === undefined ? null : printable(where, 500),
  };
}

/** Notes an answer; any process may, and it opens nothing: only firewall.yaml does. Throws DISK_FULL, TOOL_FAILED. */
export function recordAnswer({ folder, mode, now }: StoreOptions, id: string, { answer, by, until }: Answer): void {
  const body = { event: 'approval.resolved', id, answer, by: printable(by, 60), until: until ?? null } as const;
  appendLines({ ...requestLog(folder), mode }, [renderLine(now(), body)], false);
}

/** Opens the log for its one owner. Its methods throw DISK_FULL and TOOL_FAILED. */
export function openRequestStore(options: StoreOptions): RequestStore {
  const { folder, mode, now } = options;
  const runs = new Map<string, RunRequests>();
  const write = (...bodies: Body[]) => {
    const lines = bodies.map((body) => renderLine(now(), body));
    if (lines.length > 0) appendLines({ ...requestLog(folder), mode }, lines, true);
  };
  const keyOf = ({ tool, profile, host, port }: Sought) => {
    const reading = readHost(host);
    return JSON.stringify([tool, profile, reading.fault === undefined ? reading.host : host.slice(0, 1000), port]);
  };
  const begin = (): RunRequests => ({
    known: new Map(),
    ids: new Set(),
    rejected: new Set(),
    secret: randomBytes(32),
    unkept: 0,
  });
  const runOf = (run: string) => {
    const found = runs.get(run) ?? begin();
    runs.set(run, found);
    return found;
  };
  const nameOf = (sought: Sought) =>
    `q${createHmac('sha256', runOf(sought.run).secret).update(keyOf(sought)).digest('hex').slice(0, 16)}`;
  // The first time it is written, as denied once: what is read later is at least that.
  const find = (denial: Denial): Counted | undefined => {
    const ofRun = runOf(denial.run);
    const key = keyOf(denial);
    const there = ofRun.known.get(key);
    if (there !== undefined) return there;
    if (ofRun.known.size >= mostPerRun) {
      ofRun.unkept++;
      return undefined;
    }
    const named = denial.id ?? nameOf(denial);
    // Where the proxy read another host than the bridge, the guest's id may stand for that one already.
    const id = ofRun.ids.has(named) ? `q${randomBytes(8).toString('hex')}` : named;
    const fresh = { id, count: 0, written: 1 };
    ofRun.known.set(key, fresh);
    ofRun.ids.add(id);
    write(describe(fresh.id, denial));
    return fresh;
  };
  return {
    nameOf,
    deny(denial) {
      const found = find(denial);
      if (found === undefined) return undefined;
      found.count++;
      if (found.count >= found.written * 2) {
        found.written = found.count;
        write({ event: 'request.counted', id: found.id, count: found.count });
      }
      return { id: found.id, count: found.count };
    },
    note: (denial) => find(denial)?.id,
    hold: (id, until) => write({ event: 'approval.requested', id, until }),
    expire: (id) => write({ event: 'approval.expired', id }),
    answer: (id, answer) => recordAnswer(options, id, answer),
    reject(id, by) {
      const ofRun = [...runs.values()].find(({ ids }) => ids.has(id));
      if (ofRun === undefined) return false;
      if (!ofRun.rejected.has(id)) recordAnswer(options, id, { answer: 'rejected', by, until: undefined });
      ofRun.rejected.add(id);
      return true;
    },
    endRun(run) {
      const ofRun = runs.get(run);
      runs.delete(run);
      if (ofRun === undefined) return;
      const late = [...ofRun.known.values()].filter(({ count, written }) => count > written);
      write(
        ...late.map(({ id, count }): Body => ({ event: 'request.counted', id, count })),
        ...(ofRun.unkept > 0 ? [{ event: 'request.unkept', run, count: ofRun.unkept } as const] : []),
      );
    },
  };
}
