// Tests reading what the probe printed: exact, bounded, and refused when a single line is not as it must be.
import { test } from 'tap';
import { parseReport } from '../../lib/run/verify/report.ts';

const ids = ['syscall.mount', 'leak.hosts-file', 'syscall.abi-x32'];
const lines = [
  'syscall.mount errno 1 -',
  'leak.hosts-file ok 0 127.0.0.1\\x09localhost\\x0a',
  'syscall.abi-x32 signal 31 -',
  'end ok 0 -',
];
const text = (...all: readonly string[]) => all.map((line) => `${line}\n`).join('');

test('errno and signal numbers get their names, details their bytes', async (t) => {
  const report = parseReport(text(...lines), ids);
  t.strictSame(report.get('syscall.mount'), { name: 'EPERM', detail: '' });
  t.strictSame(report.get('leak.hosts-file'), { name: 'ok', detail: '127.0.0.1\tlocalhost\n' });
  t.strictSame(report.get('syscall.abi-x32'), { name: 'SIGSYS', detail: '' });
  t.throws(() => report.get('syscall.bpf'), 'what was not asked for has no answer');
});

const bad: Readonly<Record<string, string>> = {
  'a line less': text(...lines.slice(1)),
  'a line more in front': text('syscall.mount errno 1 -', ...lines),
  'a line after the end': text(...lines, 'syscall.mount ok 0 -'),
  'no end': text(...lines.slice(0, 3)),
  'another order': text(lines[1] ?? '', lines[0] ?? '', ...lines.slice(2)),
  'a last line without its newline': text(...lines).trimEnd(),
  'an attempt the probe does not know': text('unknown unknown 0 syscall.mount', ...lines.slice(1)),
  'an attempt that could not be made': text('syscall.mount unknown 11 fork', ...lines.slice(1)),
  'a result of no kind': text('syscall.mount fine 0 -', ...lines.slice(1)),
  'control characters': text('syscall.mount ok 0 \u001b[31m', ...lines.slice(1)),
  'a detail too long': text(`syscall.mount ok 0 ${'a'.repeat(4001)}`, ...lines.slice(1)),
  megabytes: 'a'.repeat(600_000),
  nothing: '',
};

for (const [name, report] of Object.entries(bad)) {
  test(`refuses a report with ${name}`, async (t) => {
    t.throws(() => parseReport(report, ids), { code: 'LAUNCH_FAILED' });
  });
}
