import { test } from 'tap';
import { bootstrapArguments, readStep } from '../../lib/image/bootstrap.ts';
import { loadDefinition } from '../../lib/image/definition.ts';

const install = new URL('../..', import.meta.url).pathname;

test('builds without root, from main only, with the packages of the definition in order', async (t) => {
  const { image } = loadDefinition(install, 'base-tools');
  const args = bootstrapArguments({ image, aptOptions: ['Acquire::http::Proxy "http://proxy.example:8080"'] }, [
    '/h.sh',
  ]);
  t.ok(args.includes('--mode=unshare'));
  t.ok(args.includes('--variant=minbase'));
  t.ok(args.includes('--aptopt=Acquire::http::Proxy "http://proxy.example:8080"'));
  t.ok(args.includes('--customize-hook=/h.sh'));
  t.ok(args.includes(`--include=${image.packages.join(',')}`));
  t.equal(args.at(-1), 'trixie');
  t.notOk(args.some((arg) => /allow-?unauthenticated|trusted|check-valid-until "false"/i.test(arg)));
});

test("mmdebstrap's progress becomes words for people, and other lines nothing", async (t) => {
  t.equal(readStep('I: installing essential packages...'), 'installing the base');
  t.equal(readStep('I: using /tmp/x as tempdir'), undefined);
  t.equal(readStep('E: \u001b[2J'), undefined);
});
