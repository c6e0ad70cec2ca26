// Owns dist/build.json and dist/build-DIGEST/: what was built. A plan made by another build is compiled again, and
// bin/sandbox sees without reading a file that an entry of its index is of another build.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/files.ts';

const built = dirname(import.meta.dirname);
const shell = join(built, '..', 'lib', 'run', 'shell');
const hash = createHash('sha256');
for (const folder of [built, shell]) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(c?js|json|in)$/.test(name) && name !== 'build.json')
      hash.update(name).update(readFileSync(join(folder, name)));
  }
}
const digest = hash.digest('hex');
writeFileAtomic(join(built, 'build.json'), `${JSON.stringify({ digest: `sha256:${digest}` })}\n`, 0o644);
for (const name of readdirSync(built).filter((found) => found.startsWith('build-')))
  rmSync(join(built, name), { recursive: true });
mkdirSync(join(built, `build-${digest}`), { mode: 0o755 });
