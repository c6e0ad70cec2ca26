// Owns the proof that the second wall alone refuses what the attempts to get around the proxy are about.
import { test } from 'tap';
import { load, populate } from '../firewall/services.ts';
import { makeWorld, type Probe, sampleModel } from '../firewall/world.ts';
import { attempts } from './bypassCases.ts';

test('the second wall alone refuses every place that an attempt is about', async (t) => {
  const world = makeWorld(t);
  await populate(world);
  await world.serve(
    'net',
    [22, 8443].map((port) => ({ proto: 'tcp', address: '0.0.0.0', port })),
  );
  const all = attempts.flatMap(({ places = [] }) => places).map((probe) => JSON.stringify(probe));
  const probes = [...new Set(all)].map((text) => JSON.parse(text) as Probe);
  t.ok(probes.length >= 10);
  for (const [i, answer] of world.probe(probes).entries())
    t.equal(answer, 'passed', `without the table: ${JSON.stringify(probes[i])}`);
  load(world, sampleModel);
  for (const [i, answer] of world.probe(probes).entries())
    t.not(answer, 'passed', `refuses ${JSON.stringify(probes[i])}`);
});
