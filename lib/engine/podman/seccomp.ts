// Owns the syscall filter in the form that podman reads. With crun the annotation's bytes are what is loaded; this file
// is for a podman that does not pass the annotation on, and stops podman from taking its own, weaker default.
import { CofferdamError } from '../../base/errors.ts';

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

/** `linux.seccomp` of the OCI spec as containers-seccomp.json(5) writes it. Throws SPEC_INVALID for anything else. */
export function podmanSeccomp(section: unknown): object {
  if (!isSection(section)) throw new CofferdamError('SPEC_INVALID', 'the spec has no seccomp section');
  return {
    defaultAction: section.defaultAction,
    defaultErrnoRet: section.defaultErrnoRet,
    architectures: section.architectures,
    syscalls: section.syscalls.map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      args: args ?? [],
      ...(errnoRet === undefined ? {} : { errnoRet }),
    })),
  };
}
