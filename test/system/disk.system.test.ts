// Owns the proof that a full disk gives a clear error and leaves nothing, wherever it is full.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { declareNeeds } from './needs.ts';
import { type JsonResult, newId, type Scene, sandboxFile, sceneOf, testAsBoth } from './scene.ts';

declareNeeds('crun', 'unshare', 'base-tools');

// In a mount namespace of its own: nobody else sees the small file system. "$1" is where, "$2" how it is filled up.
const script = `set -eu
folder=$1 uid=$2 gid=$3 fill=$4
shift 4
mount -t tmpfs -o "size=64k,nr_inodes=64,mode=0711,uid=$uid,gid=$gid" tmpfs "$folder"
as() { setpriv --reuid="$uid" --regid="$gid" --clear-groups "$@"; }
as /bin/sh -c "$fill" sh "$folder"
status=0
as "$@" || status=$?
rm -rf "$folder"/filler*
echo "left: $(cd "$folder" && find . -type f ! -name runs.log '(' -path '*/records/*' -o -path '*/slots/*' -o -path '*/runs/*' -o -name '*.new*' ')' | sort | tr '\\n' ' ')"
exit "$status"
`;
const fillBytes = 'head -c 100000 /dev/zero >"$1/filler" 2>/dev/null || :';
const fillFiles = 'n=0; while true >"$1/filler$n"; do n=$((n + 1)); done 2>/dev/null; :';
/** The run folders stand, so that what fails is the run itself. */
const runFolders = 'mkdir -m 0711 "$1/runs" "$1/collect"; mkdir -m 0700 "$1/records" "$1/slots"; ';

function runFull(scene: Scene, folder: string, fill: string, id: string, json: readonly string[]) {
  const words = [
    '--mount',
    '--propagation',
    'private',
    '/bin/sh',
    '-c',
    script,
    'full',
    folder,
    String(scene.uid),
    String(scene.gid),
    fill,
  ];
  const command = [sandboxFile, 'run', '--id', id, ...json, '-p', 'base-tools', '--', 'echo', 'started'];
  return sceneOf('root').spawn('/usr/bin/unshare', [...words, ...command], { env: scene.env }).ended;
}

const places: readonly (readonly [string, (scene: Scene) => string, string])[] = [
  ['run folder, no bytes', ({ paths }) => paths.run, runFolders + fillBytes],
  ['run folder, no files', ({ paths }) => paths.run, runFolders + fillFiles],
  ['empty run folder', ({ paths }) => paths.run, fillFiles],
  ['state', ({ paths }) => paths.state, fillBytes],
  ['plans', ({ paths }) => join(paths.data, 'plans'), fillFiles],
];

for (const [name, folderOf, fill] of places) {
  testAsBoth(`a full disk is told, and nothing is left (${name})`, async (t, scene) => {
    await scene.run(['-p', 'base-tools', '--', 'true']);
    const folder = folderOf(scene);
    if (!existsSync(folder)) throw new Error(`${folder} is missing`);
    for (const json of [[], ['--label', 'way=node'], ['--json']]) {
      const id = newId();
      const ended = await runFull(scene, folder, fill, id, json);
      t.equal(ended.status, 125, `${json} ${ended.stdout} ${ended.stderr}`);
      t.match(ended.stdout, /left: $/m, 'no record, slot, bundle or half a file');
      t.match(
        ended.stderr + ended.stdout,
        /(sandbox: |"message": ).*(space|disk|written|could not be made|full)/,
        'it says what is wrong',
      );
      t.notMatch(ended.stderr, /unexpected|node:internal/);
      if (json[0] === '--json')
        t.not(
          (JSON.parse(ended.stdout.replace(/^left: .*$/m, '')) as JsonResult).reason,
          'exited',
          'not the program’s own end',
        );
      t.strictSame(scene.traces(id), []);
    }
  });
}
