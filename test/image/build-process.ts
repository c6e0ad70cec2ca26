// Owns a build of base-tools in a process of its own, which a test kills: argv is an install folder and a store.
import { buildImage } from '../../lib/image/build.ts';
import { loadDefinition } from '../../lib/image/definition.ts';

const [install = '', store = ''] = process.argv.slice(2);
await buildImage({
  definition: loadDefinition(install, 'base-tools'),
  store,
  install,
  uid: process.getuid?.() ?? 0,
  lock: 'report',
  sourcesOverride: '/etc/cofferdam/debian.sources',
  env: {},
  now: () => new Date(),
  signal: new AbortController().signal,
  onStep: (step) => process.stdout.write(`${step}\n`),
});
