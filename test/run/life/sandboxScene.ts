// Owns made-up sandboxes for unit tests: folders of their own, and records as launcher and supervisor write them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Paths, resolvePaths } from '../../../lib/base/paths.ts';
import { bootId, startTimeOf } from '../../../lib/base/process.ts';
import { runFolders } from '../../../lib/run/folders.ts';
import { claimName } from '../../../lib/run/life/names.ts';
import { newSandboxId, type Sandbox, sandboxFolder, writeSandbox } from '../../../lib/run/life/sandbox.ts';
import { resultFile } from '../../../lib/run/life/state.ts';

const digest = `sha256:${'a'.repeat(64)}`;

/** Folders of a user who has nothing yet. */
export function setPaths(t: Test): Paths {
  const home = t.testdir({});
  const env = { HOME: home, XDG_RUNTIME_DIR: join(home, 'run') };
  return resolvePaths({ uid: 12345, env, install: home });
}

export async function makeSandbox(paths: Paths, change: Partial<Sandbox> = {}): Promise<Sandbox> {
  const id = change.id ?? newSandboxId();
  mkdirSync(sandboxFolder(paths, id), { recursive: true });
  const sandbox: Sandbox = {
    version: 1,
    id,
    name: await claimName(paths, change.name, id),
    labels: {},
    profileName: 'base-tools',
    profileDigest: digest,
    created: '2026-01-02T03:04:05.000Z',
    command: ['sleep', 'infinity'],
    tty: false,
    interactive: false,
    ttlMs: null,
    idleMs: null,
    network: { mode: 'none', tool: null },
    workspace: { mode: 'scratch', source: null },
    plan: { digest, directory: `/plans/${'a'.repeat(64)}` },
    cgroups: { version: 2, folders: [] },
    engine: { name: 'crun', path: '/usr/bin/crun', version: '1.8.1' },
    image: { name: 'base-tools', version: '1.0.0', digest },
    request: { profile: 'base-tools', cwd: '/', overrides: { env: [], labels: [] } },
    run: null,
    starts: 0,
    ports: [],
    ...change,
  };
  writeSandbox(paths, sandbox);
  return sandbox;
}

/** A live record of run `id`, of process `pid`: ours, and so alive, or one that never was. */
export function writeLive(paths: Paths, id: string, pid = process.pid): void {
  const { records } = runFolders(paths);
  mkdirSync(records, { recursive: true });
  const started = startTimeOf(pid) ?? '1';
  writeFileSync(join(records, id), `1 ${id} ${pid} ${started} ${bootId()} ${'a'.repeat(64)}\n`);
}

/** The line of a run that exited with 7. */
export function writeResult(paths: Paths, { id }: Sandbox, run: string): void {
  const line = `1 ${run} ${'a'.repeat(64)} - - 1700000000000 1700000001000 7 exited 0 0 -\n`;
  writeFileSync(resultFile(paths, id, run), line);
}
