// Owns the search tree over syscall numbers: the cheapest order of comparisons that leads each number to its outcome.

/** A run of numbers with one outcome: from `first` to the next segment's first, exclusive. */
export interface Segment {
  readonly first: number;
  readonly outcome: string;
  /** How many of its numbers are syscalls that somebody may call. */
  readonly weight: number;
}

export type Tree =
  | { readonly outcome: string }
  | { readonly test: 'atLeast' | 'equal'; readonly number: number; readonly yes: Tree; readonly no: Tree };

// An instruction more is paid once per sandbox; a step more, by each call of each number behind it. At this rate the
// program is within 3% of the smallest one there is, and its deepest path no deeper than that of a balanced tree.
const stepCost = 1 / 24;
const maxExceptions = 3;

/** Segments told apart by "equal" alone: single numbers picked out of one outcome that all others have. */
interface Chain {
  readonly background: string;
  readonly exceptions: readonly Segment[];
  readonly cost: number;
}

function chainAround(background: string, segments: readonly Segment[], from: number, to: number): Chain | undefined {
  const exceptions: Segment[] = [];
  let [steps, behind] = [0, 0];
  for (let index = from; index <= to; index++) {
    const segment = segments[index]!;
    if (segment.outcome === background) {
      behind += segment.weight;
      continue;
    }
    const isOneNumber = segments[index + 1]?.first === segment.first + 1;
    if (!isOneNumber || exceptions.length === maxExceptions) return undefined;
    exceptions.push(segment);
    steps += exceptions.length * segment.weight;
  }
  steps += exceptions.length * behind;
  return { background, exceptions, cost: exceptions.length + steps * stepCost };
}

function cheapestChain(segments: readonly Segment[], from: number, to: number): Chain | undefined {
  if (to - from > 2 * maxExceptions) return undefined;
  const outcomes = new Set(segments.slice(from, to + 1).map(({ outcome }) => outcome));
  const chains = [...outcomes].map((background) => chainAround(background, segments, from, to));
  return chains.reduce(
    (best, each) => (best === undefined || (each && each.cost < best.cost) ? each : best),
    undefined,
  );
}

/**
 * The optimal tree for segments in ascending order; the first must begin at 0, the last has no end. Inner nodes ask "at
 * least"; at the bottom up to three single numbers are picked out by "equal". Dynamic programming over all ranges of
 * segments, O(n³), some milliseconds for the hundred there are.
 */
export function searchTree(segments: readonly Segment[]): Tree {
  const size = segments.length;
  const costs = new Float64Array(size * size);
  // Where to split the range; 0, which is no place to split, stands for its cheapest chain.
  const splits = new Int32Array(size * size);
  for (let from = size - 1; from >= 0; from--) {
    let weight = 0;
    for (let to = from; to < size; to++) {
      weight += segments[to]!.weight;
      let best = cheapestChain(segments, from, to)?.cost ?? Number.POSITIVE_INFINITY;
      for (let middle = from + 1; middle <= to; middle++) {
        const cost = 1 + weight * stepCost + costs[from * size + middle - 1]! + costs[middle * size + to]!;
        if (cost >= best) continue;
        best = cost;
        splits[from * size + to] = middle;
      }
      costs[from * size + to] = best;
    }
  }

  const build = (from: number, to: number): Tree => {
    const middle = splits[from * size + to]!;
    if (middle > 0) {
      const number = segments[middle]!.first;
      return { test: 'atLeast', number, yes: build(middle, to), no: build(from, middle - 1) };
    }
    const { background, exceptions } = cheapestChain(segments, from, to)!;
    return exceptions.reduceRight<Tree>(
      (no, { first, outcome }) => ({ test: 'equal', number: first, yes: { outcome }, no }),
      { outcome: background },
    );
  };
  return build(0, size - 1);
}
