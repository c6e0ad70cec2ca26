// Tests the list of checks, and that none of them passes on what was not seen.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import type { Facts } from '../../lib/run/verify/evidence.ts';
import { allChecks } from '../../lib/run/verify/list.ts';
import { judge } from '../../lib/run/verify/verify.ts';
import { evidenceOf, factsOf } from './verify-scene.ts';

const probe = join(import.meta.dirname, '../../lib/run/native/probe');

test('there are at least 80 checks over all topics, each with an id of its own and a sentence', async (t) => {
  const topics = new Set(allChecks.map(({ id }) => id.split('.')[0]));
  t.strictSame([...topics].sort(), [
    'device',
    'fs',
    'identity',
    'leak',
    'limit',
    'net',
    'ns',
    'proc',
    'socket',
    'syscall',
  ]);
  t.ok(allChecks.length >= 80, `${allChecks.length} checks`);
  t.equal(new Set(allChecks.map(({ id }) => id)).size, allChecks.length);
  for (const { id, says, control } of allChecks) {
    t.match(id, /^[a-z]+\.[a-z0-9_-]+$/);
    t.match(says, / /, id);
    if (!control.harmless) t.match(control.why, / /, id);
  }
  t.ok(allChecks.filter(({ control }) => control.harmless).length >= 80);
});

test('every check that looks inside has its attempt in the probe', async (t) => {
  const source = readdirSync(probe)
    .filter((name) => name.endsWith('.c'))
    .map((name) => readFileSync(join(probe, name), 'utf8'))
    .join('\n');
  for (const { id } of allChecks.filter(({ inside }) => inside)) {
    const [topic = '', name = ''] = id.split(/\.(.*)/s);
    const macros = [
      `UNSHARE("${name.replace('unshare-', '')}"`,
      `CLONE("${name.replace('clone-', '')}"`,
      `SOCKET("${name}"`,
    ];
    const words = [
      `"${id}"`,
      `CALL(${name},`,
      `ROOTED(${name},`,
      ...(topic === 'ns' || topic === 'socket' ? macros : []),
    ];
    t.ok(
      words.some((word) => source.includes(word)),
      id,
    );
  }
});

test('what cannot be read is a failure of every check, never a pass', async (t) => {
  for (const check of allChecks) {
    const { level } = judge(check, evidenceOf({ name: 'errno 999', detail: '' }));
    t.equal(
      level,
      check.unless?.(evidenceOf({ name: '', detail: '' }).expected) === undefined ? 'FAIL' : 'SKIP',
      check.id,
    );
  }
});

test('an act that succeeds fails its check', async (t) => {
  const evidence = evidenceOf({ name: 'ok', detail: 'nameserver of the host' });
  for (const check of allChecks.filter(({ inside, unless }) => inside && unless?.(evidence.expected) === undefined)) {
    t.equal(judge(check, evidence).level, 'FAIL', check.id);
  }
});

test('another refusal than the wanted one fails the check: the kernel itself refused, not the filter', async (t) => {
  const mount = allChecks.find(({ id }) => id === 'syscall.mount');
  if (mount === undefined) throw new Error('no such check');
  t.equal(judge(mount, evidenceOf({ name: 'EFAULT', detail: '' })).level, 'FAIL');
  t.equal(judge(mount, evidenceOf({ name: 'EPERM', detail: '' })).level, 'PASS');
  t.equal(judge(mount, evidenceOf({ name: 'absent', detail: '' })).level, 'SKIP');
});

const byId = (id: string) => {
  const check = allChecks.find((candidate) => candidate.id === id);
  if (check === undefined) throw new Error(id);
  return (parts: Parameters<typeof evidenceOf>[1]) => judge(check, evidenceOf({ name: 'ok', detail: '' }, parts)).level;
};

test('the uid map must hold root inside and the program, one id each, of the caller', async (t) => {
  const level = (id: string, map: string) =>
    byId(id)({ program: factsOf({ uid_map: map, status: 'Uid:\t100003\t100003\t100003\t100003\n' }) });
  const good = '0 1000 1\n65532 100003 1\n';
  for (const id of [
    'identity.uid',
    'identity.uid-map',
    'identity.uid-map-no-root',
    'identity.uid-subordinate',
    'identity.uid-of-root-inside',
  ]) {
    t.equal(level(id, good), 'PASS', id);
  }
  t.equal(level('identity.uid-map', '0 100000 65536\n'), 'FAIL');
  t.equal(level('identity.uid-map-no-root', '0 0 1\n65532 100003 1\n'), 'FAIL');
  t.equal(level('identity.uid-of-root-inside', '0 1001 1\n65532 100003 1\n'), 'FAIL', "another user's id");
  t.equal(level('identity.uid', '0 1000 1\n65532 100005 1\n'), 'FAIL', 'the program has another id');
});

test('a fourth descriptor, a file instead of a pipe, or a pipe of ours fails', async (t) => {
  const host = factsOf({}, { fd: { 0: 'pipe:[9]' } });
  const seen = (fd: Record<string, string>) => ({ host, program: factsOf({}, { fd }) });
  const pipes = { 0: 'pipe:[1]', 1: 'pipe:[2]', 2: 'pipe:[3]' };
  t.equal(byId('leak.descriptors')(seen(pipes)), 'PASS');
  t.equal(byId('leak.stdio')(seen(pipes)), 'PASS');
  t.equal(byId('leak.descriptors')(seen({ ...pipes, 9: 'pipe:[4]' })), 'FAIL');
  t.equal(byId('leak.stdio')(seen({ ...pipes, 1: '/dev/pts/0' })), 'FAIL');
  t.equal(byId('leak.stdio')(seen({ ...pipes, 2: 'pipe:[9]' })), 'FAIL');
});

test('a variable that nobody asked for fails', async (t) => {
  const seen = (environ: string) => ({ program: factsOf({ environ }) });
  t.equal(byId('leak.environment')(seen('HOME=/workspace\0PWD=/workspace\0')), 'PASS');
  t.equal(byId('leak.environment')(seen('HOME=/workspace\0SSH_AUTH_SOCK=/run/x\0')), 'FAIL');
});

test('a limit that reads back otherwise, or is not there, fails', async (t) => {
  t.equal(byId('limit.pids')({ limits: new Map([['pids.max', '256']]) }), 'PASS');
  t.equal(byId('limit.pids')({ limits: new Map([['pids.max', 'max']]) }), 'FAIL');
  t.equal(byId('limit.pids')({ limits: new Map() }), 'FAIL');
});

test('on cgroup v2 quota and period are told apart, although one file holds both', async (t) => {
  const level = (id: string, text: string) => byId(id)({ limits: new Map([['cpu.max', text]]) });
  t.equal(level('limit.cpu', '200000 100000'), 'PASS');
  t.equal(level('limit.cpu-period', '200000 100000'), 'PASS');
  t.equal(level('limit.cpu', 'max 100000'), 'FAIL');
  t.equal(level('limit.cpu-period', '200000 1000'), 'FAIL', 'the same share, in bursts');
  t.equal(level('limit.cpu-period', '200000'), 'FAIL');
});

test('a control that can show nothing on this host says why', async (t) => {
  const why = (id: string, host: Facts) => {
    const control = allChecks.find((check) => check.id === id)?.control;
    return control?.harmless === true ? control.needs?.(host) : 'no control';
  };
  const on = (kernel: string) => ({ ...factsOf({}), kernel });
  t.match(why('syscall.statmount', on('6.1.0-18-amd64')), /kernel/);
  t.equal(why('syscall.statmount', on('6.8.0')), undefined);
  t.equal(why('syscall.clone3', on('6.1.0-18-amd64')), undefined);
  const interfaces = (names: readonly string[]) =>
    factsOf({ 'net/dev': ['Inter-|', ' face |', ...names.map((name) => `${name}: 0`), ''].join('\n') });
  t.match(why('net.interfaces', interfaces(['lo'])), /interface/);
  t.equal(why('net.interfaces', interfaces(['lo', 'eth0'])), undefined);
});
