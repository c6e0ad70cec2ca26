// Owns choosing a part of a log: by time, and the last lines of it.
import { type LogEvent, type LogRequest, readLog } from './logs.ts';

export interface Selection {
  /** Frames from this time on, ms since the epoch. */
  readonly since: number | undefined;
  /** Frames up to this time; following ends there. */
  readonly until: number | undefined;
  /** The last lines only; what comes after them is followed. */
  readonly tail: number | undefined;
}

const newline = 10;
// The longest that a timer of Node's takes.
const mostTimer = 2 ** 31 - 1;

async function* withinTimes(request: LogRequest, { since, until }: Selection): AsyncGenerator<LogEvent> {
  for await (const event of readLog(request)) {
    if (event.kind === 'frame' && until !== undefined && event.frame.at > until) return;
    if (event.kind === 'gap' || since === undefined || event.frame.at >= since) yield event;
  }
}

function* positions(bytes: Buffer): Generator<number> {
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) yield at;
}

/** How many lines there are now; the rest after the last newline is one. */
async function countLines(request: LogRequest, selection: Selection): Promise<number> {
  let lines = 0;
  let open = false;
  for await (const event of withinTimes({ ...request, follow: false }, selection)) {
    if (event.kind === 'gap' || event.frame.bytes.length === 0) continue;
    for (const _ of positions(event.frame.bytes)) lines += 1;
    open = event.frame.bytes.at(-1) !== newline;
  }
  return open ? lines + 1 : lines;
}

/** The log without its first `drop` lines. */
async function* withoutLines(events: AsyncGenerator<LogEvent>, drop: number): AsyncGenerator<LogEvent> {
  let left = drop;
  for await (const event of events) {
    if (event.kind === 'gap' || left === 0) {
      yield event;
      continue;
    }
    let begin = event.frame.bytes.length;
    for (const at of positions(event.frame.bytes)) {
      left -= 1;
      if (left > 0) continue;
      begin = at + 1;
      break;
    }
    const bytes = event.frame.bytes.subarray(begin);
    if (bytes.length > 0) yield { kind: 'frame', frame: { ...event.frame, bytes } };
  }
}

/**
 * The selected part of a log; see readLog. `tail` reads the log twice rather than keep it in memory. `now` in ms since the
 * epoch.
 */
export async function* selectLog(request: LogRequest, selection: Selection, now: number): AsyncGenerator<LogEvent> {
  const { tail, until } = selection;
  const ends =
    request.follow && until !== undefined
      ? AbortSignal.timeout(Math.min(Math.max(0, until - now), mostTimer))
      : undefined;
  const signal = ends === undefined ? request.signal : AbortSignal.any([request.signal, ends]);
  const events = withinTimes({ ...request, signal }, selection);
  if (tail === undefined) yield* events;
  else yield* withoutLines(events, Math.max(0, (await countLines(request, selection)) - tail));
}
