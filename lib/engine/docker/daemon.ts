// Owns judging a docker daemon by what `docker info` says: what it must be so that the boundary holds.
import { z } from 'zod';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { HostIds } from '../../spec/uidmap.ts';
import type { CgroupDriver } from '../types.ts';

// Loose: a daemon of another version says more.
const infoSchema = z.object({
  ServerVersion: z.string(),
  SecurityOptions: z.array(z.string()).nullable(),
  CgroupDriver: z.string(),
  CgroupVersion: z.string(),
  DockerRootDir: z.string(),
  MemoryLimit: z.boolean(),
  PidsLimit: z.boolean(),
  CpuCfsQuota: z.boolean(),
  RuncCommit: z.object({ ID: z.string() }).optional(),
});

export interface DockerDaemon {
  readonly version: string;
  /** Version of runc as the daemon says it. */
  readonly runc: string;
  readonly driver: CgroupDriver;
}

/** `20.10.24+dfsg1` → [20, 10]; undefined when the text is another. */
export function parseDockerVersion(text: string): [number, number] | undefined {
  const match = /^([0-9]+)\.([0-9]+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function cannot(why: string, remedy: string): CofferdamError {
  return new CofferdamError('ENGINE_CANNOT', `docker cannot enforce the boundary: ${why}; crun can`, {
    remedy: `${remedy}; or use --engine crun`,
  });
}

const remap = 'dockerd --userns-remap=cofferdam';

// With a map, the daemon keeps all it has below a folder that is named by the host ids of root inside.
function checkMap(root: string, { subuids, subgids }: Pick<HostIds, 'subuids' | 'subgids'>): void {
  const match = /\/([0-9]+)\.([0-9]+)$/.exec(root);
  if (match === null) throw cannot(`its daemon does not say which ids it maps (${printable(root, 200)})`, remap);
  if (Number(match[1]) === subuids.start && Number(match[2]) === subgids.start) return;
  throw cannot(`its daemon maps the ids of somebody else (from ${match[1]}.${match[2]})`, remap);
}

/** Throws ENGINE_MISSING for what is too old or unreadable, ENGINE_CANNOT for what has no boundary to give. */
export function judgeDaemon(said: unknown, ids: Pick<HostIds, 'subuids' | 'subgids'>): DockerDaemon {
  const read = infoSchema.safeParse(said);
  const remedy = 'use --engine crun';
  if (!read.success) throw new CofferdamError('ENGINE_MISSING', "docker's daemon does not say what it is", { remedy });
  const info = read.data;
  const [major, minor] = parseDockerVersion(info.ServerVersion) ?? [0, 0];
  if (major < 20 || (major === 20 && minor < 10)) {
    const is = printable(info.ServerVersion, 60);
    throw new CofferdamError('ENGINE_MISSING', `docker's daemon is ${is}; 20.10 or newer is needed`, { remedy });
  }
  const has = (name: string) =>
    info.SecurityOptions?.some((option) => option.split(',')[0] === `name=${name}`) === true;
  if (!has('userns')) throw cannot('its daemon gives containers no user namespace', remap);
  if (!has('seccomp')) throw cannot('its daemon loads no syscall filter', 'use a daemon with seccomp');
  const driver = (['cgroupfs', 'systemd'] as const).find((name) => name === info.CgroupDriver);
  // On v1 systemd's own hierarchy would keep the container in a scope that our gate does not move it out of.
  if (driver === undefined || !(info.CgroupVersion === '2' || (info.CgroupVersion === '1' && driver === 'cgroupfs'))) {
    const seen = `${printable(info.CgroupDriver, 40)}, control groups v${printable(info.CgroupVersion, 4)}`;
    throw cannot(`its containers are in no control group of the run with this daemon (${seen})`, 'use another host');
  }
  checkMap(info.DockerRootDir, ids);
  return { version: info.ServerVersion, runc: info.RuncCommit?.ID ?? 'unknown', driver };
}
