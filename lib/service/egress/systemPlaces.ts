// Owns where the way out of a worker host is, which systemd runs for all callers: docs/decisions/0029 says why there.
import { existsSync } from 'node:fs';
import { listIfPresent } from '../../base/files.ts';
import type { Paths } from '../../base/paths.ts';
import { policySourceOf } from '../../firewall/policySource.ts';
import { loadHostConfig } from '../../profile/hostConfig.ts';
import { type EgressFolders, egressFolders } from './folders.ts';

/** A folder for each caller, by uid: it is theirs, and nobody else passes it but the bridge. */
export const callersFolder = '/run/cofferdam/egress/callers';
/** What was let out, by uid: the bridge's to write, that caller's to read. */
export const callerLogs = '/var/lib/cofferdam/egress';
/** Where the bridge asks for a Squid. */
export const proxySocket = '/run/cofferdam/egress/proxy.sock';
/** Of who runs Squid. */
export const proxyFolder = '/run/cofferdam/proxy';

export interface CallerPlaces extends Pick<EgressFolders, 'control' | 'logs' | 'logMode'> {
  /** The caller's own: whoever passes it is that caller. */
  readonly gate: string;
  /** In it, and the bridge's: the control socket, and a folder for each run. */
  readonly folder: string;
}

/** Those of one caller. */
export function callerPlaces(uid: number, folder = callersFolder, logs = callerLogs): CallerPlaces {
  const gate = `${folder}/${uid}`;
  return {
    gate,
    folder: `${gate}/way`,
    control: `${gate}/way/control.sock`,
    logs: `${logs}/${uid}`,
    // Its folder is closed to all but the two.
    logMode: 0o644,
  };
}

/**
 * Whether `uid` is let out by the host's service: where the host configuration says so, or it was prepared for them and the policy is
 * the host's. Throws what loadHostConfig() throws.
 */
export function isSystemEgress(paths: Paths, uid: number): boolean {
  const host = loadHostConfig(paths.hostConfig);
  if (host.egress === 'system') return true;
  return policySourceOf(paths, uid, host).uid === 0 && existsSync(callerPlaces(uid).gate);
}

/** Where it is written what the sandboxes of `uid` asked for. Throws what loadHostConfig() throws. */
export function egressLogs(paths: Paths, uid: number): Pick<EgressFolders, 'logs'> {
  return isSystemEgress(paths, uid) ? callerPlaces(uid) : egressFolders(paths);
}

/** Where what one caller's sandboxes were refused is recorded. */
export interface RecordOf {
  readonly caller: number;
  readonly folder: string;
  /** Written by the service of the host, which takes answers at its control socket; else by whoever answers. */
  readonly served: boolean;
}

/** Those that `uid` may answer: their own and, for root where it is the host's service that lets out, everybody's. Throws what loadHostConfig() throws. */
export function requestRecords(paths: Paths, uid: number): RecordOf[] {
  if (!isSystemEgress(paths, uid)) return [{ caller: uid, folder: egressFolders(paths).logs, served: false }];
  const callers =
    uid === 0
      ? listIfPresent(callerLogs)
          .filter((name) => /^[0-9]{1,10}$/.test(name))
          .map(Number)
      : [uid];
  return callers.map((caller) => ({ caller, folder: callerPlaces(caller).logs, served: true }));
}
