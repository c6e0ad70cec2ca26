// Owns the arguments that tests try on conditional syscalls: each boundary, with both halves of the register dirty.

const dirt = [0n, 1n << 32n, 0xffffffffn << 32n, 0x80000000n << 32n];

/** The value, its neighbours, and it with every single bit flipped. */
function around(values: readonly number[]): number[] {
  const near = values.flatMap((value) => [value, value + 1, value - 1]);
  const flipped = values.flatMap((value) => Array.from({ length: 32 }, (_, bit) => value ^ (1 << bit)));
  return [...new Set([...near, ...flipped, 0, -1, 0x7fffffff, 0x80000000].map((value) => value >>> 0))];
}

const dirtied = (values: readonly number[]) => values.flatMap((value) => dirt.map((high) => high | BigInt(value)));

function* only(index: number, values: readonly bigint[]): Generator<bigint[]> {
  for (const value of values) {
    const args = Array.from({ length: 6 }, (_, at) => (at === index ? value : 0n));
    yield args;
    // What stands in the other registers must not matter.
    yield args.map((arg, at) => (at === index ? arg : 0xdead_beef_0000_0000n));
  }
}

function* sockets(): Generator<bigint[]> {
  const types = Array.from({ length: 16 }, (_, kind) => [kind, kind | 0o2000000, kind | 0o4000, kind | 0x10]).flat();
  const protocols = [0, 1, 2, 3, 5, 6, 7, 9, 15, 16, 17, 18, 33, 58, 115, 132, 136, 255, 256, 262, 0x80000000];
  for (const domain of [...Array.from({ length: 48 }, (_, each) => each), 0xffffffff]) {
    for (const type of types) {
      for (const protocol of protocols) yield [BigInt(domain), BigInt(type), BigInt(protocol)];
    }
  }
  const few = [1, 2, 10, 16, 38, 40].flatMap((domain) =>
    [1, 2, 3, 5, 10].flatMap((type) => [0, 6, 17, 9].map((protocol) => [domain, type, protocol])),
  );
  for (const call of few) {
    for (let dirty = 1; dirty < 8; dirty++) {
      yield call.map((value, index) => BigInt(value) | (((dirty >> index) & 1) === 1 ? 0xfeed_0001n << 32n : 0n));
    }
  }
}

const modes = dirtied([...around([0o4755, 0o2755, 0o6777, 0o644]), 0o104755, 0o1777]);
const openFlags = dirtied([...around([0, 0o100, 0o20200000, 0o1101]), 0o2000000]);

function* opens(flagsAt: number): Generator<bigint[]> {
  for (const flags of openFlags) {
    for (const mode of [0n, 0o644n, 0o4755n, 0o2755n, 0o6000n, 0xffff_ffff_0000_01a4n, 0xffff_0000_0000_0fffn]) {
      yield Array.from({ length: 6 }, (_, at) => (at === flagsAt ? flags : at === flagsAt + 1 ? mode : 7n));
    }
  }
}

/** Arguments to try on this syscall; for those without conditions, two that differ in every bit. */
export function casesOf(name: string): Iterable<readonly bigint[]> {
  const all = 0xffff_ffff_ffff_ffffn;
  if (name === 'clone') return only(0, dirtied(around([0, 0x11, 0x7e020000, 0x003d0f00, 0x80])));
  if (name === 'ioctl') return only(1, dirtied(around([0x5401, 0x5412, 0x541c, 0x5423])));
  if (name === 'personality') return only(0, dirtied(around([0, 8, 0x20000, 0x20008, 0xffffffff, 0x40000])));
  if (name === 'socket' || name === 'socketpair') return sockets();
  if (name === 'open') return opens(1);
  if (name === 'openat') return opens(2);
  if (['chmod', 'fchmod', 'creat', 'mkdir', 'mknod'].includes(name)) return only(1, modes);
  if (['fchmodat', 'fchmodat2', 'mkdirat', 'mknodat'].includes(name)) return only(2, modes);
  return [
    [0n, 0n, 0n, 0n, 0n, 0n],
    [all, all, all, all, all, all],
  ];
}
