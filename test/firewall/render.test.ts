// Owns the text that models become: the same bytes each time, taken by nft, governing who is named and nobody else.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'tap';
import { systemPath } from '../../lib/base/exec.ts';
import { listElements } from '../../lib/firewall/elements.ts';
import type { FirewallModel } from '../../lib/firewall/model.ts';
import { compareScripts, removalScript, renderElements, renderNftables } from '../../lib/firewall/render.ts';
import { matchGolden } from '../golden.ts';
import { largeModel, models } from './samples.ts';
import { sampleModel, staticRules } from './world.ts';

const golden = (name: string) => join(import.meta.dirname, 'golden', name);

/** In a network namespace of its own: not even a check reaches the machine's rules. */
function nft(args: readonly string[], input: string): string {
  const env = { PATH: systemPath, LANG: 'C.UTF-8' };
  return execFileSync('unshare', ['--net', 'nft', ...args], { env, input, encoding: 'utf8' });
}

for (const [name, model] of Object.entries(models)) {
  test(`the elements of ${name} are the golden ones, and nft takes the whole`, (t) => {
    matchGolden(t, golden(`${name}.nft`), renderElements(model));
    const script = renderNftables(model, staticRules);
    t.equal(script, renderNftables(structuredClone(model), staticRules), 'the same bytes');
    t.equal(nft(['-c', '-f', '-'], script), '');
    t.end();
  });
}

test('every set that is declared is emptied', (t) => {
  const named = (pattern: RegExp) => [...staticRules.base.matchAll(pattern)].map(([, name]) => name);
  t.ok(named(/^\tset (\S+) /gm).length > 20);
  t.strictSame(named(/^flush set inet cofferdam (\S+)$/gm), named(/^\tset (\S+) /gm));
  t.end();
});

test('the order in which a host lists its things is not in the text', (t) => {
  const turned = Object.fromEntries(
    Object.entries(sampleModel).map(([key, value]) => [key, Array.isArray(value) ? value.toReversed() : value]),
  ) as unknown as FirewallModel;
  t.equal(renderElements(turned), renderElements(sampleModel));
  t.equal(
    renderElements({ ...sampleModel, outPorts: [443, 80, 443, 80] }),
    renderElements(sampleModel),
    'nor what is said twice',
  );
  t.end();
});

test('ten thousand elements load', (t) => {
  const { length } = listElements(largeModel(10_000)).find(({ set }) => set === 'private_ok4')?.elements ?? [];
  t.equal(length, 10_000);
  t.equal(nft(['-f', '-'], renderNftables(largeModel(10_000), staticRules)), '');
  t.end();
});

test('the script of a removal takes a table away, or none', (t) => {
  t.equal(nft(['-f', '-'], removalScript), '');
  t.equal(nft(['-f', '-'], `${renderNftables(sampleModel, staticRules)}${removalScript}`), '');
  t.end();
});

test('a comparison names elements with their set, and says nothing of what only moved', (t) => {
  const before = renderNftables(sampleModel, staticRules);
  t.strictSame(compareScripts(before, before), { added: [], removed: [] });
  const after = renderNftables({ ...sampleModel, outPorts: [80, 8443], dnsServers: [] }, staticRules);
  const removed = ['dns4: 45.45.45.53', 'dns6: 2a00:45::53', 'out_ports: 443'];
  const change = compareScripts(before, after);
  t.strictSame({ added: change.added, removed: change.removed.toSorted() }, { added: ['out_ports: 8443'], removed });
  t.end();
});
