// Needs: mmdebstrap, uidmap, a user with 65,536 subordinate ids (root: the user `cofferdam`), Debian's archive in reach.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { buildImage } from '../../lib/image/build.ts';
import { findImage } from '../../lib/image/find.ts';
import { copyInstall, inputFor } from './build-scene.ts';
import { ownFolder } from './fixtures.ts';

test('two builds of base-tools have one digest; the lock of the first is met by the second', async (t) => {
  t.setTimeout(900_000);
  const folder = ownFolder(t);
  const from = copyInstall(folder);
  const first = await buildImage(inputFor(folder, from, { lock: 'update' }));
  const other = await buildImage(inputFor(folder, from, { lock: 'require', store: join(folder, 'other') }));
  t.equal(other.record.digest, first.record.digest);
  const { rootfs, directory } = findImage('base-tools', [join(folder, 'store')]);
  t.equal(readFileSync(join(rootfs, 'etc/hostname'), 'utf8'), 'sandbox\n');
  t.equal(readFileSync(join(rootfs, 'etc/resolv.conf'), 'utf8'), '');
  t.equal(readFileSync(join(rootfs, 'etc/hosts'), 'utf8'), '127.0.0.1\tlocalhost\n::1\tlocalhost\n');
  for (const trace of ['etc/machine-id', 'etc/apt/sources.list', 'var/cache/ldconfig', 'var/lib/dpkg/status-old']) {
    t.notOk(existsSync(join(rootfs, trace)), trace);
  }
  t.match(readFileSync(join(rootfs, 'etc/passwd'), 'utf8'), /^sandbox:x:65532:65532::\/workspace:\/bin\/sh$/m);
  const bills = [directory, findImage('base-tools', [join(folder, 'other')]).directory].map((place) =>
    readFileSync(join(place, 'sbom.cdx.json'), 'utf8'),
  );
  t.equal(bills[0], bills[1], 'and one bill of materials');
});
