// Owns which port of the ranges a name is given: the same for the same name, as far as nobody has it. Pure.
import { createHash } from 'node:crypto';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { PortRange } from './schema.ts';

export interface Assignment {
  readonly name: string;
  /** Of one user, so that two users' sandboxes of the same name seldom want the same port. */
  readonly uid: number;
  readonly ranges: readonly PortRange[];
  /** Ports that are registered or bound. */
  readonly taken: (port: number) => boolean;
}

/** Ports of several ranges, each once: ranges may overlap. */
function join(ranges: readonly PortRange[]): PortRange[] {
  const joined: PortRange[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = joined.at(-1);
    if (before === undefined || first > before.last + 1) joined.push({ first, last });
    else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, last) };
  }
  return joined;
}

function portAt(ranges: readonly PortRange[], index: number): number {
  let left = index;
  for (const { first, last } of ranges) {
    const size = last - first + 1;
    if (left < size) return first + left;
    left -= size;
  }
  throw new RangeError(`no port ${index}`);
}

/**
 * The port at the hash of uid and name, or the next one that is not taken. Throws PORTS_FULL without one, also when there is
 * no range.
 */
export function choosePort({ name, uid, ranges, taken }: Assignment): number {
  const all = join(ranges);
  const count = all.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const start = createHash('sha256').update(`${uid}\0${name}`).digest().readUInt32BE();
  for (let step = 0; step < count; step++) {
    const port = portAt(all, (start + step) % count);
    if (!taken(port)) return port;
  }
  const why = count === 0 ? 'there is no range to assign it from' : `all ${count} of the ranges are taken`;
  throw new CofferdamError('PORTS_FULL', `no port for ${printable(name, 80)}: ${why}`);
}
