// Owns the shared memory that each Squid makes, small and unused without workers: named after its owner, gone with it.
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startTimeOf } from '../../base/process.ts';

const folder = '/dev/shm';
// Squid's name for itself (-n) has letters and digits alone; its segments are NAME-cf__….shm.
const ours = /^(cofferdam([0-9]{1,10})s([0-9]{1,20})n[0-9]{1,10})-/;

let made = 0;

/** A name that no other Squid of this host has, with who started it. */
export function nameSegments(): string {
  made++;
  return `cofferdam${process.pid}s${startTimeOf(process.pid) ?? '0'}n${made}`;
}

function remove(isGone: (match: RegExpExecArray) => boolean): void {
  for (const file of readdirSync(folder)) {
    const match = ours.exec(file);
    if (match === null || !isGone(match)) continue;
    const path = join(folder, file);
    // /dev/shm is open to all: what somebody else put there under such a name is left alone.
    const found = lstatSync(path, { throwIfNoEntry: false });
    const uid = process.getuid?.();
    if (found?.isFile() === true && (found.uid === uid || uid === 0)) rmSync(path, { force: true });
  }
}

/** Removes those of the Squid called `name`, which has ended. */
export function removeSegments(name: string): void {
  remove(([, found]) => found === name);
}

/** Removes those of Squids whose owner is gone: a kill of all leaves them. */
export function sweepSegments(): void {
  remove(([, , pid, start]) => startTimeOf(Number(pid)) !== start);
}
