// Tests the compiled filter: its answer to every syscall number and every boundary of an argument.
import { test } from 'tap';
import { architectures } from '../../../lib/spec/seccomp/architecture.ts';
import { compileSeccomp } from '../../../lib/spec/seccomp/compile.ts';
import { casesOf } from './cases.ts';
import { auditArch, evaluate, parseProgram } from './evaluate.ts';
import {
  argumentDependent,
  expectedAnswer,
  newerThanDefault,
  readContainerDefault,
  refusedBeyondDefault,
} from './meaning.ts';

const arches = ['x86_64', 'aarch64'] as const;
const variants = arches.flatMap((arch) => [false, true].map((writableHostFolder) => ({ arch, writableHostFolder })));
const numbersTried = Array.from({ length: 1024 }, (_, number) => number);

for (const options of variants) {
  const { arch, writableHostFolder } = options;
  const title = `${arch}${writableHostFolder ? ' with a writable host folder' : ''}`;
  const program = parseProgram(compileSeccomp(options).bpf);
  const nameOf = new Map(Object.entries(architectures[arch].numbers).map(([name, number]) => [number, name]));
  const base = readContainerDefault(arch);

  test(`${title}: every number and every boundary argument is answered as the policy reads`, async (t) => {
    const wrong: string[] = [];
    let tried = 0;
    for (const number of numbersTried) {
      const name = nameOf.get(number);
      for (const args of casesOf(name ?? '')) {
        tried++;
        const { action } = evaluate(program, { number, arch: auditArch[arch], args });
        const expected = expectedAnswer(name, args, { base, writableHostFolder });
        if (action !== expected) wrong.push(`${name ?? number}(${args.join(', ')}): ${action}, not ${expected}`);
      }
    }
    t.same(wrong.slice(0, 20), []);
    t.ok(tried > 100_000, `${tried} calls`);
  });

  test(`${title}: each conditional syscall is allowed for some arguments and refused for others`, async (t) => {
    for (const name of argumentDependent(writableHostFolder)) {
      const number = architectures[arch].numbers[name];
      if (number === undefined) continue;
      const seen = new Set<string>();
      for (const args of casesOf(name)) seen.add(evaluate(program, { number, arch: auditArch[arch], args }).action);
      t.same([...seen].sort(), ['EPERM', 'allow'], name);
    }
  });

  test(`${title}: refuses numbers beyond the table with ENOSYS and foreign ABIs with death`, async (t) => {
    const own = auditArch[arch];
    for (const number of [1024, 4096, 0x3fffffff]) {
      t.equal(evaluate(program, { number, arch: own }).action, 'ENOSYS', `${number}`);
    }
    const foreign = arch === 'x86_64' ? 'kill' : 'ENOSYS';
    for (const bit of [0x40000000, 0x40000000 + 59, 0x40000000 + 520, 0x7fffffff, 0x80000000, -2]) {
      t.equal(evaluate(program, { number: bit, arch: own }).action, foreign, `0x${(bit >>> 0).toString(16)}`);
    }
    t.equal(evaluate(program, { number: -1, arch: own }).action, 'ENOSYS', 'a call that a tracer skips');
    for (const other of [...Object.values(auditArch).filter((each) => each !== own), 0, 0xffffffff]) {
      for (const number of numbersTried) {
        const { action } = evaluate(program, { number, arch: other });
        if (action !== 'kill') t.fail(`number ${number} of architecture 0x${other.toString(16)}: ${action}`);
      }
    }
    t.pass('every number of every other architecture');
  });

  test(`${title}: nothing is allowed that the container default refuses`, async (t) => {
    for (const [number, name] of nameOf) {
      const actions = new Set<string>();
      for (const args of casesOf(name)) actions.add(evaluate(program, { number, arch: auditArch[arch], args }).action);
      if (!actions.has('allow') || base.allowed.has(name)) continue;
      t.ok(newerThanDefault.includes(name) && !base.mentioned.has(name), `${name} is only newer than the default`);
    }
    const known = refusedBeyondDefault.filter((name) => name in architectures[arch].numbers);
    for (const name of known) {
      if (arch === 'aarch64' && !base.allowed.has(name)) continue;
      t.ok(base.allowed.has(name), `${name} is stricter than the default`);
    }
  });

  test(`${title}: the program is small and every number is decided within few steps`, async (t) => {
    const steps = numbersTried.map((number) => evaluate(program, { number, arch: auditArch[arch] }).steps);
    t.ok(program.length <= 160, `${program.length} instructions`);
    const looks = numbersTried.filter((number) => evaluate(program, { number, arch: auditArch[arch] }).readArguments);
    const conditional = argumentDependent(writableHostFolder).filter((name) => name in architectures[arch].numbers);
    t.same(
      looks.map((number) => nameOf.get(number)).sort(),
      conditional.sort(),
      'no other syscall needs its arguments',
    );
    t.ok(Math.max(...steps) <= 24, `${Math.max(...steps)} steps at most`);
  });
}

test('the same options give the same bytes and digest, other options others', async (t) => {
  const all = variants.map((options) => compileSeccomp(options));
  for (const [index, options] of variants.entries()) t.same(compileSeccomp(options), all[index]);
  t.equal(new Set(all.map(({ digest }) => digest)).size, variants.length);
  for (const { digest } of all) t.match(digest, /^sha256:[0-9a-f]{64}$/);
});
