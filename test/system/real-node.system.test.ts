// Owns the proof on real JavaScript: a package's own test-suite passes, its dependencies staged beforehand, with no network.
import { declareNeeds } from './needs.ts';
import { testAsUser } from './scene.ts';
import { fetchOnce, stage } from './staged.ts';

declareNeeds('crun', 'node-tools');

const script = `set -eu
node -e 'require("net").connect(443, "198.51.100.1").on("error", (error) => console.log(error.code))'
cp -R node_modules/find-my-way suite
cd suite
node --test --test-reporter=tap 'test/*.test.js' >../suite.log 2>&1 || { grep -B2 -A20 '^ *not ok' ../suite.log | head -60; exit 1; }
tail -8 ../suite.log
`;

testAsUser('runs the test-suite of an npm package', async (t, scene) => {
  // The lock file pins every package by its integrity; no package's own scripts are run on the host.
  const words = ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'] as const;
  const fetched = await fetchOnce({ name: 'find-my-way', fixture: 'node-package', words: [...words], from: 'npm' });
  const folder = await stage(scene, fetched, 'find-my-way');
  const { status, result } = await scene.runJson([
    '-p',
    'node-tools',
    '--workspace',
    `${folder}:rw`,
    '--',
    'sh',
    '-c',
    script,
  ]);
  t.equal(status, 0, result.stdout + result.stderr);
  t.match(result.stdout, /^ENETUNREACH$/m);
  t.match(result.stdout, /^# pass [0-9]{3}$/m);
  t.match(result.stdout, /^# fail 0$/m);
});
