// Owns the proof of images: each meets its contract inside a sandbox, and one that lacks a tool says which.
import { chownSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { findImage } from '../../lib/image/find.ts';
import { declareNeeds } from './needs.ts';
import { sceneOf, testAsBoth } from './scene.ts';

declareNeeds('crun', 'base-tools', 'python-tools', 'node-tools', 'go-tools', 'secops-tools');

const all = ['base-tools', 'go-tools', 'node-tools', 'python-tools', 'secops-tools'];

testAsBoth('every image meets its contract', async (t, scene) => {
  // Root's runs differ in nothing that an image holds: one is enough.
  const names = scene.uid === 0 ? all.slice(0, 1) : all;
  const ended = await scene.call(['image', 'check', ...names]);
  t.equal(ended.status, 0, ended.stdout + ended.stderr);
  for (const name of names) t.match(ended.stdout, new RegExp(`^${name}: [0-9]+ passed, 0 failed$`, 'm'));
});

tap.test('an image with a tool removed fails, and names the tool', async (t) => {
  const scene = sceneOf('plain user');
  const file = join(scene.home, 'base-tools.image');
  // Some files of the system's store are for root's eyes only.
  const saved = await sceneOf('root').sandbox(['image', 'save', 'base-tools', '-o', file]);
  t.equal(saved.status, 0, saved.stderr);
  chownSync(file, scene.uid, scene.gid);
  // Into a store of the user's own, which comes before the system's.
  const loaded = await scene.call(['image', 'load', file]);
  t.equal(loaded.status, 0, loaded.stderr);
  const store = join(scene.paths.data, 'images');
  t.teardown(() => sceneOf('root').spawn('/bin/rm', ['-rf', store]).ended);
  const { rootfs } = findImage('base-tools', [store]);
  rmSync(file);
  t.equal((await scene.call(['image', 'check', 'base-tools'])).status, 0, 'control: whole, it passes');
  for (const name of ['unzip', 'jq']) rmSync(join(rootfs, 'usr/bin', name));
  const ended = await scene.call(['image', 'check', 'base-tools']);
  t.equal(ended.status, 125);
  t.match(ended.stderr, /unzip/);
  t.match(ended.stderr, /jq/);
  const json = await scene.call(['image', 'check', '--json', 'base-tools']);
  t.equal(json.status, 125);
  const [result] = JSON.parse(json.stdout) as { image: string; ok: boolean; checks: { id: string; ok: boolean }[] }[];
  t.equal(result?.ok, false);
  t.strictSame(result?.checks.filter(({ ok }) => !ok).length, 2);
});
