// Owns the proof on real Python: a package with a C extension is built from its sdist, installed and tested, with no network.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { declareNeeds } from './needs.ts';
import { testAsUser } from './scene.ts';
import { fetchOnce, stage } from './staged.ts';

declareNeeds('crun', 'python-tools');

const version = '3.0.2';
const sdist = `markupsafe-${version}.tar.gz`;
const sha256 = 'ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0';

const script = `set -eu
python3 -c 'import socket; socket.create_connection(("198.51.100.1", 443), 3)' 2>&1 | tail -1
tar xzf ${sdist}
cd markupsafe-${version}
python3 -m build --wheel --no-isolation >../build.log 2>&1 || { tail -20 ../build.log; exit 1; }
pip install --quiet --no-deps dist/*.whl
cd tests
python3 -c 'import markupsafe._speedups as fast; print("extension", fast.__file__)'
python3 -m pytest -q
`;

testAsUser('builds, installs and tests a PyPI package with a C extension from its sdist', async (t, scene) => {
  const words = [
    'python3',
    '-m',
    'pip',
    'download',
    `markupsafe==${version}`,
    '--no-binary',
    ':all:',
    '--no-deps',
    '--dest',
    '.',
  ] as const;
  const fetched = await fetchOnce({ name: 'markupsafe', words: [...words], from: 'python3-pip' });
  t.equal(
    createHash('sha256')
      .update(readFileSync(join(fetched, sdist)))
      .digest('hex'),
    sha256,
  );
  const folder = await stage(scene, fetched, 'markupsafe');
  const { status, result } = await scene.runJson([
    '-p',
    'python-tools',
    '--workspace',
    `${folder}:copy`,
    '--',
    'sh',
    '-c',
    script,
  ]);
  t.equal(status, 0, result.stdout + result.stderr);
  t.match(result.stdout, /Network is unreachable/);
  t.match(result.stdout, /^extension .*\.so$/m);
  t.match(result.stdout, /[0-9]{2} passed/);
  t.equal(result.workspace.copy, true);
});
