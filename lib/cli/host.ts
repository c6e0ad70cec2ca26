// Owns turning a command's context into the Host that lib/run takes.
import type { Host } from '../run/prepare.ts';
import { leaseWayOut, openWayOut, restoreWaysOut } from '../service/egress/wayOut.ts';
import type { CliContext } from './context.ts';

/** The Host of a command line: notices go to stderr. */
export function hostOf({ paths, uid, gid, cwd, version, signal, env, terminal }: CliContext): Host {
  const notice = (text: string) => terminal.err(`sandbox: ${text}\n`);
  return {
    paths,
    uid,
    gid,
    cwd,
    version,
    signal,
    home: env['HOME'],
    notice,
    openWayOut: (asked) => openWayOut({ paths, uid, env }, asked),
    leaseWayOut: (asked) => leaseWayOut({ paths, uid, env }, asked),
    restoreWaysOut: () => restoreWaysOut({ paths, uid, env }),
  };
}
