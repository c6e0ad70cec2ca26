// Owns the proof of what is read out of runsc's own words.
import { test } from 'tap';
import { flagsOf, parsePlatforms } from '../../../lib/engine/runsc/platform.ts';
import { parseRunscDate } from '../../../lib/engine/runsc.ts';

test('the version is the date in it', async (t) => {
  t.equal(parseRunscDate('runsc version 0.0~20221219.0\nspec: 1.0.2-dev\n'), '20221219');
  t.equal(parseRunscDate('runsc version release-20240916.0\nspec: 1.1.0-rc.1\n'), '20240916');
  t.equal(parseRunscDate('runsc version VERSION_MISSING\n'), undefined);
  t.equal(parseRunscDate('crun version 1.8.1\n'), undefined);
});

test('the best platform comes first, and kvm is none of ours', async (t) => {
  t.same(parsePlatforms('kvm\nptrace\n'), ['ptrace']);
  t.same(parsePlatforms('kvm\nptrace\nsystrap\n'), ['systrap', 'ptrace']);
  t.same(parsePlatforms('kvm\n'), []);
});

test('from the version on that opens files in the sentry, it is told not to', async (t) => {
  t.same(flagsOf('20221219'), []);
  t.same(flagsOf('20240916'), ['--directfs=false']);
});
