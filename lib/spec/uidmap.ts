// Owns which host ids a sandbox has. The firewall reads the same function; nothing else computes a host uid.
import type { IdMapping } from './types.ts';

/** Subordinate ids of one owner, from /etc/subuid and /etc/subgid. */
export interface SubidRange {
  readonly start: number;
  readonly count: number;
}

export interface HostIds {
  /** Who runs us. 0: the range is that of the system user `cofferdam`. */
  readonly callerUid: number;
  readonly callerGid: number;
  readonly subuids: SubidRange;
  readonly subgids: SubidRange;
}

/**
 * Host ids per sandbox: one for the user inside, one for root inside. Root inside is never a running program; the runtime
 * holds it while it builds the sandbox. For a plain user root inside is the caller, because nobody else may pass the
 * caller's 0700 folders; for root it is a subordinate id too, so that host uid 0 is in no sandbox.
 */
export const idsPerSlot = 2;

/** How many sandboxes can live at once on these ranges. The last id is in no slot: copies of root's workspaces have it. */
export function countSlots(ids: HostIds): number {
  return Math.floor((Math.min(ids.subuids.count, ids.subgids.count) - 1) / idsPerSlot);
}

export interface SlotMap {
  readonly uidMappings: IdMapping[];
  readonly gidMappings: IdMapping[];
}

/** Whose uid the program has: a subordinate id of this slot alone, or the owner of a writable host folder (never 0). */
export type ProgramIds =
  | { readonly kind: 'slot' }
  | { readonly kind: 'owner'; readonly uid: number; readonly gid: number };

/** Host ids of one slot: `root` and `program` are what the slot offers, used or not. */
export interface SlotIds {
  readonly rootUid: number;
  readonly programUid: number;
  readonly rootGid: number;
  readonly programGid: number;
}

/** The ids of slot number `slot`. Throws RangeError outside 0 … countSlots-1. */
export function slotIds(ids: HostIds, slot: number): SlotIds {
  if (!Number.isInteger(slot) || slot < 0 || slot >= countSlots(ids)) throw new RangeError(`slot ${slot}`);
  const uid = ids.subuids.start + slot * idsPerSlot;
  const gid = ids.subgids.start + slot * idsPerSlot;
  return { rootUid: uid, programUid: uid + 1, rootGid: gid, programGid: gid + 1 };
}

/**
 * The same for the launch script: it knows `slot`, `uid_base` and `gid_base` (the starts of the ranges, or 1 inside an outer
 * user namespace that maps the ranges from 1 on and the caller to 0) and `caller_uid`, `caller_gid`; it gets the four
 * host ids that the maps name. A test runs it beside mapIds.
 */
export function idArithmetic(ids: HostIds, program: ProgramIds): string {
  const kinds = [
    { kind: 'uid', caller: ids.callerUid, owner: program.kind === 'owner' ? program.uid : undefined },
    { kind: 'gid', caller: ids.callerGid, owner: program.kind === 'owner' ? program.gid : undefined },
  ];
  return kinds
    .flatMap(({ kind, caller, owner }) => {
      const base = `${kind}_base + slot * ${idsPerSlot}`;
      const fromSlot = ids.callerUid === 0 || owner === caller;
      const programText = owner === undefined ? `$((${base} + 1))` : owner === caller ? `$caller_${kind}` : `${owner}`;
      return [`root_${kind}=${fromSlot ? `$((${base}))` : `$caller_${kind}`}`, `program_${kind}=${programText}`];
    })
    .join('\n');
}

/**
 * The id maps of a sandbox: container 0 and the program's ids, one each (user_namespaces(7)). Throws RangeError when an
 * owner is 0: callers refuse root-owned folders before.
 */
export function mapIds(
  ids: HostIds,
  inside: { uid: number; gid: number },
  slot: SlotIds,
  program: ProgramIds,
): SlotMap {
  const one = (containerID: number, hostID: number): IdMapping => ({ containerID, hostID, size: 1 });
  const build = (
    caller: number,
    slotRoot: number,
    slotProgram: number,
    insideId: number,
    owner: number | undefined,
  ) => {
    if (owner === 0) throw new RangeError('host id 0 is mapped into no sandbox');
    // A host id can be mapped once. Where the program is the caller, root inside is a subordinate id, and still passes the
    // caller's 0700 folders: CAP_DAC_OVERRIDE holds for inodes whose owner is mapped (capabilities(7)).
    const root = ids.callerUid === 0 || owner === caller ? slotRoot : caller;
    return [one(0, root), one(insideId, owner ?? slotProgram)];
  };
  const owner = program.kind === 'owner' ? program : undefined;
  return {
    uidMappings: build(ids.callerUid, slot.rootUid, slot.programUid, inside.uid, owner?.uid),
    gidMappings: build(ids.callerGid, slot.rootGid, slot.programGid, inside.gid, owner?.gid),
  };
}
