// Owns the proof on real Go: a module from a staged module cache is built and tested, with no network.
import { declareNeeds } from './needs.ts';
import { testAsUser } from './scene.ts';
import { fetchOnce, stage } from './staged.ts';

declareNeeds('crun', 'go-tools');

const script = `set -eu
[ "$(wc -l </proc/net/route)" = 1 ] && echo 'no route'
go test github.com/google/uuid
go build -o app .
./app
`;

testAsUser('builds and tests a Go module', async (t, scene) => {
  // go.sum of the fixture is the pin: the client refuses a module with another hash, here and inside.
  const env = { GOFLAGS: '-mod=readonly -modcacherw', GOSUMDB: 'off', GOTOOLCHAIN: 'local' };
  const words = ['/bin/sh', '-c', 'GOMODCACHE="$PWD/modcache" go mod download && rm -f modcache/cache/lock'] as const;
  const fetched = await fetchOnce({ name: 'uuid', fixture: 'go-module', words: [...words], env, from: 'golang-go' });
  const folder = await stage(scene, fetched, 'uuid');
  const staged = ['--env', 'GOMODCACHE=/workspace/modcache', '--env', 'GOFLAGS=-mod=readonly -buildvcs=false'];
  const { status, result } = await scene.runJson([
    '-p',
    'go-tools',
    '--workspace',
    `${folder}:copy`,
    ...staged,
    '--',
    'sh',
    '-c',
    script,
  ]);
  t.equal(status, 0, result.stdout + result.stderr);
  t.match(result.stdout, /^no route$/m);
  t.match(result.stdout, /^ok\s+github\.com\/google\/uuid\s/m);
  // RFC 4122, version 5: the same name gives the same id everywhere.
  t.match(result.stdout, /^148e18b8-0fc7-59d7-99fe-3c588b032f18$/m);
});
