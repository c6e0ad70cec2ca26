import { join } from 'node:path';
import { test } from 'tap';
import { buildSpec } from '../../lib/spec/build.ts';
import { validateSpec } from '../../lib/spec/validate.ts';
import { matchGolden } from '../golden.ts';
import { sampleRequest, shippedProfile } from './samples.ts';

const shipped = ['default', 'base-tools', 'python-tools', 'node-tools', 'go-tools', 'secops-tools'];

test('each shipped profile gives the spec that was reviewed, and the OCI schema accepts it', (t) => {
  for (const name of shipped) {
    const spec = buildSpec(sampleRequest(shippedProfile(name)));
    validateSpec(spec);
    matchGolden(t, join(import.meta.dirname, 'golden', `${name}.json`), `${JSON.stringify(spec, null, 1)}\n`);
  }
  t.end();
});

test('the same request gives the same bytes', (t) => {
  const once = () => JSON.stringify(buildSpec(sampleRequest(shippedProfile('python-tools'))));
  t.equal(once(), once());
  t.end();
});

test('no shipped profile has a capability, a writable root, or more than its own namespaces', (t) => {
  for (const name of shipped) {
    const spec = buildSpec(sampleRequest(shippedProfile(name)));
    t.same(new Set(Object.values(spec.process.capabilities).flat()), new Set(), name);
    t.equal(spec.root.readonly, true);
    t.equal(spec.process.noNewPrivileges, true);
    t.same(spec.linux.namespaces.map(({ type }) => type).sort(), [
      'cgroup',
      'ipc',
      'mount',
      'network',
      'pid',
      'user',
      'uts',
    ]);
    t.ok(spec.process.user.uid > 0 && spec.process.user.gid > 0);
  }
  t.end();
});

test('every writable mount is sized, and none outside /workspace and /sandbox may execute', (t) => {
  const profile = shippedProfile('python-tools');
  for (const mode of ['scratch', 'ro', 'copy', 'rw'] as const) {
    const request = sampleRequest(profile);
    const spec = buildSpec({ ...request, workspace: { ...request.workspace, mode } });
    for (const { type, destination, options } of spec.mounts) {
      if (type === 'proc' || type === 'sysfs' || type === 'devpts') continue;
      t.ok(options.includes('nosuid') && options.includes('nodev'), `${destination} nosuid,nodev`);
      if (type === 'tmpfs')
        t.ok(
          options.some((option) => option.startsWith('size=')),
          `${destination} has a size`,
        );
      const mayExecute = /^\/(workspace|sandbox|\.cofferdam)/.test(destination);
      t.equal(options.includes('noexec'), !mayExecute, `${destination} noexec in ${mode}`);
    }
  }
  t.end();
});

test('a writable folder has its guarded places read-only, a read-only one is read-only', (t) => {
  const request = sampleRequest(shippedProfile('base-tools'));
  const mounts = (mode: 'ro' | 'rw') => buildSpec({ ...request, workspace: { ...request.workspace, mode } }).mounts;
  const hooks = mounts('rw').find(({ destination }) => destination === '/workspace/.git/hooks');
  t.ok(hooks?.options.includes('ro') && hooks.source === '/home/user/project/.git/hooks');
  t.ok(
    mounts('ro')
      .find(({ destination }) => destination === '/workspace')
      ?.options.includes('ro'),
  );
  t.notOk(
    mounts('ro').some(({ destination }) => destination === '/workspace/.tmp'),
    'nothing is made in the host folder',
  );
  t.end();
});

test('our variables cannot be overridden by the profile', (t) => {
  const profile = shippedProfile('base-tools');
  const spec = buildSpec(sampleRequest({ ...profile, env: { SANDBOX_RUN_ID: 'other', PATH: '/x', FOO: 'bar' } }));
  t.ok(spec.process.env.includes('SANDBOX_RUN_ID=r0123456789abcdef'));
  t.ok(spec.process.env.includes('FOO=bar'));
  t.equal(spec.process.env.filter((line) => line.startsWith('SANDBOX_RUN_ID=')).length, 1);
  t.end();
});

test('RLIMIT_NPROC is set only where it counts the sandbox alone', (t) => {
  const request = sampleRequest(shippedProfile('base-tools'));
  const has = (callerIsRoot: boolean, mode: 'scratch' | 'rw') =>
    buildSpec({ ...request, callerIsRoot, workspace: { ...request.workspace, mode } }).process.rlimits.some(
      ({ type }) => type === 'RLIMIT_NPROC',
    );
  t.ok(has(true, 'scratch'));
  t.notOk(has(false, 'scratch'), 'a plain user has other processes under the uid that counts');
  t.notOk(has(true, 'rw'), 'so has the owner of a folder');
  t.end();
});

test('a repository in a writable folder is a mount point of its own, so that it cannot be renamed', (t) => {
  const request = sampleRequest(shippedProfile('base-tools'));
  const guarded = ['.envrc', '.git/config', '.git/hooks', 'sub/.git/hooks'];
  const { mounts } = buildSpec({ ...request, workspace: { ...request.workspace, mode: 'rw', guarded } });
  const at = (path: string) => mounts.findIndex(({ destination }) => destination === path);
  t.ok(mounts[at('/workspace/.git')]?.options.includes('rw'));
  t.ok(at('/workspace/.git') < at('/workspace/.git/hooks'), 'before what is read-only in it');
  t.ok(at('/workspace/sub/.git') > 0);
  t.equal(mounts.filter(({ destination }) => destination === '/workspace/.git').length, 1);
  t.end();
});
