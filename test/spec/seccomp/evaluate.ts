// Owns a BPF interpreter for tests: checks a filter as the kernel's verifier does, then runs it on one call.

export interface Call {
  /** The syscall number as the register holds it; negative numbers wrap to 32 bits as in the kernel. */
  readonly number: number;
  /** AUDIT_ARCH_* */
  readonly arch: number;
  /** Up to six 64-bit registers. */
  readonly args?: readonly bigint[];
}

export interface Outcome {
  readonly action: string;
  readonly steps: number;
  /** Without it the decision depends on the number alone, and kernels from 5.11 on keep an allow in a bitmap. */
  readonly readArguments: boolean;
}

export const auditArch = { x86_64: 0xc000003e, i386: 0x40000003, aarch64: 0xc00000b7, arm: 0x40000028 } as const;

interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly k: number;
}

/** The opcodes of kernel/seccomp.c's seccomp_is_const_allow(), plus loads of arguments, plus what libseccomp emits. */
const codes = { load: 0x20, and: 0x54, ja: 0x05, eq: 0x15, gt: 0x25, ge: 0x35, set: 0x45, ret: 0x06 };
const sizeOfData = 64;

/** Reads the program and refuses what seccomp_check_filter and bpf_check_classic refuse. */
export function parseProgram(bytes: Uint8Array): readonly Instruction[] {
  if (bytes.length === 0 || bytes.length % 8 !== 0 || bytes.length / 8 > 4096) throw new Error('bad length');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const program = Array.from({ length: bytes.length / 8 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    yes: view.getUint8(index * 8 + 2),
    no: view.getUint8(index * 8 + 3),
    k: view.getUint32(index * 8 + 4, true),
  }));
  program.forEach(({ code, yes, no, k }, index) => {
    const inside = (offset: number) => index + 1 + offset < program.length;
    if (!Object.values(codes).includes(code)) throw new Error(`${index}: opcode ${code}`);
    if (code === codes.load && (k % 4 !== 0 || k >= sizeOfData)) throw new Error(`${index}: load at ${k}`);
    if (code === codes.ja && !inside(k)) throw new Error(`${index}: jump out of the program`);
    if ([codes.eq, codes.gt, codes.ge, codes.set].includes(code) && !(inside(yes) && inside(no))) {
      throw new Error(`${index}: branch out of the program`);
    }
  });
  if (program.at(-1)?.code !== codes.ret) throw new Error('does not end with a return');
  return program;
}

function dataOf({ number, arch, args = [] }: Call): DataView {
  const data = new DataView(new ArrayBuffer(sizeOfData));
  data.setUint32(0, number >>> 0, true);
  data.setUint32(4, arch, true);
  args.forEach((value, index) => {
    data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true);
  });
  return data;
}

function nameAction(value: number): string {
  const names = new Map([
    [0x7fff0000, 'allow'],
    [0x00050001, 'EPERM'],
    [0x00050026, 'ENOSYS'],
    [0x80000000, 'kill'],
    [0x00000000, 'kill-thread'],
  ]);
  return names.get(value) ?? `0x${value.toString(16)}`;
}

/** What the filter answers to the call, and how many instructions it took. */
export function evaluate(program: readonly Instruction[], call: Call): Outcome {
  const data = dataOf(call);
  let accumulator = 0;
  let at = 0;
  let readArguments = false;
  for (let steps = 1; ; steps++) {
    const { code, yes, no, k } = program[at]!;
    at++;
    if (code === codes.ret) return { action: nameAction(k), steps, readArguments };
    readArguments ||= code === codes.load && k >= 16;
    if (code === codes.load) accumulator = data.getUint32(k, true);
    else if (code === codes.and) accumulator = (accumulator & k) >>> 0;
    else if (code === codes.ja) at += k;
    else if (code === codes.eq) at += accumulator === k ? yes : no;
    else if (code === codes.gt) at += accumulator > k ? yes : no;
    else if (code === codes.ge) at += accumulator >= k ? yes : no;
    else at += (accumulator & k) !== 0 ? yes : no;
  }
}
