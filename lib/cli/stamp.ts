// Owns dist/build.json: the digest of everything that was built. A plan made by another build is compiled again.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/files.ts';

const built = dirname(import.meta.dirname);
const shell = join(built, '..', 'lib', 'run', 'shell');
const hash = createHash('sha256');
for (const folder of [built, shell]) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(js|json|in)$/.test(name) && name !== 'build.json')
      hash.update(name).update(readFileSync(join(folder, name)));
  }
}
writeFileAtomic(join(built, 'build.json'), `${JSON.stringify({ digest: `sha256:${hash.digest('hex')}` })}\n`, 0o644);
