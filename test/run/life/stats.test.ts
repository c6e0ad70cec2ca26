// Owns the promises of reading what a sandbox uses, from the files of both versions.
import { test } from 'tap';
import { cpuPercent, readUsage } from '../../../lib/run/life/stats.ts';
import { makeLeaves } from './leaves.ts';

test('reads a v2 leaf', async (t) => {
  const { sandbox, write } = makeLeaves(t, 2, [['memory', 'pids', 'cpu']]);
  const files = {
    'memory.current': '1048576\n',
    'memory.max': '4194304\n',
    'pids.current': '3\n',
    'pids.max': 'max\n',
  };
  for (const [file, text] of Object.entries(files)) write('memory,pids,cpu', file, text);
  write('memory,pids,cpu', 'cpu.stat', 'usage_usec 1500000\nuser_usec 1\n');
  const want = {
    cpuMs: 1500,
    memoryBytes: 1 << 20,
    memoryLimit: 4 << 20,
    pids: 3,
    pidsLimit: Number.POSITIVE_INFINITY,
  };
  t.match(readUsage(sandbox), want);
});

test('reads v1 leaves, cpu time from cpuacct where it is mounted with cpu', async (t) => {
  const { sandbox, write } = makeLeaves(t, 1, [['memory'], ['pids'], ['cpu']]);
  write('memory', 'memory.usage_in_bytes', '1048576\n');
  write('memory', 'memory.limit_in_bytes', '4194304\n');
  write('pids', 'pids.current', '3\n');
  write('pids', 'pids.max', '256\n');
  write('cpu', 'cpuacct.usage', '2500000000\n');
  t.match(readUsage(sandbox), { cpuMs: 2500, memoryBytes: 1 << 20, memoryLimit: 4 << 20, pids: 3, pidsLimit: 256 });
});

test('sums the processes of a v1 leaf without cpuacct, also those of execs below it', async (t) => {
  const { sandbox, write } = makeLeaves(t, 1, [['memory'], ['pids'], ['cpu']]);
  write('memory', 'memory.usage_in_bytes', '1\n');
  write('pids', 'pids.current', '1\n');
  const own = () => readUsage(sandbox)?.cpuMs ?? -1;
  t.equal(own(), 0, 'nobody is in it');
  // This very process has used some time by now, and gets a little older each time.
  for (let i = 0, end = performance.now() + 50; performance.now() < end; i++) JSON.stringify({ i });
  write('cpu', 'e1/cgroup.procs', `0\n${process.pid}\n`);
  const below = own();
  t.ok(below > 0);
  write('cpu', 'cgroup.procs', `${process.pid}\n999999999\n`);
  t.ok(own() >= 2 * below);
});

test('says nothing of a sandbox that does not run', async (t) => {
  const { sandbox } = makeLeaves(t, 1, [['memory'], ['pids'], ['cpu']]);
  t.equal(readUsage(sandbox), undefined);
  t.equal(readUsage({ ...sandbox, run: null }), undefined);
});

test('gives cpu as a share of one core', async (t) => {
  const usage = { memoryBytes: 0, memoryLimit: 0, pids: 0, pidsLimit: 0 };
  t.equal(cpuPercent({ ...usage, at: 1000, cpuMs: 100 }, { ...usage, at: 2000, cpuMs: 1600 }), 150);
  t.equal(cpuPercent({ ...usage, at: 1000, cpuMs: 100 }, { ...usage, at: 1000, cpuMs: 100 }), 0);
  t.equal(cpuPercent({ ...usage, at: 1000, cpuMs: 100 }, { ...usage, at: 2000, cpuMs: 50 }), 0, 'a process has gone');
});
