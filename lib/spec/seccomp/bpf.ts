// Owns classic BPF as seccomp(2) takes it: opcodes, seccomp_data offsets, and an assembler that resolves jumps.
// Programs are assembled from the last instruction to the first: jumps only go forward, so each target is known already.

/** struct sock_filter is 8 bytes; the kernel takes BPF_MAXINSNS of them and jumps of at most 255 instructions. */
const instructionBytes = 8;
const maxInstructions = 4096;
const maxJump = 255;

export const op = { loadWord: 0x20, and: 0x54, jump: 0x05, ifEqual: 0x15, ifAtLeast: 0x35, ifAnyBit: 0x45, ret: 0x06 };

export const action = {
  allow: 0x7fff0000,
  errno: (number: number) => 0x00050000 | number,
  killProcess: 0x80000000,
};

export const errno = { EPERM: 1, ENOSYS: 38 };

/** Offsets in struct seccomp_data. Both architectures are little endian: an argument's low word comes first. */
export const data = { number: 0, arch: 4, argLow: (index: number) => 16 + 8 * index };

interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly k: number;
}

/** An instruction's distance from the end of the program. */
export type Target = number;

export interface Assembler {
  /** The way to a return of this action: an earlier one in reach of a jump, else a new one. */
  returning(value: number): Target;
  /** Goes on with the instruction added before it. */
  step(code: number, k: number): Target;
  branch(code: number, k: number, yes: Target, no: Target): Target;
  /** The program's bytes. Throws when the kernel would refuse it for its length. */
  bytes(): Uint8Array;
}

export function createAssembler(): Assembler {
  const reversed: Instruction[] = [];
  const add = (code: number, k: number, yes = 0, no = 0): Target => reversed.push({ code, yes, no, k }) - 1;
  const offset = (target: Target) => reversed.length - 1 - target;
  const lastReturns = new Map<number, Target>();

  const returning = (value: number): Target => {
    const last = lastReturns.get(value);
    if (last !== undefined && offset(last) <= maxJump) return last;
    const fresh = add(op.ret, value);
    lastReturns.set(value, fresh);
    return fresh;
  };
  const closer = (target: Target): Target => {
    if (offset(target) <= maxJump) return target;
    const at = reversed[target]!;
    // A second return costs as much as a jump to the first one, and saves the step.
    return at.code === op.ret ? returning(at.k) : add(op.jump, offset(target));
  };

  return {
    returning,
    step: (code, k) => add(code, k),
    branch: (code, k, yes, no) => {
      let [nearYes, nearNo] = [closer(yes), closer(no)];
      // Bringing one closer may have pushed the other out of reach.
      while (Math.max(offset(nearYes), offset(nearNo)) > maxJump) [nearYes, nearNo] = [closer(nearYes), closer(nearNo)];
      return add(code, k, offset(nearYes), offset(nearNo));
    },
    bytes: () => {
      if (reversed.length > maxInstructions) throw new RangeError(`a filter of ${reversed.length} instructions`);
      const bytes = new Uint8Array(reversed.length * instructionBytes);
      const view = new DataView(bytes.buffer);
      reversed.toReversed().forEach((instruction, index) => {
        view.setUint16(index * instructionBytes, instruction.code, true);
        view.setUint8(index * instructionBytes + 2, instruction.yes);
        view.setUint8(index * instructionBytes + 3, instruction.no);
        view.setUint32(index * instructionBytes + 4, instruction.k, true);
      });
      return bytes;
    },
  };
}
