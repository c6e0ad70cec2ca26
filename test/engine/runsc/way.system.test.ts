// Tests the way out of gVisor's sandboxes with real packets, and that no other socket of the host is in reach by it.
import { createServer } from 'node:net';
import { join } from 'node:path';
import tap from 'tap';
import { makeWayScene, one, policy } from '../../service/egress/scene.ts';
import { declareNeeds } from '../../system/needs.ts';
import type { JsonResult } from '../../system/scene.ts';
import { showCallersWay, showWayOut } from '../wayCases.ts';

declareNeeds('runsc', 'squid', 'base-tools', 'python-tools');
tap.setTimeout(900_000);

const chosen = ['--isolation', 'gvisor'];

for (const caller of ['plain user', 'root'] as const) {
  tap.test(`gVisor's sandboxes have a way out (${caller})`, async (t) => {
    const way = await makeWayScene(t, caller);
    // Its platform keeps threads of processes that were.
    const show = caller === 'root' ? showCallersWay : showWayOut;
    await show(t, { way, chosen, options: ['--pids', '2048'], isGone: async () => true });
  });
}

const sockets = `import os, socket, stat
for folder in ['/tmp', '/workspace', '/artifacts']:
    for name, make in {
        'bind': lambda path: socket.socket(socket.AF_UNIX).bind(path),
        'mknod': lambda path: os.mknod(path, stat.S_IFSOCK | 0o666),
    }.items():
        try:
            make(f'{folder}/{name}')
            print(folder, name, 'made')
        except OSError as error:
            print(folder, name, error.strerror)
os.symlink('HOST', '/artifacts/link')
for path in ['/artifacts/link', 'HOST', '/proxy-sock/../../../HOST', '/proxy-sock/proxy.sock']:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print(path.replace('HOST', ''), 'connected')
    except OSError as error:
        print(path.replace('HOST', ''), error.strerror)
`;

tap.test('a guest makes no socket of the host, and finds none but its own', async (t) => {
  const way = await makeWayScene(t);
  way.writePolicy(policy(`global: {allow: ["${one}"]}\n`));
  const host = join(way.scene.home, 'host.sock');
  const server = createServer();
  await new Promise<void>((done) => server.listen(host, done));
  t.teardown(() => server.close());
  way.scene.write('ws/sockets.py', sockets.replaceAll('HOST', host));
  const result = async (...words: string[]) => {
    const ended = await way.sandbox('run', '--json', ...chosen, '--network', 'proxy', '-p', 'python-tools', ...words);
    return JSON.parse(ended.stdout) as JsonResult;
  };
  const attempt = (out: string) => [
    ...['--workspace', `${way.workspace}:copy`, '--artifacts', join(way.scene.home, out)],
    ...['--', 'python3', '/workspace/sockets.py'],
  ];
  const { stdout, stderr, artifactsRefused } = await result(...attempt('out'));
  // The sentry makes them in its own memory, wherever that is said to be.
  const made = ['/tmp', '/workspace', '/artifacts'].flatMap((folder) => [
    `${folder} bind made`,
    `${folder} mknod made`,
  ]);
  const missing = ['/artifacts/link', '', '/proxy-sock/../../../'].map((path) => `${path} No such file or directory`);
  t.same(stdout.split('\n'), [...made, ...missing, '/proxy-sock/proxy.sock connected', ''], stderr);
  t.same(
    artifactsRefused.map(({ path }) => path),
    ['link'],
    'a socket on the host would be refused, too',
  );
  const below = await result('--engine', 'podman', ...attempt('below'));
  t.equal(below.stdout, stdout, `the same where podman's monitor keeps it: ${JSON.stringify(below)}`);
});

tap.test('refuses a way out together with a folder of the host that can be written to', async (t) => {
  const way = await makeWayScene(t);
  way.writePolicy(policy(''));
  const words = ['run', ...chosen, '-p', 'base-tools', '--network', 'proxy', '--workspace'];
  way.scene.write('own/file', 'own');
  const own = join(way.scene.home, 'own');
  const refused = await way.sandbox(...words, `${own}:rw`, '--', 'true');
  t.same([refused.status, refused.stdout], [125, '']);
  t.match(refused.stderr, /runsc cannot enforce workspace\.mode: rw with network\.mode: proxy/);
  t.equal((await way.sandbox(...words, `${own}:copy`, '--', 'true')).status, 0, 'control');
});
