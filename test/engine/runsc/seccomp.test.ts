// Owns the proof that the section means for runsc, where the first rule that fits decides, what ours means.
import { test } from 'tap';
import { runscSeccomp } from '../../../lib/engine/runsc/seccomp.ts';
import { sampleTemplate } from './sample.ts';

interface Rule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo: number }[];
}

const written = () => runscSeccomp(sampleTemplate().linux.seccomp) as { defaultAction: string; syscalls: Rule[] };

/** What runsc answers: masks are of 32 bits in all our rules, and its errno is EPERM. */
function answer(name: string, ...given: number[]): string {
  const { syscalls, defaultAction } = written();
  const fits = ({ index, value, valueTwo }: { index: number; value: number; valueTwo: number }) =>
    ((given[index] ?? 0) & value) >>> 0 === valueTwo;
  return syscalls.find((rule) => rule.names.includes(name) && (rule.args ?? []).every(fits))?.action ?? defaultAction;
}

test('what is missing is answered by TRACE, which is ENOSYS where nobody traces', async (t) => {
  t.equal(answer('unheard_of'), 'SCMP_ACT_TRACE');
  t.equal(answer('clone3'), 'SCMP_ACT_TRACE');
  t.equal(answer('ptrace'), 'SCMP_ACT_ERRNO', 'nobody may trace');
});

test('arguments decide as they do with crun', async (t) => {
  t.equal(answer('read'), 'SCMP_ACT_ALLOW');
  t.equal(answer('socket', 1, 1, 0), 'SCMP_ACT_ALLOW');
  t.equal(answer('socket', 40, 1, 0), 'SCMP_ACT_ERRNO', 'AF_VSOCK');
  t.equal(answer('clone', 0x11), 'SCMP_ACT_ALLOW');
  t.equal(answer('clone', 0x10000011), 'SCMP_ACT_ERRNO', 'CLONE_NEWUSER');
  t.equal(answer('ioctl', 0, 0x5401), 'SCMP_ACT_ALLOW');
  t.equal(answer('ioctl', 0, 0x5412), 'SCMP_ACT_ERRNO', 'TIOCSTI');
  t.equal(answer('personality', 0), 'SCMP_ACT_ALLOW');
  t.equal(answer('personality', 0x40000), 'SCMP_ACT_ERRNO');
});

test('device nodes are refused, other nodes are not', async (t) => {
  for (const [name, before] of [
    ['mknod', []],
    ['mknodat', [0]],
  ] as const) {
    const at = (mode: number) => answer(name, ...before, 0, mode);
    t.equal(at(0o060644), 'SCMP_ACT_ERRNO', `${name} block`);
    t.equal(at(0o020644), 'SCMP_ACT_ERRNO', `${name} character`);
    t.equal(at(0o010644), 'SCMP_ACT_ALLOW', `${name} fifo`);
  }
});

test('no rule claims an errno that runsc would not give', async (t) => {
  t.notMatch(JSON.stringify(written()), 'rrnoRet');
});

test('refuses a spec without a filter', async (t) => {
  t.throws(() => runscSeccomp(undefined), { code: 'SPEC_INVALID' });
});
