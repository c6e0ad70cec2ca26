// Owns opening the way out for one run, as whoever starts runs is given it.
import { CofferdamError } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { requireWall } from '../../firewall/wall.ts';
import { readClock } from '../../policy/clock.ts';
import { scopeNames } from '../../policy/schema.ts';
import { type EgressConnection, openDaemon } from './client.ts';
import { wallPlaces } from './folders.ts';
import { type EgressSummary, openedSchema, summarySchema } from './protocol.ts';

/** On whose behalf. */
export interface WayOutCaller {
  readonly paths: Paths;
  readonly uid: number;
  /** Where a daemon has to be started, its variables may name a parent proxy (lib/policy/parentProxy.ts). */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface WayOutRequest {
  readonly run: string;
  /** Id of the tool whose rules apply, beside those of the profile. */
  readonly tool: string | undefined;
  readonly profile: string;
  /** Whether a refused request waits for a person's answer: `network.onDeny: ask`. */
  readonly asks: boolean;
}

export interface OpenWayOut {
  /** Holds `proxy.sock` and nothing else; to be mounted read-only. */
  readonly folder: string;
  /** `sha256:` and 64 hex digits: the policy that held at the start. */
  readonly policy: string;
  /** As it is at the start; `absent` also where nobody tells a plain user (firewall watch). */
  readonly hostFirewall: 'verified' | 'absent';
  /** Closes it. Throws PROXY_FAILED when the daemon is gone: then nobody knows what was reached. */
  close(): Promise<EgressSummary>;
}

/** Of this many tries one must meet a daemon that is not just ending for want of work. */
const tries = 3;

async function open(
  daemon: EgressConnection,
  { run, tool, profile, asks }: WayOutRequest,
): Promise<Pick<OpenWayOut, 'folder' | 'policy'>> {
  return daemon.ask({ do: 'run', id: run, tool: tool ?? null, profile, asks }, openedSchema);
}

/**
 * Opens the way out of a run; it closes with close(), and when this process ends, however it ends. Throws VALUE_INVALID for
 * what is no tool, FIREWALL_DRIFT, POLICY_MISSING and all that a policy is refused with, PROXY_MISSING, PROXY_FAILED, ID_IN_USE.
 */
export async function openWayOut({ paths, uid, env }: WayOutCaller, request: WayOutRequest): Promise<OpenWayOut> {
  const { tool, run } = request;
  if (tool !== undefined && !scopeNames.tool.safeParse(tool).success) {
    throw new CofferdamError('VALUE_INVALID', `"${printable(tool, 80)}" is not the id of a tool`, {
      remedy: 'write it as in the policy, such as web.search@v1',
    });
  }
  const hostFirewall = await requireWall({ places: wallPlaces(paths), uid, clock: readClock });
  for (let attempt = 1; ; attempt++) {
    const daemon = await openDaemon(paths, uid, env);
    try {
      const { folder, policy } = await open(daemon, request);
      const close = async () => {
        try {
          return await daemon.ask({ do: 'end', id: run }, summarySchema);
        } finally {
          daemon.close();
        }
      };
      return { folder, policy, hostFirewall, close };
    } catch (error) {
      daemon.close();
      if (!(error instanceof CofferdamError) || error.code !== 'PROXY_FAILED' || attempt === tries) throw error;
    }
  }
}
