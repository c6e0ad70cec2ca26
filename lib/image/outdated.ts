// Owns comparing what an image holds with what the signed archive has now.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runTool } from '../base/exec.ts';
import type { BuildUser } from './builduser.ts';
import type { InstalledImage } from './find.ts';
import { type Mirrors, renderSources } from './sources.ts';

export interface OutdatedPackage {
  readonly name: string;
  readonly installed: string;
  readonly candidate: string;
}

const packagesSchema = z.array(z.looseObject({ kind: z.string(), name: z.string(), version: z.string() }));

/** Debian packages of an image as packages.json lists them: name → version. */
export function installedPackages(directory: string): Map<string, string> {
  const list = packagesSchema.parse(JSON.parse(readFileSync(join(directory, 'packages.json'), 'utf8')));
  return new Map(list.filter(({ kind }) => kind === 'deb').map(({ name, version }) => [name, version]));
}

/** `apt-cache policy` output as name → candidate version. */
export function parsePolicy(output: string): Map<string, string> {
  const candidates = new Map<string, string>();
  let name = '';
  for (const line of output.split('\n')) {
    const head = /^(\S+):$/.exec(line)?.[1];
    if (head !== undefined) name = head.split(':')[0] ?? '';
    const candidate = /^ {2}Candidate: (\S+)$/.exec(line)?.[1];
    if (candidate !== undefined && candidate !== '(none)') candidates.set(name, candidate);
  }
  return candidates;
}

/** Packages whose candidate is another version, by name. One that left the archive has no candidate and is not listed. */
export function compareCandidates(installed: ReadonlyMap<string, string>, candidates: ReadonlyMap<string, string>) {
  return [...installed]
    .map(([name, version]) => ({ name, installed: version, candidate: candidates.get(name) ?? version }))
    .filter((item) => item.installed !== item.candidate)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export interface OutdatedInput {
  readonly image: InstalledImage;
  readonly mirrors: Mirrors;
  readonly uid: number;
  readonly user: BuildUser;
  readonly env: Readonly<Record<string, string>>;
}

/** Asks the archive, with apt's state in a folder of its own so that the host's is untouched. Throws TOOL_FAILED. */
export async function findOutdated(input: OutdatedInput): Promise<OutdatedPackage[]> {
  const { image, user, uid } = input;
  const folder = mkdtempSync('/var/tmp/cofferdam-outdated-');
  try {
    for (const part of ['lists/partial', 'cache/archives/partial', 'etc']) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    writeFileSync(join(folder, 'sources.list'), renderSources(input.mirrors, image.record.suite));
    writeFileSync(join(folder, 'status'), '');
    await runTool('chmod', ['-R', 'u=rwX,go=rX', folder]);
    const options = [
      `Dir::State=${folder}`,
      `Dir::State::status=${folder}/status`,
      `Dir::State::lists=${folder}/lists`,
      `Dir::Cache=${folder}/cache`,
      `Dir::Etc::sourcelist=${folder}/sources.list`,
      `Dir::Etc::sourceparts=${folder}/etc`,
      `Dir::Etc::preferencesparts=${folder}/etc`,
      // The host's hooks act on the host: they have no business with this look.
      'APT::Update::Post-Invoke-Success=',
      'APT::Update::Error-Mode=any',
    ].flatMap((option) => ['-o', option]);
    if (uid === 0) {
      // Parsing what the network sends is not work for root.
      await runTool('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
    }
    const step = uid === 0 ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups'] : [];
    const apt = (tool: string, args: readonly string[], maxBytes = 16 << 20) =>
      runTool('setpriv', [...step, tool, ...options, ...args], { env: input.env, timeoutMs: 300_000, maxBytes });
    await apt('apt-get', ['update', '-qq']);
    const installed = installedPackages(image.directory);
    const { stdout } = await apt('apt-cache', ['policy', ...installed.keys()]);
    return compareCandidates(installed, parsePolicy(stdout));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
