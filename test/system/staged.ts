// Owns what real packages need beforehand: fetched on the host by the ordinary client, pinned, kept outside the repository.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Scene, sceneOf } from './scene.ts';

const cache = process.env['COFFERDAM_TEST_CACHE'] ?? '/var/cache/cofferdam-tests';
export const fixtures = join(import.meta.dirname, 'fixtures');

interface Fetch {
  readonly name: string;
  /** Folder of test/system/fixtures to start from. */
  readonly fixture?: string;
  /** Client and arguments; run in the folder that becomes the result. */
  readonly words: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Debian package that has the client. */
  readonly from: string;
}

/** The developer's own PATH and settings: the client is theirs, configured for their network. */
async function runClient({ words, env, from }: Fetch, cwd: string): Promise<void> {
  const [file, ...args] = words;
  await new Promise<void>((done, fail) => {
    let said = '';
    const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
    child.on('error', () => fail(new Error(`${file} is needed to fetch packages: apt-get install ${from}`)));
    child.on('close', (status) => {
      if (status === 0) done();
      else
        fail(
          new Error(
            `${words.join(' ')} failed with ${status}; a network is needed once, and ${from}:\n${said.slice(-1000)}`,
          ),
        );
    });
  });
}

function fixtureDigest(fixture: string | undefined): string {
  const hash = createHash('sha256');
  if (fixture === undefined) return '';
  for (const name of readdirSync(join(fixtures, fixture)).sort())
    hash.update(name).update(readFileSync(join(fixtures, fixture, name)));
  return hash.digest('hex').slice(0, 16);
}

/** Folder with what was fetched; fetched once for each set of words and fixture, whole or not at all. */
export async function fetchOnce(fetch: Fetch): Promise<string> {
  const digest = createHash('sha256')
    .update(JSON.stringify([fetch.words, fixtureDigest(fetch.fixture)]))
    .digest('hex');
  const folder = join(cache, `${fetch.name}-${digest.slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const beside = mkdtempSync(`${folder}.new-`);
  try {
    if (fetch.fixture !== undefined) cpSync(join(fixtures, fetch.fixture), beside, { recursive: true });
    await runClient(fetch, beside);
    renameSync(beside, folder);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
  return folder;
}

/** A copy below the caller's home and owned by them, to be a workspace. */
export async function stage(scene: Scene, source: string, name: string): Promise<string> {
  const target = join(scene.home, name);
  cpSync(source, target, { recursive: true, verbatimSymlinks: true });
  const owned = await sceneOf('root').spawn('/bin/chown', ['-R', '-h', `${scene.uid}:${scene.gid}`, target]).ended;
  const open = await sceneOf('root').spawn('/bin/chmod', ['-R', 'u+rwX,go+rX', target]).ended;
  if (owned.status !== 0 || open.status !== 0) throw new Error(owned.stderr + open.stderr);
  return target;
}
