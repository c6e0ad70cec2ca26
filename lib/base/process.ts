// Owns naming one process for good: its pid, its start time and the boot, because pids are used again.
import { readFileSync } from 'node:fs';

/** Id of this boot of the kernel (random(4)). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/**
 * Start time of a live process in clock ticks since boot (proc(5), field 22); undefined when there is none, or only its zombie
 * is left, which runs nothing any more.
 */
export function startTimeOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name before it may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}
