// Owns the one line by which a process says that a run is its own; records and awaited markers have this form.
import { startTimeOf } from '../base/process.ts';

/** What the launch script wrote before anything else of the run existed. */
export interface LiveRecord {
  readonly id: string;
  readonly pid: number;
  /** Clock ticks since boot, proc(5) field 22: with the pid it names one process. */
  readonly started: string;
  readonly bootId: string;
  /** 64 hex digits. */
  readonly plan: string;
}

/** Longer than any record. */
export const mostRecordBytes = 4096;

const recordPattern = /^1 ([A-Za-z0-9_-]{1,64}) ([0-9]{1,10}) ([0-9]{1,20}) ([0-9a-f-]{36}) ([0-9a-f]{64})\n$/;

/** A record's text, or undefined when it is not one that we wrote. */
export function parseLiveRecord(text: string): LiveRecord | undefined {
  const match = recordPattern.exec(text);
  if (match === null) return undefined;
  const [, id = '', pid = '', started = '', bootId = '', plan = ''] = match;
  return { id, pid: Number(pid), started, bootId, plan };
}

/** Whether the process that wrote the record still is that process. */
export function isAlive(record: LiveRecord, boot: string): boolean {
  return record.bootId === boot && startTimeOf(record.pid) === record.started;
}
