// Tests the daemon's side of a way that lasts while somebody holds its fifo: across daemons, without a holder, and when nobody needs it.
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import type { Paths } from '../../../lib/base/paths.ts';
import { readUsedWay, readWayCounts, usedWayFile } from '../../../lib/policy/lease.ts';
import { startDaemon } from '../../../lib/service/egress/daemon.ts';
import { type EgressFolders, egressFolders } from '../../../lib/service/egress/folders.ts';
import { askStatus, leaseWayOut } from '../../../lib/service/egress/wayOut.ts';
import { readRequests } from '../../../lib/service/requests/requests.ts';
import { install, until } from '../../system/scene.ts';

const uid = process.getuid?.() ?? -1;
const run = 's0123456789abcdef-1';

interface LeaseScene {
  readonly paths: Paths;
  readonly folders: EgressFolders;
  /** A daemon in this process; it ends with the test. */
  begin(idleMs?: number): Promise<Awaited<ReturnType<typeof startDaemon>>>;
  lease(id?: string, allow?: readonly string[]): ReturnType<typeof leaseWayOut>;
  /** What of ways is there. */
  left(): string[];
}

function setScene(t: Test): LeaseScene {
  const home = mkdtempSync(join(tmpdir(), 'cft-lease-'));
  // The proxy passes it as another uid.
  chmodSync(home, 0o711);
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const at = (name: string) => join(home, name);
  const paths: Paths = {
    hostConfig: at('host.yaml'),
    config: at('config'),
    data: at('data'),
    state: at('state'),
    run: at('run'),
    imageStores: [],
    install,
  };
  mkdirSync(paths.config);
  mkdirSync(paths.state, { mode: 0o711 });
  writeFileSync(join(paths.config, 'firewall.yaml'), 'global: {allow: [example.org]}\n', { mode: 0o600 });
  const folders = egressFolders(paths);
  return {
    paths,
    folders,
    async begin(idleMs = 0) {
      const daemon = await startDaemon({ paths, uid, env: {}, idleMs, say: (text) => t.comment(text) });
      t.teardown(() => {
        daemon.close();
        return daemon.ended;
      });
      return daemon;
    },
    lease: (id = run, allow) =>
      leaseWayOut(
        { paths, uid, env: {} },
        { run: id, tool: 'web.search@v1', profile: 'base-tools', asks: false, allow },
      ),
    left: () => [folders.runs, folders.leases].flatMap((folder) => readdirSync(folder)),
  };
}

function hold(t: Test, file: string): () => void {
  const fd = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
  let open = true;
  const release = () => {
    if (open) closeSync(fd);
    open = false;
  };
  t.teardown(release);
  return release;
}

/** Whether somebody answers at a socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path, () => done(true)).on('error', () => done(false));
    socket.unref();
    socket.on('connect', () => socket.destroy());
  });
}

/** All that comes back for a request. */
function say(path: string, line: string): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    const socket = connect({ path, allowHalfOpen: true });
    socket.on('error', fail).on('close', () => done(text));
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => socket.end()).write(`${line} HTTP/1.1\r\n\r\n`);
  });
}

test('what the profile lists holds for a way that is opened again, too', async (t) => {
  const scene = setScene(t);
  const first = await scene.begin();
  const { folder, hold: file, leave } = await scene.lease(run, ['listed.example.org']);
  const release = hold(t, file);
  leave();
  const path = join(folder, 'proxy.sock');
  t.match(await say(path, 'CONNECT example.org:443'), /^HTTP\/1\.1 403 /);
  first.close();
  await first.ended;
  await scene.begin();
  t.match(await say(path, 'CONNECT example.org:443'), /^HTTP\/1\.1 403 /);
  t.match(await say(path, 'CONNECT listed.example.org:443'), /^HTTP\/1\.1 403 /, 'control: of this the policy decides');
  const denied = async () => [...(await readRequests(scene.folders.logs, Date.now())).byId.values()];
  let reasons: string[] = [];
  for (let look = 0; look < 250 && reasons.length < 3; look++) {
    reasons = (await denied()).map(({ host, reason }) => `${host} ${reason}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  t.same(reasons, ['example.org profile', 'example.org profile', 'listed.example.org unlisted']);
  release();
  t.ok(await until(() => scene.left().length === 0));
});

test('a way that somebody holds outlives whoever opened it, and the daemon, in the same folder', async (t) => {
  const scene = setScene(t);
  const first = await scene.begin();
  const { folder, hold: file, leave } = await scene.lease();
  const release = hold(t, file);
  leave();
  t.ok(await answers(join(folder, 'proxy.sock')));
  t.match(await askStatus(scene.paths), { runs: [{ id: run, tool: 'web.search@v1', allowed: 0 }] });
  first.close();
  await first.ended;
  t.notOk(await answers(join(folder, 'proxy.sock')), 'without a daemon there is none');
  t.ok(existsSync(folder), 'its folder is mounted in the sandbox, and stays');
  t.equal(await askStatus(scene.paths), undefined);
  await scene.begin();
  t.ok(await answers(join(folder, 'proxy.sock')), 'the next one opens it again');
  release();
  t.ok(await until(() => scene.left().length === 0), 'it ends with its holder');
  t.match(readUsedWay(usedWayFile(scene.paths, run), run), { allowed: 0, problem: /ended in between/ });
});

test('a way that nobody took ends with whoever opened it, and one whose holder ended meanwhile is not opened again', async (t) => {
  const scene = setScene(t);
  const first = await scene.begin();
  const { leave } = await scene.lease();
  t.equal(scene.left().length, 2, 'control');
  leave();
  t.ok(await until(() => scene.left().length === 0));
  const held = await scene.lease();
  const release = hold(t, held.hold);
  held.leave();
  first.close();
  await first.ended;
  release();
  // Damaged ones, and what stood in a killed one's folders, keep nobody from starting.
  mkdirSync(join(scene.folders.leases, 'damaged'));
  writeFileSync(join(scene.folders.leases, 'damaged', 'lease.json'), '{"version":1}');
  mkdirSync(join(scene.folders.leases, 'empty'));
  mkdirSync(join(scene.folders.runs, 'a'.repeat(16)));
  t.equal(scene.left().length, 5, 'control');
  await scene.begin();
  t.same((await askStatus(scene.paths))?.runs, []);
  t.same(scene.left(), []);
});

test('refuses a second way for one run, and takes nothing over from an earlier one of its id', async (t) => {
  const scene = setScene(t);
  await scene.begin();
  const first = await scene.lease();
  await t.rejects(scene.lease(), new CofferdamError('ID_IN_USE', `the run ${run} has a way out already`));
  t.match(await first.close(), { allowed: 0, denied: 0 });
  t.same(scene.left(), []);
  const file = usedWayFile(scene.paths, run);
  t.match(readUsedWay(file, run), { run, allowed: 0, problem: null });
  const again = await scene.lease();
  t.equal(readUsedWay(file, run), undefined);
  await again.close();
});

test('a daemon does not end while somebody holds a way, and does when nobody does', async (t) => {
  const scene = setScene(t);
  const daemon = await scene.begin(300);
  const { hold: file, leave } = await scene.lease();
  const release = hold(t, file);
  leave();
  let ended = false;
  void daemon.ended.then(() => {
    ended = true;
  });
  // Ten times as long as it would live without it.
  await new Promise((done) => setTimeout(done, 3000));
  t.notOk(ended);
  t.ok(await askStatus(scene.paths));
  release();
  t.ok(await until(() => ended));
  t.same(scene.left(), []);
});

test("a run's limits go on where the daemon before stopped counting, and not without what it counted", async (t) => {
  const scene = setScene(t);
  const limits = 'global: {allow: [example.org], limits: {perRun: {connections: 2}}}\n';
  writeFileSync(join(scene.paths.config, 'firewall.yaml'), limits, { mode: 0o600 });
  const first = await scene.begin();
  const { folder, hold: file, leave } = await scene.lease();
  const release = hold(t, file);
  leave();
  const path = join(folder, 'proxy.sock');
  t.match(await say(path, 'CONNECT other.example.org:443'), /^HTTP\/1\.1 403 /);
  const counted = () => readWayCounts(scene.folders.leases, run)?.connections === 1;
  t.ok(await until(counted), 'written while it lives, so that a SIGKILL gives nothing back');
  first.close();
  await first.ended;
  const second = await scene.begin();
  t.match(await say(path, 'CONNECT other.example.org:443'), /^HTTP\/1\.1 403 /, 'control: one is left');
  t.match(await say(path, 'CONNECT other.example.org:443'), /^HTTP\/1\.1 429 /);
  second.close();
  await second.ended;
  writeFileSync(join(scene.folders.leases, run, 'counts.json'), '{}');
  await scene.begin();
  t.notOk(await answers(path), 'a way whose counts are damaged stays closed');
  release();
});

test('refuses to go on with who asks and does not read, and answers others meanwhile', async (t) => {
  const scene = setScene(t);
  await scene.begin();
  const flood = connect(scene.folders.control).on('error', () => undefined);
  const gone = new Promise<void>((done) => flood.on('close', () => done()));
  flood.pause();
  const lines = '{"do":"status"}\n'.repeat(4096);
  let flooding = true;
  void gone.then(() => {
    flooding = false;
  });
  while (flooding) {
    if (!flood.write(lines)) await Promise.race([gone, new Promise((done) => flood.once('drain', done))]);
    else await new Promise((done) => setImmediate(done));
  }
  t.ok(await askStatus(scene.paths), 'control: who reads is answered');
});
