// Owns the image of the engines' proofs: a shell and a few programs of base-tools. A daemon takes all of base-tools in six minutes there.
import { cpSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digestTree } from '../../lib/image/archive.ts';
import { findImage, imageDirectory } from '../../lib/image/find.ts';
import type { ImageRecord } from '../../lib/image/registry.ts';
import { bridgePoint, initFile, mountPoints } from '../../lib/image/rootfs.ts';

export const engineImage = 'engine-tools';

// Beside what the proofs call themselves: what `cp` and entering docker's sandboxes call inside.
const ours = ['mkdir', 'mv', 'readlink', 'rm', 'tar'];
const programs = ['cat', 'dash', 'dd', 'seq', 'sh', 'sleep', 'unshare', ...ours].map((name) => `usr/bin/${name}`);
const libraries = /^(ld-linux|libc\.so|libacl\.so|libattr\.so|libselinux\.so|libpcre2-8\.so)/;
const others = ['bin', 'lib', 'lib64', 'sbin', 'usr/lib64', 'etc/passwd', 'etc/group', 'etc/hosts', 'etc/hostname'];

/** The image in `store`, a folder of the test's own; its record is for the registry. */
export async function makeEngineImage(store: string, stores: readonly string[]): Promise<ImageRecord> {
  const { rootfs: from, record: base } = findImage('base-tools', stores);
  const tree = join(store, 'tree');
  const triplet = readdirSync(join(from, 'usr/lib')).find((name) => name.endsWith('-linux-gnu')) ?? '';
  const folder = `usr/lib/${triplet}`;
  const found = readdirSync(join(from, folder)).filter((name) => libraries.test(name));
  for (const path of [...programs, ...others, 'etc/resolv.conf', ...found.map((name) => `${folder}/${name}`)]) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    cpSync(join(from, path), join(tree, path), { recursive: true, verbatimSymlinks: true });
  }
  for (const path of [...mountPoints, bridgePoint, dirname(initFile), 'usr/sbin'])
    mkdirSync(join(tree, path), { recursive: true });
  writeFileSync(join(tree, initFile), '');
  const record = { ...base, name: engineImage, drift: [], ...(await digestTree(tree)) };
  const directory = imageDirectory(store, engineImage, record.digest);
  mkdirSync(directory, { recursive: true });
  renameSync(tree, join(directory, 'rootfs'));
  writeFileSync(join(directory, 'image.json'), JSON.stringify(record));
  for (const name of ['packages.json', 'sbom.cdx.json']) writeFileSync(join(directory, name), '{}');
  return record;
}
