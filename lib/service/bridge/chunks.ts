// Owns the memory that downloads pass through: large pieces that are used again, because making them anew costs more than copying.

/** Bytes of one read: four times Node's own, so a quarter of the calls. */
export const chunkBytes = 1 << 18;
/** Kept for the next use at the most, of all connections together. */
const mostKept = 32;
/** Smaller pieces are cheap to make. */
const smallBytes = 8192;

/** All sockets read into it; what was read is copied out before the next read. */
export const readBuffer = Buffer.allocUnsafeSlow(chunkBytes);

const kept: Buffer[] = [];

/** Writes a copy of `bytes`; gives back what the copy took when it has been written. */
export function writeCopy(bytes: Uint8Array, write: (copy: Buffer, done: () => void) => boolean): boolean {
  if (bytes.length <= smallBytes) return write(Buffer.from(bytes), () => undefined);
  const whole = kept.pop() ?? Buffer.allocUnsafeSlow(chunkBytes);
  whole.set(bytes);
  return write(whole.subarray(0, bytes.length), () => {
    if (kept.length < mostKept) kept.push(whole);
  });
}
