// Owns the proof of bin/firewall: a plain user at a real terminal widens the policy, and the same words without one do not.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { declareNeeds } from './needs.ts';
import { install, sceneOf } from './scene.ts';

declareNeeds('python3');

const firewall = join(install, 'bin/firewall');
const typist = join(install, 'test/system/typist.py');

test('refuses to widen without a terminal; widens at one; answers at once', async (t) => {
  const scene = sceneOf('plain user');
  const file = join(scene.home, '.config/cofferdam/firewall.yaml');
  const run = (...words: string[]) => scene.spawn(firewall, words).ended;
  const type = async (...words: string[]) => {
    const { stdout } = await scene.spawn('/usr/bin/python3', [typist, '[]', firewall, ...words]).ended;
    return JSON.parse(stdout) as { seen: string; status: number };
  };

  t.match(await run('list'), { status: 125, stdout: '', stderr: /^firewall: there is no policy: .*\n {2}\S/ });
  for (const words of [
    ['allow', 'a.example'],
    ['allow', '--yes', 'a.example'],
  ])
    t.match(await run(...words), { status: 2, stdout: '', stderr: /^firewall: refused to let more out/ });
  t.notOk(existsSync(file), 'nothing was written');

  t.match(await type('allow', '--tool', 'web@v1', 'a.example'), {
    status: 0,
    seen: /\+ allow a\.example for tool web@v1\r\n/,
  });
  t.match(readFileSync(file, 'utf8'), /\n {6}- a\.example\n/);
  t.match(await run('explain', '--tool', 'web@v1', 'a.example'), { status: 0, stdout: /^allow {2}a\.example:443\n/ });
  t.match(await run('explain', 'a.example'), { status: 1, stdout: /^deny {2}a\.example:443\n/ });
  t.match(await run('remove', '--tool', 'web@v1', 'a.example'), { status: 0 }, 'tightening needs nobody');
  t.match(await run('denied'), { status: 0, stderr: /^firewall: nothing was denied\n/ });
  t.match(await run('alow'), { status: 2, stderr: /^firewall: unknown command 'alow'/ });
  t.match(await run('--help'), { status: 0, stdout: /\n {2}explain / });
});
