// Owns the way out of a run: who may have one, when it is opened, and what is known of it afterwards. Who opens it is the caller's.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, messageOf } from '../base/errors.ts';
import type { InstalledImage } from '../image/find.ts';
import { bridgePoint } from '../image/rootfs.ts';
import { readNarrowing } from '../policy/narrowing.ts';
import type { LoadedProfile } from '../profile/load.ts';
import type { Profile } from '../profile/schema.ts';

/** What of the host's own firewall is known: docs/firewall.md, "The second wall". */
export type HostFirewall = 'verified' | 'drifted' | 'absent';

export interface OpenedWay {
  /** Holds `proxy.sock` and nothing else. */
  readonly folder: string;
  /** `sha256:` and 64 hex digits: the policy that held at the start. */
  readonly policy: string;
  readonly hostFirewall: HostFirewall;
  /** Ends all that is open, and says how many requests were let out and refused. Throws when nobody knows. */
  close(): Promise<{ readonly allowed: number; readonly denied: number; readonly wallDrifted: boolean }>;
}

export type OpenWayOut = (asked: {
  readonly run: string;
  readonly tool: string | undefined;
  readonly profile: string;
  /** `network.onDeny: ask`. */
  readonly asks: boolean;
  /** `network.allow`. */
  readonly allow: readonly string[] | undefined;
}) => Promise<OpenedWay>;

/** The way out of a sandbox that lives on. */
export interface LeasedWay {
  readonly folder: string;
  /** The fifo that its supervisor holds open: the way lasts as long. */
  readonly hold: string;
  /** To be called when the supervisor holds it. */
  leave(): void;
  /** Ends it; for a sandbox that was not started after all. */
  close(): Promise<unknown>;
}

export type LeaseWayOut = (asked: Parameters<OpenWayOut>[0]) => Promise<LeasedWay>;

/** What a run's result and receipt say; `problem` in place of counts that nobody knows. */
export interface Egress {
  readonly allowed: number;
  readonly denied: number;
  readonly hostFirewall: HostFirewall;
  readonly policy: string;
  readonly problem: string | undefined;
}

/** Throws CONFIG_INVALID, with file and line, for a host in `network.allow` that is none. */
export function checkAllowed({ profile, where }: Pick<LoadedProfile, 'profile' | 'where'>): void {
  const { fault } = readNarrowing(profile.network.allow);
  if (fault !== undefined) throw new CofferdamError('CONFIG_INVALID', `${where(['network', 'allow'])}  ${fault}`);
}

const cannotOpen = () => new CofferdamError('NOT_YET_ENFORCED', 'network.mode: not yet enforced here (proxy)');

/** Throws NOT_YET_ENFORCED when whoever runs this opens no ways out, IMAGE_UNSAFE for an image without the place for it. */
export function checkWayOut(
  profile: Profile,
  image: Pick<InstalledImage, 'name' | 'rootfs'>,
  { openWayOut }: { readonly openWayOut?: OpenWayOut | undefined },
): void {
  if (profile.network.mode !== 'proxy') return;
  if (openWayOut === undefined) throw cannotOpen();
  if (lstatSync(join(image.rootfs, bridgePoint), { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new CofferdamError(
    'IMAGE_UNSAFE',
    `${bridgePoint} is missing in ${image.rootfs}, which was built before there was a way out`,
    {
      remedy: `sandbox image build ${image.name}`,
    },
  );
}

interface Asking {
  readonly profile: Profile;
  readonly plan: { readonly profileName: string };
}

/** What is asked for a run; undefined where its network is none. */
function wayOf({ profile, plan: { profileName } }: Asking, run: string): Parameters<OpenWayOut>[0] | undefined {
  const { mode, principal, onDeny, allow } = profile.network;
  if (mode !== 'proxy') return undefined;
  return { run, tool: principal, profile: profileName, asks: onDeny === 'ask', allow };
}

/** The way of one run, or undefined where its network is none. Throws what opening it is stopped by; nothing is left then. */
export async function openWay(
  asking: Asking,
  run: string,
  openWayOut: OpenWayOut | undefined,
): Promise<OpenedWay | undefined> {
  const asked = wayOf(asking, run);
  return asked === undefined ? undefined : openWayOut?.(asked);
}

/** The same of a sandbox that lives on. */
export async function leaseWay(
  asking: Asking,
  run: string,
  leaseWayOut: LeaseWayOut | undefined,
): Promise<LeasedWay | undefined> {
  const asked = wayOf(asking, run);
  if (asked === undefined) return undefined;
  if (leaseWayOut === undefined) throw cannotOpen();
  return leaseWayOut(asked);
}

/** Closes it. Never throws: the program has run, and that its counts are lost does not unmake the result. */
export async function closeWay(way: OpenedWay | undefined): Promise<Egress | undefined> {
  if (way === undefined) return undefined;
  const { hostFirewall, policy } = way;
  try {
    const { allowed, denied, wallDrifted } = await way.close();
    return { allowed, denied, hostFirewall: wallDrifted ? 'drifted' : hostFirewall, policy, problem: undefined };
  } catch (error) {
    return { allowed: 0, denied: 0, hostFirewall, policy, problem: messageOf(error) };
  }
}
