// Owns turning a command's context into the Host that lib/run takes.
import type { Host } from '../run/prepare.ts';
import type { CliContext } from './context.ts';

// Most runs have no way out, and so no need of what knows the host's firewall.
const ways = () => import('../service/egress/wayOut.ts');

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
    openWayOut: async (asked) => (await ways()).openWayOut({ paths, uid, env }, asked),
    leaseWayOut: async (asked) => (await ways()).leaseWayOut({ paths, uid, env }, asked),
    restoreWaysOut: async () => (await ways()).restoreWaysOut({ paths, uid, env }),
  };
}
