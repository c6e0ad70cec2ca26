// Owns where /dev and shared memory lie in a sandbox: with a bundle of ours /dev is an outline (lib/spec/dev.ts), else file systems.
import { devFolder, sharedMemory } from '../../spec/dev.ts';
import type { Facts } from './evidence.ts';
import { type Mount, mountAt } from './procfs.ts';

/** Whether it is the folder whose name says all that is in it. */
function isOutline({ root, options }: Mount): boolean {
  return (
    root.endsWith(`/${devFolder()}`) && ['ro', 'nosuid', 'nodev', 'noexec'].every((option) => options.includes(option))
  );
}

/** Whether /dev is the outline, and nothing stands on its link to shared memory or where that leads. */
export function hasOutline(program: Facts): boolean {
  const dev = mountAt(program, '/dev');
  return (
    dev !== undefined &&
    isOutline(dev) &&
    mountAt(program, '/dev/shm') === undefined &&
    mountAt(program, sharedMemory) === undefined
  );
}

/** Where the file system is mounted in which /dev/shm lies. */
export function sharedTarget(program: Facts): '/run' | '/dev/shm' {
  return hasOutline(program) ? '/run' : '/dev/shm';
}
