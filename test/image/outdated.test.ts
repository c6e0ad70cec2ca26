import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { compareCandidates, installedPackages, parsePolicy } from '../../lib/image/outdated.ts';
import { ownFolder } from './fixtures.ts';

const policy = `bash:
  Installed: (none)
  Candidate: 5.2-2
  Version table:
     5.2-2 500
curl:
  Installed: (none)
  Candidate: 8.0-1
gone:
  Installed: (none)
  Candidate: (none)
`;

test('lists what the archive has in another version', async (t) => {
  const folder = ownFolder(t);
  const packages = [
    { kind: 'deb', name: 'bash', version: '5.2-1' },
    { kind: 'deb', name: 'curl', version: '8.0-1' },
    { kind: 'deb', name: 'gone', version: '1' },
    { kind: 'pypi', name: 'bash', version: '9' },
  ];
  writeFileSync(join(folder, 'packages.json'), JSON.stringify(packages));
  const installed = installedPackages(folder);
  t.equal(installed.size, 3);
  t.same(compareCandidates(installed, parsePolicy(policy)), [{ name: 'bash', installed: '5.2-1', candidate: '5.2-2' }]);
});
