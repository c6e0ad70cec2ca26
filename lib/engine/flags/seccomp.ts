// Owns the syscall filter in the form that container engines read (containers-seccomp.json(5), docker's profiles).
import { CofferdamError } from '../../base/errors.ts';
import { architectures, type SeccompArch } from '../../spec/seccomp/architecture.ts';
import { errno } from '../../spec/seccomp/bpf.ts';

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}

interface Section {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly Rule[];
}

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && 'defaultAction' in value && 'syscalls' in value;
}

function requireSection(section: unknown): Section {
  if (!isSection(section)) throw new CofferdamError('SPEC_INVALID', 'the spec has no seccomp section');
  return section;
}

/** `linux.seccomp` of the OCI spec with the keys that engines read, and no others. Throws SPEC_INVALID for anything else. */
export function engineSeccomp(section: unknown): Section {
  const { defaultAction, defaultErrnoRet, architectures: names, syscalls } = requireSection(section);
  return {
    defaultAction,
    defaultErrnoRet,
    architectures: names,
    syscalls: syscalls.map(({ names: calls, action, errnoRet, args }) => ({
      names: calls,
      action,
      args: args ?? [],
      ...(errnoRet === undefined ? {} : { errnoRet }),
    })),
  };
}

/**
 * The same for an engine that drops `defaultErrnoRet` (docker 20.10), whose default then answers EPERM: calls that must look
 * missing are named, or every thread of a glibc program would fail (clone3). What is refused for its arguments reads EPERM.
 */
export function namedSeccomp(section: unknown, arch: SeccompArch): Section {
  const same = engineSeccomp(section);
  const named = new Set(same.syscalls.flatMap(({ names }) => names));
  const missing = Object.keys(architectures[arch].numbers).filter((name) => !named.has(name));
  const rule = { names: missing, action: 'SCMP_ACT_ERRNO', errnoRet: errno.ENOSYS, args: [] };
  return { ...same, defaultErrnoRet: errno.EPERM, syscalls: [...same.syscalls, rule] };
}
