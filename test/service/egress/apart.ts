// Owns a policy and ways out of root's for a test alone: in a mount namespace of its own. Runs and host ids are the host's, which others use.
import { spawn } from 'node:child_process';
import { systemPath } from '../../../lib/base/exec.ts';
import type { Owner } from '../../firewall/world.ts';

export interface Apart {
  /** The root of the file systems there, as it is seen from here. */
  readonly root: string;
  /** Option of nsenter(1). */
  readonly enter: readonly string[];
}

const script = `set -eu
for folder in /etc/cofferdam /run/cofferdam/egress /var/lib/cofferdam/state/egress; do
	mkdir -p -m 0711 $folder
	mount -t tmpfs -o mode=0711 none $folder
done
echo ready
read -r _ || :`;

/** Makes them; they go with the test. */
export async function makeApart(t: Owner): Promise<Apart> {
  const words = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script];
  const holder = spawn('/usr/bin/unshare', words, { env: { PATH: systemPath }, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((done) => holder.once('close', done));
  t.teardown(async () => {
    holder.stdin.end();
    await ended;
  });
  await new Promise((done, fail) => {
    holder.stdout.once('data', done);
    holder.once('error', fail);
    holder.once('exit', (status) => fail(new Error(`unshare ended with ${status}`)));
  });
  return { root: `/proc/${holder.pid}/root`, enter: [`--mount=/proc/${holder.pid}/ns/mnt`] };
}
