import { test } from 'tap';
import { judgeVersions, parsePair } from '../../../lib/engine/nerdctl/versions.ts';

/** Of `nerdctl version` 2.2.1 with Debian's containerd. */
const said = {
  Client: { Version: 'v2.2.1', GitCommit: '<unknown>', Components: [{ Name: 'buildctl', Version: '' }] },
  Server: {
    Components: [
      { Name: 'containerd', Version: '1.6.20~ds1', Details: { GitCommit: '1.6.20~ds1-1+deb12u3' } },
      { Name: 'runc', Version: '1.1.5+ds1' },
    ],
  },
};

test('versions are read as both print them', async (t) => {
  t.same(judgeVersions(said), { nerdctl: '2.2.1', containerd: '1.6.20~ds1' });
  t.same(parsePair('v2.2.1'), [2, 2]);
  t.same(parsePair('1.6.20~ds1'), [1, 6]);
  t.equal(parsePair('dev'), undefined);
});

const server = (version: string) => ({ Server: { Components: [{ Name: 'containerd', Version: version }] } });
const bad: Readonly<Record<string, { readonly with: object; readonly says: RegExp }>> = {
  'an old nerdctl': { with: { Client: { Version: 'v1.7.7' } }, says: /^nerdctl is v1\.7\.7; 2\.0 or newer/ },
  'an old containerd': { with: server('1.5.18'), says: /^containerd is 1\.5\.18; 1\.6 or newer/ },
  'a version of letters': { with: { Client: { Version: 'v\u001b[31m' } }, says: /^nerdctl is v\\x1b\[31m; / },
  'a daemon without a version': { with: { Server: { Components: [] } }, says: /does not say which version/ },
  'no daemon': { with: { Server: null }, says: /does not say which version/ },
};
for (const [name, { with: changed, says }] of Object.entries(bad)) {
  test(`refuses ${name}`, async (t) => {
    t.throws(() => judgeVersions({ ...said, ...changed }), { code: 'ENGINE_MISSING', message: says });
  });
}
