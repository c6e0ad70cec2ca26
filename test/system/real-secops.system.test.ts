// Owns the proof on real scanners: they go over a real tree, mounted read-only, and their findings come back in the result.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { declareNeeds } from './needs.ts';
import { install, type Scene, testAsUser } from './scene.ts';
import { fixtures, stage } from './staged.ts';

declareNeeds('crun', 'secops-tools');

interface Scan {
  readonly tool: string;
  readonly command: readonly string[];
  readonly finds: RegExp;
}

const scans: readonly Scan[] = [
  {
    tool: 'shellcheck',
    command: ['shellcheck', '-f', 'json', 'planted/bad.sh', 'bin/sandbox'],
    finds: /"file":"planted\/bad\.sh".*"code":2086/,
  },
  {
    tool: 'bandit',
    command: ['bandit', '-q', '-f', 'json', '-r', '.'],
    finds: /planted\/bad\.py[\s\S]*"test_id": "B602"/,
  },
  {
    tool: 'flawfinder',
    command: ['flawfinder', '--quiet', '--dataonly', '--csv', '.'],
    finds: /planted\/bad\.c,.*strcpy/,
  },
  {
    tool: 'semgrep',
    command: ['semgrep', 'scan', '--quiet', '--json', '--config', 'planted/rules.yaml', '.'],
    finds: /"check_id":"planted\.planted-eval","path":"planted\/bad\.py"/,
  },
  { tool: 'yara', command: ['yara', '-r', 'planted/planted.yar', '.'], finds: /^planted \.\/planted\/marker\.bin$/m },
];

/** This repository's own native and shell code, with faults planted beside it. */
async function stageTree(scene: Scene): Promise<string> {
  const tree = join(scene.home, 'source');
  mkdirSync(tree);
  for (const part of ['bin', 'lib']) cpSync(join(install, part), join(tree, part), { recursive: true });
  cpSync(join(fixtures, 'planted'), join(tree, 'planted'), { recursive: true });
  return stage(scene, tree, 'tree');
}

testAsUser('finds with each scanner what was planted in a real tree', async (t, scene) => {
  const tree = await stageTree(scene);
  for (const { tool, command, finds } of scans) {
    const { result, stderr } = await scene.runJson([
      '-p',
      'secops-tools',
      '--workspace',
      `${tree}:ro`,
      '--',
      ...command,
    ]);
    t.match(result.stdout, finds, `${tool}: ${stderr} ${result.stderr.slice(-500)}`);
    // Scanners tell findings by 1; nothing of it is a failure of ours.
    t.ok([0, 1].includes(result.exitCode ?? -1), `${tool} ${result.exitCode}`);
    t.match(result.status, /^(completed|failed)$/);
  }
  const write = await scene.run(['-p', 'secops-tools', '--workspace', `${tree}:ro`, '--', 'touch', '/workspace/mark']);
  t.match(write, { status: 1, stderr: /Read-only file system/ });
  const route = await scene.run(['-p', 'secops-tools', '--', 'sh', '-c', 'wc -l </proc/net/route']);
  t.equal(route.stdout, '1\n', 'no network');
});
