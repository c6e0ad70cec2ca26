// Owns the proof that the scripts around runsc are what was reviewed, and sound as shell.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { runTool } from '../../../lib/base/exec.ts';
import { podmanStart, renderRunscRuntime } from '../../../lib/engine/podman/gvisor.ts';
import { renderEnter, renderWatch } from '../../../lib/engine/runsc/enterScript.ts';
import { renderInside, renderOutside } from '../../../lib/engine/runsc/script.ts';
import { matchGolden } from '../../golden.ts';
import { sampleEnter, sampleMonitor, sampleScript } from './sample.ts';

const texts: Readonly<Record<string, string>> = {
  'outside.sh': renderOutside(sampleScript),
  'outside-nobody.sh': renderOutside({ ...sampleScript, user: { uid: 65534, gid: 65534 } }),
  'inside.sh': renderInside(sampleScript),
  'inside-podman.sh': renderInside(sampleScript, podmanStart(sampleScript, sampleMonitor)),
  'podman-runtime.sh': renderRunscRuntime(sampleScript),
  'enter.sh': renderEnter(sampleEnter),
  'watch.sh': renderWatch(sampleEnter),
};

test('the scripts are what was reviewed', async (t) => {
  for (const [name, text] of Object.entries(texts)) matchGolden(t, join(import.meta.dirname, 'golden', name), text);
});

test('the scripts pass shellcheck and shfmt', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-runsc-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(texts)) {
    const file = join(folder, name);
    writeFileSync(file, text);
    await t.resolves(runTool('shellcheck', [file]), name);
    const { stdout } = await runTool('shfmt', ['-d', file], { accept: [0, 1] });
    t.equal(stdout, '', name);
  }
});

test('host sockets and fifos, the network and the overlay are said in so many words', async (t) => {
  for (const text of [renderInside(sampleScript), renderRunscRuntime(sampleScript)])
    for (const words of ['--network none', '--oci-seccomp', '--overlay2 none', '--host-uds none', '--host-fifo none'])
      t.match(text, words);
});
