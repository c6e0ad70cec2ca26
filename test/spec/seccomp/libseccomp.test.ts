// Tests that libseccomp, compiling our OCI section as a runtime would, decides every call as our own program does.
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runTool } from '../../../lib/base/exec.ts';
import { architectures } from '../../../lib/spec/seccomp/architecture.ts';
import { compileSeccomp } from '../../../lib/spec/seccomp/compile.ts';
import type { OciSeccomp } from '../../../lib/spec/seccomp/oci.ts';
import { casesOf } from './cases.ts';
import { auditArch, evaluate, parseProgram } from './evaluate.ts';

export const needs = ['python3-seccomp'];

const compiler = fileURLToPath(new URL('./libseccomp.py', import.meta.url));

/** The format has no "else": what these refuse for their arguments falls to the section's default. */
const withoutElse = ['socket', 'socketpair', 'personality'];

async function compileByLibseccomp(oci: OciSeccomp) {
  const { stdout } = await runTool('/usr/bin/python3', [compiler], { input: JSON.stringify(oci) });
  const { bpf, treeBpf, unknown } = JSON.parse(stdout) as { bpf: string; treeBpf: string; unknown: string[] };
  return { linear: Buffer.from(bpf, 'base64'), tree: Buffer.from(treeBpf, 'base64'), unknown };
}

for (const arch of ['x86_64', 'aarch64'] as const) {
  for (const writableHostFolder of [false, true]) {
    const title = `${arch}${writableHostFolder ? ' with a writable host folder' : ''}`;
    test(`${title}: libseccomp decides our OCI section as our program does`, async (t) => {
      const { bpf, oci } = compileSeccomp({ arch, writableHostFolder });
      const theirs = await compileByLibseccomp(oci);
      const nameOf = new Map(Object.entries(architectures[arch].numbers).map(([name, number]) => [number, name]));
      const ours = parseProgram(bpf);
      const programs = { linear: parseProgram(theirs.linear), tree: parseProgram(theirs.tree) };
      t.comment(
        `instructions: ours ${ours.length}, libseccomp's ${programs.linear.length}, ${programs.tree.length} as tree`,
      );
      t.ok(ours.length * 3 < programs.tree.length, 'ours is less than a third of its length');

      const wanted = (name: string, action: string) => {
        // A name that this libseccomp is too old for is skipped by the runtime and falls to the default.
        if (theirs.unknown.includes(name)) return 'ENOSYS';
        return action === 'EPERM' && withoutElse.includes(name) ? 'ENOSYS' : action;
      };
      const wrong: string[] = [];
      for (let number = 0; number < 1024; number++) {
        const name = nameOf.get(number) ?? '';
        for (const args of casesOf(name)) {
          const call = { number, arch: auditArch[arch], args };
          const expected = wanted(name, evaluate(ours, call).action);
          for (const [kind, program] of Object.entries(programs)) {
            const { action } = evaluate(program, call);
            if (action !== expected)
              wrong.push(`${kind} ${name || number}(${args.join(', ')}): ${action}, not ${expected}`);
          }
        }
      }
      t.same(wrong.slice(0, 20), []);
      t.same(
        theirs.unknown.filter((name) => architectures[arch].numbers[name]! < 335),
        [],
        'libseccomp is too old for recent names only',
      );
    });

    test(`${title}: libseccomp kills foreign ABIs where our program does`, async (t) => {
      const { bpf, oci } = compileSeccomp({ arch, writableHostFolder });
      const ours = parseProgram(bpf);
      const theirs = parseProgram((await compileByLibseccomp(oci)).tree);
      for (const other of Object.values(auditArch)) {
        for (const number of [0, 1, 59, 272, 435, 600, 0x40000000, 0x40000000 + 59, 0x7fffffff, -1]) {
          const call = { number, arch: other };
          const expected = evaluate(ours, call).action;
          t.equal(evaluate(theirs, call).action.replace('-thread', ''), expected, `0x${other.toString(16)}: ${number}`);
        }
      }
    });
  }
}
