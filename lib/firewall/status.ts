// Owns saying whether the wall stands as it was applied: what receipts, doctor and `firewall status` tell.
import { learnState, listTable } from './nft.ts';
import { type FirewallPlaces, type Pending, readPending, readScript, readWanted } from './record.ts';
import { type Drift, findDrift, readCounters, readState } from './state.ts';

export interface FirewallStatus {
  /**
   * verified: the kernel has what was applied. drifted: it has something else, be it no table at all. absent: nothing was
   * applied, and there is no table.
   */
  readonly state: 'verified' | 'drifted' | 'absent';
  readonly drift: Drift;
  readonly pending: Pending | undefined;
  /** Whether the next boot loads what is in force. */
  readonly persistent: boolean;
  /** Packets by counter; empty without a table. */
  readonly counters: ReadonlyMap<string, number>;
}

/** Compares the kernel with what was applied, which `learn` knows the table of. Throws HOST_UNPREPARED without root. */
export async function examineFirewall(places: FirewallPlaces, learn = learnState): Promise<FirewallStatus> {
  const wanted = readWanted(places);
  const json = await listTable();
  const drift = findDrift(wanted === undefined ? [] : await learn(wanted), json === undefined ? [] : readState(json));
  const differs = drift.extra.length + drift.missing.length > 0;
  return {
    state: differs ? 'drifted' : wanted === undefined ? 'absent' : 'verified',
    drift,
    pending: readPending(places),
    persistent: wanted !== undefined && readScript(places.boot) === wanted,
    counters: json === undefined ? new Map() : readCounters(json),
  };
}
