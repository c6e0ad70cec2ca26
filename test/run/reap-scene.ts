// Owns the stage of the tests of gc: folders with records, slots and run folders, and what may stand there that is not ours.
import { chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { bootId, startTimeOf } from '../../lib/base/process.ts';
import { type RunFolders, runFolders } from '../../lib/run/folders.ts';
import { makeFolder, makeSocket, pathsBelow, writeTree } from './hostileTree.ts';

export const noPlan = '0'.repeat(64);
/** When nothing is being written any more. */
export const later = () => Date.now() + 60_000;

export function makeFolders(t: Test): RunFolders {
  const folders = runFolders(pathsBelow(makeFolder(t)));
  for (const folder of [folders.records, folders.slots, folders.runs, folders.awaited, folders.plans])
    mkdirSync(folder, { recursive: true });
  return folders;
}

/** The line of a process that is gone: of another boot, so that no pid can be it. */
export function deadLine(id: string, plan = noPlan): string {
  return `1 ${id} 1 1 ${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)} ${plan}\n`;
}

export function liveLine(id: string): string {
  return `1 ${id} ${process.pid} ${startTimeOf(process.pid)} ${bootId()} ${noPlan}\n`;
}

export function addRun(folders: RunFolders, id: string, slot: number, line: string): void {
  writeFileSync(join(folders.records, id), line);
  writeFileSync(join(folders.slots, String(slot)), `${id}\n`);
  writeTree(join(folders.runs, id), { 'config.json': '{}', 'crun/x/status': '' });
}

export function standing(folders: RunFolders): string[] {
  return [folders.records, folders.slots, folders.runs].flatMap((folder) => readdirSync(folder)).sort();
}

/** Puts something at `file`; `outside` is a file that must stay as it is. */
export type Maker = (file: string, outside: string) => void | Promise<void>;

const giant = (file: string) => {
  writeFileSync(file, '');
  runToolSync('truncate', ['--size', '8G', file]);
};

/** What may stand where a file of ours is expected. */
export const foreign: Readonly<Record<string, Maker>> = {
  'of random bytes': (file) => writeFileSync(file, Buffer.from([0, 255, 254, 10])),
  cut: (file) => writeFileSync(file, deadLine('x').slice(0, 30)),
  'of a later version': (file) => writeFileSync(file, deadLine('x').replace('1', '2')),
  'of another id': (file) => writeFileSync(file, deadLine('victim')),
  'with a line too many': (file) => writeFileSync(file, `${deadLine('x')}${deadLine('victim')}`),
  giant,
  'that is a link to a whole one': (file, outside) => symlinkSync(outside, file),
  'that is a link to nothing': (file) => symlinkSync('/nonexistent/x', file),
  'that is a folder': (file) => writeTree(file, { a: '' }),
  'that is a fifo': (file) => void runToolSync('mkfifo', [file]),
  'that is a device': (file) => void runToolSync('mknod', [file, 'c', '1', '5']),
  'that is a socket': (file) => makeSocket(file),
  'of another user': (file) => {
    writeFileSync(file, deadLine('x'));
    chownSync(file, 1000, 1000);
  },
};
