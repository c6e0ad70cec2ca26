// Owns the proof of each row that every sandbox has. Most of them are what `sandbox verify` proves of the engine itself.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Property } from '../../../lib/engine/matrix/row.ts';
import { newId, until } from '../../system/scene.ts';
import { membersOf, readSoft } from '../../system/traces.ts';
import type { CellEngine } from './engines.ts';
import type { Proof } from './proof.ts';

const isAlive = (pid: number) => /^State:\s*[^ZX\s]/m.test(readSoft(`/proc/${pid}/status`));

async function showDeath(t: Test, { scene, start, chosen }: CellEngine): Promise<void> {
  const id = newId();
  const words = ['run', '--id', id, ...chosen, '--profile', 'base-tools', '--', 'sh', '-c', 'echo ready; sleep 300'];
  const run = start(words);
  t.ok(await until(() => run.out().includes('ready')), 'control: it lives');
  // podman leaves a child of its own unreaped.
  const pids = membersOf(scene.uid, id).filter(isAlive);
  t.ok(pids.length > 0);
  const [, , supervisor = ''] = readFileSync(join(scene.paths.run, 'records', id), 'utf8').split(' ');
  process.kill(Number(supervisor), 'SIGKILL');
  t.ok(await until(() => !pids.some(isAlive)), 'all of it ends');
  await run.ended;
  await start(['gc']).ended;
  t.ok(await until(() => scene.traces(id).length === 0), scene.traces(id).join(', '));
}

const userFirst = ['identity.become-root', 'identity.become-root-group', 'identity.set-groups'];

export const propertyProofs: Readonly<Record<Property, Proof>> = {
  'user namespace': { checks: ['ns.user', 'identity.uid-map-no-root', 'identity.gid-map-no-root', ...userFirst] },
  'own host ids': { checks: ['identity.uid-map', 'identity.gid-map', 'identity.uid-alone'] },
  'plain-user callers': {
    show: async (t, { scene }, { control }) => {
      t.not(scene.uid, 0);
      t.match(control.result, { status: 'completed', exitCode: 0 }, JSON.stringify(control.result.error));
    },
  },
  'no capability': {
    checks: [
      ...['inh', 'prm', 'eff', 'bnd', 'amb'].map((set) => `identity.capabilities-${set}`),
      'identity.no-new-privs',
      'identity.raise-capability',
      'syscall.chroot',
    ],
  },
  'syscall filter': {
    checks: ['identity.seccomp', 'identity.drop-seccomp', 'syscall.keyctl', 'syscall.ptrace', 'syscall.clone3'],
  },
  'own namespaces': {
    checks: [
      ...['pid', 'ipc', 'uts', 'net', 'mnt', 'cgroup'].map((kind) => `ns.${kind}`),
      'ns.own-processes',
      'ns.host-name',
      'ns.unshare-user',
    ],
  },
  'private mounts': { checks: ['fs.private'] },
  'read-only root': { checks: ['fs.root-read-only', 'fs.create-in-root', 'fs.create-in-usr', 'fs.write-passwd'] },
  'mount flags': { checks: ['fs.tmp-flags', 'fs.run-flags', 'fs.scratch-flags', 'fs.no-set-id', 'fs.no-devices'] },
  'hidden kernel files': {
    checks: ['proc.read-kcore', 'proc.read-keys', 'proc.list-firmware', 'proc.list-debug', 'proc.write-sysctl'],
  },
  'limits read back': { checks: ['limit.memory', 'limit.pids', 'limit.cpu', 'limit.own-group'] },
  'death with the supervisor': { show: showDeath },
  'own stdio': { checks: ['leak.descriptors', 'leak.stdio', 'identity.no-terminal'] },
};
