// Owns a worker host for one test, without systemd: its folders in a mount namespace, its services started as systemd would.
import { join } from 'node:path';
import { renderFolders } from '../../../lib/engine/setup/egressStep.ts';
import { install, sceneOf } from '../../system/scene.ts';
import type { WayScene } from './scene.ts';

const node = process.execPath;
const service = join(install, 'dist/bin/egress-service.cjs');

// Everything of the host's that root's paths name is ours here, and all that starts in here ends with it.
const prologue = `set -eu
images=$(mktemp -d)
mount --bind /var/lib/cofferdam "$images"
mount -t tmpfs -o mode=0755 none /var/lib/cofferdam
cp -a "$images/init" /var/lib/cofferdam/
mkdir /var/lib/cofferdam/images
mount --bind "$images/images" /var/lib/cofferdam/images
umount "$images"
rmdir "$images"
mount -t tmpfs -o mode=0755 none /etc/cofferdam
mount -t tmpfs -o mode=0711 none /run/cofferdam
umask 022
printf '%s' "$POLICY" >/etc/cofferdam/firewall.yaml
echo 'egress: system' >/etc/cofferdam/config.yaml
echo "$PLAIN" >/etc/cofferdam/users
printf '%s' "$FOLDERS" >/run/cofferdam/folders.conf
systemd-tmpfiles --create /run/cofferdam/folders.conf

# as UID COMMAND...: with nothing of ours in its environment.
as() {
	uid=$1
	shift
	setpriv --reuid="$uid" --regid="$uid" --clear-groups env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 HOME="$CALLER_HOME" "$@"
}
# wait_for COMMAND...: until it succeeds.
wait_for() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || { echo "never: $*"; return 1; }
		sleep 0.1
	done
}
start_proxy() {
	install -d -m 0700 -o cofferdam-proxy -g cofferdam-proxy /run/cofferdam/proxy
	(umask 000; exec systemd-socket-activate -l /run/cofferdam/egress/proxy.sock -E HOME=/nonexistent setpriv --reuid=cofferdam-proxy --regid=cofferdam-proxy --clear-groups --bounding-set=-all --no-new-privs "$NODE" "$SERVICE" proxy) &
	wait_for test -S /run/cofferdam/egress/proxy.sock
	chown cofferdam-bridge: /run/cofferdam/egress/proxy.sock
	chmod 0600 /run/cofferdam/egress/proxy.sock
}
start_bridge() {
	setpriv --reuid=cofferdam-bridge --regid=cofferdam-bridge --clear-groups --bounding-set=-all --no-new-privs env -i PATH=/usr/bin:/bin "$NODE" "$SERVICE" bridge &
	bridge=$!
	# Not that it is there: a killed one leaves it.
	wait_for as "$PLAIN" python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('/run/cofferdam/egress/callers/$PLAIN_UID/way/control.sock')"
}
`;

export interface WorkerHost {
  /** A shell on it, as root, to its end; `as`, `wait_for`, `start_proxy` and `start_bridge` are there. */
  shell(script: string): ReturnType<WayScene['sandbox']>;
}

/** The host of `way`'s internet, with `policy` for everybody; prepared for the plain user of the scene and for `others`. */
export function workerHost(way: WayScene, policy: string, others: readonly number[]): WorkerHost {
  const { scene, world } = way;
  const callers = [
    { name: 'root', uid: 0, gid: 0 },
    { name: 'plain', uid: scene.uid, gid: scene.gid },
    ...others.map((uid) => ({ name: `u${uid}`, uid, gid: uid })),
  ];
  const env = {
    POLICY: policy,
    FOLDERS: renderFolders(callers),
    PLAIN: process.env['COFFERDAM_TEST_USER'] ?? 'cofferdam-test',
    PLAIN_UID: String(scene.uid),
    CALLER_HOME: scene.home,
    NODE: node,
    SERVICE: service,
  };
  const words = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return {
    shell: (script) =>
      sceneOf('root').spawn(
        '/usr/bin/nsenter',
        [`--net=/run/netns/${world.hostName}`, '/usr/bin/unshare', ...words, '/bin/sh', '-c', `${prologue}${script}`],
        { env, cwd: install },
      ).ended,
  };
}
