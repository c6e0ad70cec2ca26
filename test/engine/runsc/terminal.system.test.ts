// Owns the proof of terminals with gVisor: commands that are brought in have one of the namespaces around it, others are refused.
import { readdirSync } from 'node:fs';
import tap from 'tap';
import { makeLive } from '../../system/live.ts';
import { declareNeeds } from '../../system/needs.ts';
import { testAsBoth } from '../../system/scene.ts';
import { typed } from '../../system/typing.ts';
import { proveExecuted } from '../lifeTerminal.ts';

declareNeeds('runsc', 'python3', 'base-tools');
tap.setTimeout(900_000);

const gvisor = ['--isolation', 'gvisor', '--pids', '512'];

testAsBoth('exec has a terminal: size, input, Ctrl-C, resizing, exit status', async (t, scene) => {
  const live = await makeLive(t, scene, gvisor);
  const before = readdirSync('/dev/pts').length;
  // The sentry has no name for a terminal that was handed in, and no /dev/tty (20221219).
  await proveExecuted(t, scene, live, 'tty; grep ^Seccomp: /proc/self/status', /^not a tty\r\nSeccomp:\t2\r\n/);
  t.ok(readdirSync('/dev/pts').length <= before, 'none of the host is left');
});

testAsBoth('all that is written arrives, also what takes long to read', async (t, scene) => {
  const live = await makeLive(t, scene, gvisor);
  const script = 'stty -opost; seq 20000; echo end';
  const ended = await typed(scene, ['exec', '-it', live.name, '--', 'sh', '-c', script]);
  const numbers = Array.from({ length: 20_000 }, (_, at) => at + 1).join('\n');
  t.match(ended, { status: 0, same: true });
  t.ok(ended.seen.endsWith(`${numbers}\nend\n`), 'the last line, too');
});

testAsBoth(
  'without -i a terminal is for output, and Ctrl-C ends the execution and all that it started',
  async (t, scene) => {
    const live = await makeLive(t, scene, gvisor);
    const script = 'sleep 302 & test -t 1 && echo terminal; echo ready; sleep 302';
    const words = ['exec', '-t', live.name, '--', 'sh', '-c', script];
    t.match(await typed(scene, words, [{ see: 'ready', type: '\u0003' }]), { status: 130, same: true, left: 0 });
    t.match(await live.exec([], ['pgrep', '-xf', 'sleep 302']), { status: 1, stdout: '' });
  },
);

testAsBoth('refuses -t for a run and a sandbox that lives on, and starts nothing', async (t, scene) => {
  const run = await typed(scene, ['run', '-p', 'base-tools', ...gvisor, '-it', '--', 'echo', 'ran']);
  t.match(run, { status: 125, seen: /runsc cannot enforce -t: .* its exec does/ });
  const create = await scene.sandbox(['create', '-p', 'base-tools', ...gvisor, '-it']);
  t.match(create, { status: 125, stdout: '', stderr: /runsc cannot enforce -t/ });
});
