// Tests the assembler where our own programs don't reach: jumps farther than 255 instructions, and the kernel's limit.
import { test } from 'tap';
import { action, createAssembler, data, errno, op } from '../../../lib/spec/seccomp/bpf.ts';
import { auditArch, evaluate, parseProgram } from './evaluate.ts';

test('targets out of reach of a branch are brought closer, whatever its two sides', async (t) => {
  const to = createAssembler();
  const refuse = to.returning(action.errno(errno.EPERM));
  // A block, not a return: the way to it is a jump.
  to.branch(op.ifEqual, 7, to.returning(action.allow), refuse);
  const block = to.step(op.loadWord, data.argLow(0));
  let next = to.returning(action.errno(errno.ENOSYS));
  const kinds = [() => block, () => to.returning(action.allow), () => refuse];
  for (let number = 1999; number >= 0; number--) next = to.branch(op.ifEqual, number, kinds[number % 3]!(), next);
  to.step(op.loadWord, data.number);
  const program = parseProgram(to.bytes());
  t.ok(program.length < 3000, `${program.length} instructions for 2000 branches`);

  const answer = (number: number, argument: bigint) =>
    evaluate(program, { number, arch: auditArch.x86_64, args: [argument] }).action;
  for (let number = 0; number < 2000; number++) {
    const wanted = [['allow', 'EPERM'] as const, ['allow', 'allow'] as const, ['EPERM', 'EPERM'] as const][number % 3]!;
    if (answer(number, 7n) !== wanted[0] || answer(number, 8n) !== wanted[1]) t.fail(`number ${number}`);
  }
  t.equal(answer(2000, 7n), 'ENOSYS');
});

test('refuses a program longer than the kernel takes', async (t) => {
  const to = createAssembler();
  to.returning(action.allow);
  for (let length = 1; length < 4096; length++) to.step(op.loadWord, data.number);
  t.equal(to.bytes().length, 4096 * 8);
  to.step(op.loadWord, data.number);
  t.throws(() => to.bytes(), { name: 'RangeError' });
});
