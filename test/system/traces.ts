// Owns finding what a run left on the host: its records, folders, host ids, cgroups, mounts and processes.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../../lib/base/paths.ts';
import type { Controller } from '../../lib/engine/cgroup.ts';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { runFolders } from '../../lib/run/folders.ts';

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Text of a file that may go away, or of a process that ended, meanwhile. */
export function readSoft(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** Folders of the run's cgroup leaves, existing or not: v1 one for each controller. */
export function leavesOf(uid: number, id: string): string[] {
  return locateCgroups(uid).folders.map(({ path }) => join(path, id));
}

/** The leaf in which `controller` has its files. */
export function leafOf(uid: number, id: string, controller: Controller): string {
  const folder = locateCgroups(uid).folders.find(({ controllers }) => controllers.includes(controller));
  if (folder === undefined) throw new Error(`no ${controller} controller`);
  return join(folder.path, id);
}

/** Host pids of all processes in the sandbox. */
export function membersOf(uid: number, id: string): number[] {
  const [leaf = ''] = leavesOf(uid, id);
  return readSoft(join(leaf, 'cgroup.procs'))
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** Pids of processes, of ours or of the guest, whose command line holds `text`. */
export function findProcesses(text: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({ pid: Number(name), command: readSoft(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim() }))
    .filter(({ command }) => command.includes(text));
}

/** What is there of the run `id` of `uid`, a line each; empty when all of it is gone. */
export function findTraces(paths: Paths, uid: number, id: string): string[] {
  const folders = runFolders(paths);
  const files = [join(folders.records, id), join(folders.runs, id), ...leavesOf(uid, id)];
  return [
    ...files.filter((file) => existsSync(file)),
    ...list(folders.slots)
      .filter((name) => readSoft(join(folders.slots, name)).trim() === id)
      .map((name) => `slot ${name}`),
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(id))
      .map((line) => `mount ${line}`),
    ...findProcesses(id).map(({ pid, command }) => `process ${pid}: ${command}`),
  ];
}
