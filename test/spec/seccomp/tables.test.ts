// Tests the syscall tables against the kernel headers installed here, so that a wrong or missing number is seen.
import { test } from 'tap';
import { runTool } from '../../../lib/base/exec.ts';
import { architectures, type SeccompArch } from '../../../lib/spec/seccomp/architecture.ts';
import { seccompRules } from '../../../lib/spec/seccomp/rules.ts';

export const needs = ['gcc', 'linux-libc-dev'];

// What arch/arm64/include/uapi/asm/unistd.h sets before it includes the generic table.
const arm64Wants = ['RENAMEAT', 'NEW_STAT', 'SET_GET_RLIMIT', 'TIME32_SYSCALLS', 'SYS_CLONE3', 'MEMFD_SECRET'];
const headers: Readonly<Record<SeccompArch, { include: string; defines: readonly string[] }>> = {
  x86_64: { include: 'asm/unistd_64.h', defines: [] },
  aarch64: { include: 'asm-generic/unistd.h', defines: arm64Wants.map((want) => `-D__ARCH_WANT_${want}`) },
};

async function readHeader(arch: SeccompArch): Promise<Map<string, number>> {
  const { include, defines } = headers[arch];
  const args = ['-E', '-dM', '-D__BITS_PER_LONG=64', ...defines, '-x', 'c', '-'];
  const { stdout } = await runTool('/usr/bin/gcc', args, { input: `#include <${include}>\n` });
  const macros = new Map([...stdout.matchAll(/^#define (__NR\w+) (\S+)$/gm)].map(([, name, value]) => [name!, value!]));
  const resolve = (value: string): string => (macros.has(value) ? resolve(macros.get(value)!) : value);
  const bounds = ['__NR_syscalls', '__NR_arch_specific_syscall'];
  const names = [...macros.keys()].filter((name) => name.startsWith('__NR_') && !bounds.includes(name));
  return new Map(names.map((name) => [name.slice('__NR_'.length), Number(resolve(name))]));
}

for (const arch of ['x86_64', 'aarch64'] as const) {
  test(`${arch}: every syscall of the installed kernel headers stands in our table with its number`, async (t) => {
    const header = await readHeader(arch);
    const { numbers } = architectures[arch];
    t.ok(header.size > 300, `${header.size} in the header`);
    for (const [name, number] of header) if (numbers[name] !== number) t.equal(numbers[name], number, name);
    const newest = Math.max(...header.values());
    for (const [name, number] of Object.entries(numbers)) {
      if (header.has(name)) continue;
      // x86_64 has two of its own below 424, from where on the numbers are common.
      t.ok(number > newest || name === 'uretprobe' || name === 'uprobe', `${name} is only newer than the headers`);
    }
  });

  test(`${arch}: no number has two names, and rules come in the order of the numbers`, async (t) => {
    const numbers = Object.values(architectures[arch].numbers);
    t.equal(new Set(numbers).size, numbers.length);
    const rules = seccompRules({ arch, writableHostFolder: false });
    t.same(
      rules.map(({ number }) => number),
      [...numbers].sort((a, b) => a - b),
    );
  });
}

test('from number 424 on both tables agree', async (t) => {
  const common = (arch: SeccompArch) =>
    Object.entries(architectures[arch].numbers).filter(([, number]) => number >= 424);
  t.same(common('x86_64'), common('aarch64'));
});

test('every name of the policy is a syscall of one architecture at least', async (t) => {
  const known = new Set(Object.values(architectures).flatMap(({ numbers }) => Object.keys(numbers)));
  const { allowedNames, answeredAsMissing } = await import('../../../lib/spec/seccomp/allowed.ts');
  const { conditions } = await import('../../../lib/spec/seccomp/conditions.ts');
  const { allowedIf, unreadable } = conditions(true);
  for (const name of [...allowedNames(), ...answeredAsMissing, ...allowedIf.keys(), ...unreadable]) {
    if (!known.has(name)) t.fail(`${name} is in no table`);
  }
  t.ok(allowedNames().size > 250);
});
