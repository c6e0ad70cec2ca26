// Owns what a check of the doctor is: what was seen, and what to do about it. Plain data.

import type { EngineSettings } from '../types.ts';

export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  /** Stable name, `topic.detail`. */
  readonly id: string;
  /** fail: the default engine cannot run, or a protection is missing. warn: slower, weaker, or something else cannot run. */
  readonly level: Level;
  /** What was seen, one line. */
  readonly seen: string;
  /** The next thing to do, as a command where one exists; none for ok. */
  readonly remedy?: string;
}

export interface DoctorInput {
  readonly uid: number;
  readonly gid: number;
  /** Login name, or the uid as text. */
  readonly user: string;
  /** The engine whose absence is a failure. */
  readonly engine: string;
  readonly settings: EngineSettings;
  readonly stores: readonly string[];
  /** Folders that fill up: images, state, run. */
  readonly disks: readonly string[];
  /** Bytes: the host's floor of free space. */
  readonly floor: number;
  /** Our supervisor. */
  readonly supervise: string;
  /** `process.versions.node`. */
  readonly node: string;
  /** Names of the images that profiles of the package use. */
  readonly images: readonly string[];
}

/** One topic: what it finds on this host. Never throws for what it looks for. */
export type Check = (input: DoctorInput) => Promise<readonly Finding[]>;

export function ok(id: string, seen: string): Finding {
  return { id, level: 'ok', seen };
}

export function warn(id: string, seen: string, remedy: string): Finding {
  return { id, level: 'warn', seen, remedy };
}

export function fail(id: string, seen: string, remedy: string): Finding {
  return { id, level: 'fail', seen, remedy };
}

/** The command that prepares a host for `user`. */
export function setupCommandFor({ user, uid }: Pick<DoctorInput, 'user' | 'uid'>): string {
  return uid === 0 ? 'sandbox setup' : `sudo bin/sandbox setup --user ${user}`;
}
