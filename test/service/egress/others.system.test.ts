// Tests who may use the socket of root's run, whose folders everybody passes: the run itself, and no other account of the host.
import tap, { type Test } from 'tap';
import { declareNeeds } from '../../system/needs.ts';
import { newId, type Started, until } from '../../system/scene.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, type WayScene } from './scene.ts';

declareNeeds('crun', 'podman', 'squid', 'base-tools');
tap.setTimeout(600_000);

/** An account of this host that has nothing to do with us. */
const stranger = 65_533;

// argv: what a program of the run has among its words. What any account of the host can read: the uid of the program, and where its socket is.
const find = `import glob, sys
for folder in glob.glob('/proc/[0-9]*'):
    try:
        words = open(folder + '/cmdline').read()
        mounts = [line.split() for line in open(folder + '/mountinfo')]
        uid = [line.split()[1] for line in open(folder + '/status') if line.startswith('Uid:')][0]
    except OSError: continue
    if sys.argv[1] in words.split('\\0'):
        for mount in mounts:
            if mount[4] == '/proxy-sock': print(uid, mount[3])`;

// argv: the path of a socket, and a host. Prints the first line of the answer, or what the kernel said.
const knock = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(30)
try:
    s.connect(sys.argv[1])
    s.sendall(b'CONNECT %s:443 HTTP/1.1\\r\\n\\r\\n' % sys.argv[2].encode())
    print(s.makefile().readline().strip())
except OSError as fault: print(type(fault).__name__)`;

async function as(way: WayScene, uid: number, script: string, ...words: string[]): Promise<string> {
  const who = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const { stdout, stderr } = await way.spawn('/usr/bin/setpriv', ...who, '/usr/bin/python3', '-c', script, ...words)
    .ended;
  return stdout.trim() || stderr;
}

interface Live {
  readonly uid: number;
  readonly socket: string;
}

/** A run with a way out, found as a stranger finds it. */
async function begin(t: Test, way: WayScene, ...chosen: string[]): Promise<Live & { readonly started: Started }> {
  const mark = newId();
  const script = `curl -sS --max-time 25 https://${one}/hello.txt; echo up; sleep 300`;
  const started = way.start('run', ...chosen, '-p', 'base-tools', ...way.options, '--', 'sh', '-c', script, mark);
  t.teardown(async () => {
    started.child.kill('SIGTERM');
    await started.ended;
  });
  t.ok(await until(() => started.out().includes('up'), 120), started.err().toString());
  t.match(started.out().toString(), word, 'control: its own way leads out');
  // podman has more processes with these words; the program alone has no uid of the host's own.
  const found = (await as(way, stranger, find, mark)).split('\n').map((line) => line.split(' '));
  const [uid = '', path = ''] = found.find(([id]) => Number(id) > 65_535) ?? [];
  t.match(path, /^\/runs\/[0-9a-f]{16}$/, `a stranger learns where it is: ${JSON.stringify(found)}`);
  return { uid: Number(uid), socket: `/run/cofferdam/egress${path}/proxy.sock`, started };
}

for (const chosen of [[], ['--engine', 'podman']] as const) {
  tap.test(`refuses everybody but the run itself at its socket: ${chosen[1] ?? 'crun'}`, async (t) => {
    const way = await makeWayScene(t, 'root');
    way.writePolicy(policy(`global: {allow: ["${one}"]}\n`));
    const first = await begin(t, way, ...chosen);
    const second = await begin(t, way, ...chosen);
    t.not(first.uid, second.uid);
    t.match(await as(way, first.uid, knock, first.socket, one), /^HTTP\/1.1 200 /, 'control: the uid of the run');
    t.match(await as(way, second.uid, knock, second.socket, one), /^HTTP\/1.1 200 /, 'control: and of the other');
    t.equal(await as(way, stranger, knock, first.socket, one), 'PermissionError', 'another account');
    t.equal(await as(way, way.scene.gid + 1, knock, first.socket, one), 'PermissionError', 'a system account');
    t.equal(await as(way, second.uid, knock, first.socket, one), 'PermissionError', 'another run');
    t.equal(await as(way, first.uid, knock, second.socket, one), 'PermissionError', 'and the other way round');
  });
}
