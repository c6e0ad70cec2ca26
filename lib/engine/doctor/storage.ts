// Owns what the doctor says about stores and disks: images that are there, room that is left.
import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { formatSize } from '../../base/units.ts';
import { findImage } from '../../image/find.ts';
import { type Check, type DoctorInput, type Finding, fail, ok, warn } from './check.ts';

/** Bytes as `12.3g`. */
function rounded(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)}g`;
}

/** The folder itself, or the nearest above it that is there. */
function present(folder: string): string {
  return existsSync(folder) || folder === '/' ? folder : present(dirname(folder));
}

/** statfs(2), TMPFS_MAGIC. */
const tmpfs = 0x01021994;
/** A run keeps some hundred KiB in its folder. systemd gives /run a tenth of memory or two, often less than the floor for disks. */
const memoryFloor = 64 * 1024 ** 2;

/** Bytes that must be free on a file system of the type that statfs(2) gives; `floor` is the host configuration's. */
export function floorOn(type: number, floor: number): number {
  return type === tmpfs ? Math.min(floor, memoryFloor) : floor;
}

function checkDisk(folder: string, diskFloor: number): Finding {
  const id = `disk.${folder}`;
  const { bavail, bsize, type } = statfsSync(present(folder));
  const free = bavail * bsize;
  const floor = floorOn(type, diskFloor);
  const seen = `${rounded(free)} free, floor ${formatSize(floor)}`;
  return free >= floor
    ? ok(id, seen)
    : fail(id, seen, 'free some space, or see limits.hostFreeDisk in the host configuration');
}

function checkImage(name: string, { stores }: DoctorInput): Finding {
  const id = `images.${name}`;
  try {
    const { digest, version } = findImage(name, stores);
    return ok(id, `version ${printable(version, 40)}, ${digest.slice(0, 19)}…`);
  } catch (cause) {
    const remedy = cause instanceof CofferdamError ? cause.remedy : `sandbox image build ${name}`;
    return warn(id, printable(messageOf(cause), 200), remedy);
  }
}

export const checkStorage: Check = async (input) => {
  const disks = input.disks.map((folder) => checkDisk(folder, input.floor));
  const images = input.images.map((name) => checkImage(name, input));
  const none = images.length > 0 && images.every(({ level }) => level !== 'ok');
  const store = none
    ? [fail('images', `no image in ${input.stores.join(' or ')}`, 'sandbox image build python-tools')]
    : [ok('images', `in ${input.stores.join(' and ')}`)];
  return [...disks, ...store, ...images];
};
