// Owns what the doctor says about the kernel: version, seccomp, overlay, Landlock, clock.
import { release } from 'node:os';
import { readTextIfPresent } from '../../base/files.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';

/** `6.1.0-18-amd64` → [6, 1]. */
export function parseRelease(text: string): [number, number] {
  const match = /^([0-9]+)\.([0-9]+)/.exec(text);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}

/** 5.11: overlay in user namespaces, close_range, pidfd; 5.13: memory accounting of what a guest can make. */
export function judgeRelease(text: string): Finding {
  const [major, minor] = parseRelease(text);
  const seen = `Linux ${text}`;
  if (major > 5 || (major === 5 && minor >= 11)) return ok('kernel.version', seen);
  return fail('kernel.version', `${seen}; 5.11 or newer is needed`, 'boot a newer kernel');
}

/** What /proc/sys/kernel/seccomp/actions_avail must name. */
export function judgeSeccomp(actions: string | undefined): Finding {
  const missing = ['errno', 'allow', 'kill_process'].filter((name) => !(actions ?? '').split(/\s+/).includes(name));
  if (missing.length === 0) return ok('kernel.seccomp', 'filters with errno and kill_process');
  return fail('kernel.seccomp', `no ${missing.join(', ')}`, 'boot a kernel with CONFIG_SECCOMP_FILTER');
}

function listed(text: string | undefined, name: string): boolean {
  return (text ?? '').split(/[\s,]+/).includes(name);
}

/** Used by the podman engine only, which sees the image through one. */
function checkOverlay(): Finding {
  if (listed(readTextIfPresent('/proc/filesystems'), 'overlay')) return ok('kernel.overlay', 'overlay is there');
  return warn('kernel.overlay', 'no overlay file system: the podman engine cannot run', 'as root: modprobe overlay');
}

/** Said for those who ask; nothing rests on it in this version. */
function checkLandlock(): Finding {
  const active = listed(readTextIfPresent('/sys/kernel/security/lsm'), 'landlock');
  return ok(
    'kernel.landlock',
    active ? 'active' : 'not active, or securityfs is not mounted; this version does not use it',
  );
}

function checkClock(): Finding {
  const now = new Date();
  const seen = now.toISOString();
  if (now.getUTCFullYear() >= 2026) return ok('kernel.clock', seen);
  return warn('kernel.clock', `${seen}: archive signatures and TLS will not verify`, 'set the clock');
}

export const checkKernel: Check = async () => [
  judgeRelease(release()),
  judgeSeccomp(readTextIfPresent('/proc/sys/kernel/seccomp/actions_avail')),
  checkOverlay(),
  checkLandlock(),
  checkClock(),
];
