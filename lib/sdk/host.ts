// Owns making the Host of a library call from what the caller gives.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { resolvePaths } from '../base/paths.ts';
import type { Host } from '../run/prepare.ts';
import { leaseWayOut, openWayOut, restoreWaysOut } from '../service/egress/wayOut.ts';

export interface HostOptions {
  /** Environment that HOME and XDG_* are read from. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  /** Aborting cancels what is under way. */
  readonly signal?: AbortSignal;
  /** Told what a person should know before the start: what a killed run had left, for example. */
  readonly notice?: (text: string) => void;
}

const install = dirname(dirname(import.meta.dirname));

/** Throws HOST_UNPREPARED without HOME. */
export function hostOf({ hostEnv, cwd, signal, notice }: HostOptions): Host {
  const { version } = JSON.parse(readFileSync(join(install, 'package.json'), 'utf8')) as { version: string };
  const uid = process.getuid?.() ?? -1;
  const paths = resolvePaths({ uid, env: hostEnv, install });
  return {
    paths,
    uid,
    gid: process.getgid?.() ?? -1,
    cwd,
    home: hostEnv['HOME'],
    version,
    signal: signal ?? new AbortController().signal,
    notice: notice ?? (() => undefined),
    openWayOut: (asked) => openWayOut({ paths, uid, env: hostEnv }, asked),
    leaseWayOut: (asked) => leaseWayOut({ paths, uid, env: hostEnv }, asked),
    restoreWaysOut: () => restoreWaysOut({ paths, uid, env: hostEnv }),
  };
}

/** `NAME=value` words, as flags have them. */
export function pairs(values: Readonly<Record<string, string>> | undefined): string[] {
  return Object.entries(values ?? {}).map(([name, value]) => `${name}=${value}`);
}
