// Owns what differs between CPU architectures: audit token, OCI name, syscall numbers, where a foreign ABI hides.
import aarch64Numbers from './syscalls.aarch64.json' with { type: 'json' };
import x8664Numbers from './syscalls.x86_64.json' with { type: 'json' };

export type SeccompArch = 'x86_64' | 'aarch64';

export interface Architecture {
  /** AUDIT_ARCH_* of linux/audit.h: what the kernel puts into seccomp_data.arch. Every other ABI is killed. */
  readonly auditArch: number;
  readonly ociName: string;
  /** Name → number of every syscall we know, in the order of the numbers; the tests hold it against the kernel's headers. */
  readonly numbers: Readonly<Record<string, number>>;
  /** The x32 ABI has the same audit token as x86_64 and numbers from this bit on. */
  readonly foreignFrom?: number;
}

export const architectures: Readonly<Record<SeccompArch, Architecture>> = {
  x86_64: {
    auditArch: 0xc000003e,
    ociName: 'SCMP_ARCH_X86_64',
    numbers: x8664Numbers,
    foreignFrom: 0x40000000,
  },
  aarch64: { auditArch: 0xc00000b7, ociName: 'SCMP_ARCH_AARCH64', numbers: aarch64Numbers },
};
