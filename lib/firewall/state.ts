// Owns the table as the kernel has it, in one normal form, and what differs between two: drift.
import { CofferdamError } from '../base/errors.ts';

/** One line for each set, element, chain and rule; none when there is no table. Equal tables have equal lines. */
export type TableState = readonly string[];

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new CofferdamError('FIREWALL_UNREADABLE', 'nft listed the table in a form that we do not know');
}

// Handles are given anew with every load, and counters count.
function without(fields: Fields, ...names: readonly string[]): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))));
}

function describeSet(fields: Fields): string[] {
  const { elem, name } = fields;
  const elements = Array.isArray(elem) ? elem.map((one) => `element ${String(name)} ${JSON.stringify(one)}`) : [];
  // The order of a hash set's elements is that of a secret seed.
  return [`set ${String(name)} ${without(fields, 'elem', 'handle', 'family', 'table', 'name')}`, ...elements.sort()];
}

/**
 * The normal form of what `nft -j list table` printed. Throws FIREWALL_UNREADABLE for anything else: what cannot be
 * compared is never taken for equal.
 */
export function readState(json: string): TableState {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch (cause) {
    throw new CofferdamError('FIREWALL_UNREADABLE', 'nft did not list the table as JSON', { cause });
  }
  const objects = fieldsOf(document)['nftables'];
  if (!Array.isArray(objects)) throw new CofferdamError('FIREWALL_UNREADABLE', 'nft listed no table');
  const counts = new Map<string, number>();
  return objects.flatMap((object): string[] => {
    const [kind = '', value] = Object.entries(fieldsOf(object))[0] ?? [];
    if (kind === 'metainfo') return [];
    const fields = fieldsOf(value);
    if (kind === 'set' || kind === 'map') return describeSet(fields);
    if (kind === 'rule') {
      // The place of a rule in its chain is part of what it means.
      const chain = String(fields['chain']);
      const place = (counts.get(chain) ?? 0) + 1;
      counts.set(chain, place);
      return [`rule ${chain} ${place} ${without(fields, 'handle', 'family', 'table', 'chain')}`];
    }
    return [
      `${kind} ${String(fields['name'])} ${without(fields, 'handle', 'packets', 'bytes', 'family', 'table', 'name')}`,
    ];
  });
}

export interface Drift {
  /** In the kernel, and not as it was applied. */
  readonly extra: readonly string[];
  /** Applied, and not in the kernel. */
  readonly missing: readonly string[];
}

/** What differs; two empty lists when nothing does. */
export function findDrift(wanted: TableState, live: TableState): Drift {
  const [want, have] = [new Set(wanted), new Set(live)];
  return { extra: live.filter((line) => !want.has(line)), missing: wanted.filter((line) => !have.has(line)) };
}

/** Whether two states are the same. */
export function isSame(wanted: TableState, live: TableState): boolean {
  const { extra, missing } = findDrift(wanted, live);
  return extra.length === 0 && missing.length === 0;
}

/** Packets that each named counter of the table counted, by the same listing. */
export function readCounters(json: string): ReadonlyMap<string, number> {
  const objects = fieldsOf(JSON.parse(json))['nftables'];
  const counters = Array.isArray(objects) ? objects.map((one) => fieldsOf(one)['counter']).filter(Boolean) : [];
  return new Map(counters.map(fieldsOf).map(({ name, packets }) => [String(name), Number(packets)]));
}

/** Whether two tables have the same sets, chains and counters, whatever stands in them: one can be made the other in place. */
export function haveSameParts(one: TableState, other: TableState): boolean {
  const parts = (state: TableState) => state.filter((line) => !/^(element|rule) /.test(line));
  return isSame(parts(one), parts(other));
}
