// Owns arithmetic of networks: blocks of addresses as numbers, and one block without another.
import { isIP } from 'node:net';

export interface Block {
  readonly family: 4 | 6;
  /** The first address. */
  readonly start: bigint;
  readonly prefix: number;
}

const bitsOf = { 4: 32, 6: 128 } as const;

/** One form for all spellings of an IPv6 address: hex, compressed. */
const canonical = (address: string) => new URL(`http://[${address}]/`).hostname.slice(1, -1);

function toNumber(address: string): bigint {
  if (isIP(address) === 4) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head = '', tail] = canonical(address).split('::');
  const parts = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'));
  const [front, back] = [parts(head), parts(tail)];
  const middle = Array.from({ length: 8 - front.length - back.length }, () => '0');
  return [...front, ...middle, ...back].reduce((sum, part) => sum * 65_536n + BigInt(`0x${part}`), 0n);
}

function toAddress(value: bigint, family: 4 | 6): string {
  const parts = (count: number, bits: bigint) =>
    Array.from({ length: count }, (_, i) => (value >> (bits * BigInt(count - 1 - i))) & ((1n << bits) - 1n));
  if (family === 4) return parts(4, 8n).join('.');
  return canonical(
    parts(8, 16n)
      .map((part) => part.toString(16))
      .join(':'),
  );
}

/** `10.1.0.0/16` or an address as a block; bits behind the prefix are dropped. The text has been checked. */
export function readBlock(text: string): Block {
  const [address = '', length] = text.split('/');
  const family = isIP(address) === 4 ? 4 : 6;
  const prefix = length === undefined ? bitsOf[family] : Number(length);
  const behind = BigInt(bitsOf[family] - prefix);
  return { family, prefix, start: (toNumber(address) >> behind) << behind };
}

export function blockText({ family, start, prefix }: Block): string {
  return `${toAddress(start, family)}/${prefix}`;
}

/** Whether all of `inner` lies in `outer`. */
export function holdsBlock(outer: Block, inner: Block): boolean {
  const behind = BigInt(bitsOf[outer.family] - outer.prefix);
  return (
    outer.family === inner.family && outer.prefix <= inner.prefix && outer.start >> behind === inner.start >> behind
  );
}

/** `block` without `hole`, as blocks: its halves, of which the one with the hole is halved again. */
function cutOne(block: Block, hole: Block): Block[] {
  if (holdsBlock(hole, block)) return [];
  if (!holdsBlock(block, hole)) return [block];
  const { family, start } = block;
  const prefix = block.prefix + 1;
  const second = start + (1n << BigInt(bitsOf[family] - prefix));
  return [
    { family, start, prefix },
    { family, start: second, prefix },
  ].flatMap((half) => cutOne(half, hole));
}

/** `blocks` without `holes`, in order of their addresses. */
export function cutBlocks(blocks: readonly Block[], holes: readonly Block[]): Block[] {
  const left = holes.reduce<readonly Block[]>((all, hole) => all.flatMap((block) => cutOne(block, hole)), blocks);
  return left.toSorted((a, b) => a.family - b.family || (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}
