// Owns the anchors: the same bytes each time, in the grammar of pf.conf(5), first match deciding as in the nftables rules.
import { join } from 'node:path';
import { test } from 'tap';
import { renderPf } from '../../lib/firewall/pf.ts';
import { matchGolden } from '../golden.ts';
import { parsePf } from './pfGrammar.ts';
import { largeModel, models } from './samples.ts';
import { sampleModel } from './world.ts';

for (const [name, model] of Object.entries(models)) {
  test(`the anchor of ${name} is the golden one, and the grammar takes it`, (t) => {
    matchGolden(t, join(import.meta.dirname, 'golden', `${name}.pf.conf`), renderPf(model));
    t.ok(parsePf(renderPf(model)) >= 1);
    t.end();
  });
}

test('every pass of an identity is followed by the refusal of all else of it', (t) => {
  const lines = renderPf(sampleModel).split('\n');
  for (const who of ['user 299999 >< 365536', 'user 64001', 'user 64002']) {
    const own = lines.filter((line) => line.includes(who));
    t.match(own.at(-1), /^block return out quick proto \{ tcp, udp \} from any to any user /, who);
    t.ok(own.length > 1, who);
  }
  t.end();
});

test('ten thousand networks are one table', (t) => {
  t.equal(parsePf(renderPf(largeModel(10_000))), parsePf(renderPf(sampleModel)));
  t.end();
});

const broken = {
  'an unknown word': 'block outt quick from any to any',
  'no source': 'pass out to any',
  'a port that is none': 'pass out proto tcp from any to any port 70000',
  'a range backwards': 'block from any to any user 9 >< 8',
  'a range that pfctl takes for a name': 'block from any to any user 8:9',
  'a table that nobody made': 'block from any to <nowhere>',
  'an open brace': 'pass proto { tcp, udp from any to any',
  'words after the end': 'pass from any to any label "a" quick',
};

for (const [name, line] of Object.entries(broken)) {
  test(`refuses ${name}, so that the check means something`, (t) => {
    t.throws(() => parsePf(`${line}\n`), /line 1/);
    t.end();
  });
}

test('refuses a model that must not be enforced', (t) => {
  t.throws(() => renderPf({ ...sampleModel, sandboxUids: [] }), { code: 'FIREWALL_INPUT' });
  t.end();
});
