// Owns the syscall filter in the form that makes runsc load what we mean. It is judged by the sentry, inside the sandbox.
import { CofferdamError } from '../../base/errors.ts';

interface Arg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo: number;
  readonly op: 'SCMP_CMP_MASKED_EQ';
}

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly unknown[];
}

interface Section {
  readonly architectures: readonly string[];
  readonly syscalls: readonly Rule[];
}

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && 'defaultAction' in value && 'syscalls' in value;
}

const formatMask = 0o170000;
const devices = [0o020000, 0o060000];

/** No device nodes: runsc 20221219 makes them for everybody (mknod(2): CAP_MKNOD). They would lead to the sentry's own devices. */
function refuseDevices(): Rule[] {
  const calls = [
    { name: 'mknod', index: 1 },
    { name: 'mknodat', index: 2 },
  ];
  return calls.flatMap(({ name, index }) =>
    devices.map((value) => {
      const args: Arg[] = [{ index, value: formatMask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }];
      return { names: [name], action: 'SCMP_ACT_ERRNO', args };
    }),
  );
}

/** Calls that are allowed for some arguments: what no rule allows is then refused, as in the BPF program. */
function refuseOthers(rules: readonly Rule[]): Rule {
  const names = new Set(rules.filter(({ args }) => args !== undefined).flatMap((rule) => rule.names));
  return { names: [...names], action: 'SCMP_ACT_ERRNO' };
}

/**
 * `linux.seccomp` for runsc. Its errno is EPERM whatever the section says, so "missing" is SCMP_ACT_TRACE, which answers ENOSYS
 * where nobody traces (seccomp(2)), and the filter lets nobody trace. The first rule that fits decides. Throws SPEC_INVALID.
 */
export function runscSeccomp(section: unknown): object {
  if (!isSection(section)) throw new CofferdamError('SPEC_INVALID', 'the spec has no seccomp section');
  const rules = section.syscalls.map(({ names, action, args }) => ({
    names,
    action,
    ...(args === undefined ? {} : { args }),
  }));
  return {
    defaultAction: 'SCMP_ACT_TRACE',
    architectures: section.architectures,
    syscalls: [...refuseDevices(), ...rules, refuseOthers(rules)],
  };
}
