// Owns tars for tests, good and hostile: written byte by byte, since honest writers refuse to make the latter.
import { Header, type HeaderData } from 'tar';

export interface TarEntry {
  path: string;
  type?: NonNullable<HeaderData['type']>;
  mode?: number;
  linkpath?: string;
  body?: string;
}

/** A tar of `entries` as they are given. */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const { path, type = 'File', mode = 0o644, linkpath, body = '' } of entries) {
    const header = Buffer.alloc(512);
    const size = Buffer.byteLength(body);
    const link = linkpath === undefined ? {} : { linkpath };
    new Header({ path, type, mode, size, uid: 0, gid: 0, mtime: new Date(0), ...link }).encode(header);
    parts.push(header, Buffer.from(body), Buffer.alloc((512 - (size % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const folders = ['proc', 'sys', 'dev', 'run', 'tmp', 'workspace', 'artifacts', 'sandbox', 'etc', '.cofferdam'];

/** The least that counts as a root filesystem. */
export const rootfsEntries: readonly TarEntry[] = [
  ...folders.map((path): TarEntry => ({ path: `${path}/`, type: 'Directory', mode: 0o755 })),
  { path: '.cofferdam/init', mode: 0o555 },
];
