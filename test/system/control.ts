// Owns the positive control: the same act as a process that is root and unconfined, in namespaces of its own, on a
// throw-away layer over the same image. What fails there too proves nothing about the sandbox.
import { existsSync } from 'node:fs';
import { findImage } from '../../lib/image/find.ts';
import { type Ended, sceneOf } from './scene.ts';

// Any address leads to the loopback of this namespace, so nothing that is sent leaves it. pivot_root, not chroot: the kernel
// lets nobody in a chroot make a user namespace (user_namespaces(7)).
const script = `set -eu
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
mount -t proc proc /mnt/root/proc
mount -t tmpfs tmpfs /mnt/root/tmp
mount -t tmpfs tmpfs /mnt/root/workspace
mkdir -p /mnt/root/mnt/old /mnt/root/dev/shm
cd /mnt/root
pivot_root . mnt/old
umount -l /mnt/old
shift
exec "$@"
`;

/** Root filesystem of a built image; fails with what to do when there is none. */
export function rootfsOf(image: string): string {
  const { rootfs } = findImage(image, sceneOf('root').paths.imageStores);
  if (!existsSync(rootfs)) throw new Error(`the image is missing: sandbox image build ${image}`);
  return rootfs;
}

/** Runs a command of the image outside of any sandbox. */
export async function runUnconfined(image: string, command: readonly string[]): Promise<Ended> {
  const namespaces = ['--mount', '--propagation', 'private', '--net', '--uts', '--ipc', '--pid', '--fork'];
  const words = [...namespaces, '/bin/sh', '-c', script, 'control', rootfsOf(image), ...command];
  return sceneOf('root').spawn('/usr/bin/unshare', words).ended;
}
