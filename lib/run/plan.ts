// Owns plans: profile, policy, image and engine compiled into a folder named by the digest of all it was made from.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { diskError, readTextIfPresent } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import type { CgroupParents } from '../engine/cgroup.ts';
import { lackingOf } from '../engine/matrix.ts';
import { requireTool } from '../engine/tools.ts';
import type { Engine } from '../engine/types.ts';
import { quoteLiteral } from '../engine/words.ts';
import type { InstalledImage } from '../image/find.ts';
import type { Profile } from '../profile/schema.ts';
import { buildSpec } from '../spec/build.ts';
import type { WorkspaceSource } from '../spec/mounts.ts';
import { placeholders, templateMap, templateTokens } from '../spec/placeholders.ts';
import { compileSeccomp } from '../spec/seccomp/compile.ts';
import type { OciSpec } from '../spec/types.ts';
import type { HostIds, ProgramIds } from '../spec/uidmap.ts';
import { ensureCovers } from './covers.ts';
import { ensureRunFolders } from './folders.ts';
import { ensureInit } from './init.ts';
import { type LaunchTools, renderLaunch } from './launch.ts';
import { removePlan } from './planIndex.ts';

export interface PlanRequest {
  readonly paths: Paths;
  readonly version: string;
  readonly profileName: string;
  readonly profile: Profile;
  readonly image: InstalledImage;
  readonly engine: Engine;
  readonly ids: HostIds;
  readonly cgroups: CgroupParents;
  readonly program: ProgramIds;
  /** Paths below a writable workspace that are mounted read-only. */
  readonly guarded: readonly string[];
  /** Whether /artifacts is collected: it is then a tmpfs of the run, mounted by the launch script. */
  readonly collectsArtifacts: boolean;
  /** Whether one is asked for now: a plan of an engine that can is the same with and without. */
  readonly terminal: boolean;
  /** Milliseconds: the host's ceiling for --timeout. */
  readonly mostTimeout: number;
}

export interface Plan {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  readonly directory: string;
  readonly launch: string;
  readonly engine: {
    readonly name: string;
    readonly path: string;
    readonly version: string;
    readonly weaknesses: readonly string[];
  };
  /** Script that goes into the engine's own user and mount namespaces, where it has some. */
  readonly enter?: string;
  readonly profileName: string;
  readonly profile: Profile;
  /** Folders of the host without which it must be compiled anew. */
  readonly folders: readonly string[];
}

function launchTools(paths: Paths): LaunchTools {
  return {
    awk: requireTool('awk', 'mawk'),
    rm: requireTool('rm', 'coreutils'),
    mount: requireTool('mount', 'mount'),
    sandbox: join(paths.install, 'bin/sandbox'),
    supervise: join(paths.install, 'dist/native/supervise'),
    node: process.execPath,
    collect: join(paths.install, 'dist/bin/collect.cjs'),
  };
}

function architecture(): 'x86_64' | 'aarch64' {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

// A profile that held one of our tokens would have it filled in at launch.
function refuseTokens(profile: Profile, guarded: readonly string[]): void {
  const text = JSON.stringify([profile, guarded]);
  const token = templateTokens.find((candidate) => text.includes(candidate));
  if (token !== undefined)
    throw new CofferdamError('VALUE_INVALID', `the profile holds the text ${token}, which is ours`);
}

interface Rendered extends Pick<Plan, 'digest' | 'engine' | 'folders' | 'enter'> {
  /** File name → content. */
  readonly files: Map<string, string>;
  /** Names of those that somebody other than the launch script starts. */
  readonly executable: ReadonlySet<string>;
  /** As built, and as the engine gets it. */
  readonly specs: readonly OciSpec[];
}

/** What a plan consists of. Pure but for reading the host's tools. */
async function render(request: PlanRequest): Promise<Rendered> {
  const { paths, profile, engine, image, ids, program } = request;
  const found = await engine.probe();
  const probe = { ...found, weaknesses: [...found.weaknesses, ...lackingOf(engine.name)] };
  engine.refuse(profile, {
    callerUid: ids.callerUid,
    collectsArtifacts: request.collectsArtifacts,
    terminal: request.terminal,
  });
  const folders = ensureRunFolders(paths, ids.callerUid);
  const mode = profile.workspace.mode === 'task' ? 'scratch' : profile.workspace.mode;
  const workspace: WorkspaceSource = { mode, source: placeholders.workspace, guarded: request.guarded };
  const seccomp = compileSeccomp({ arch: architecture(), writableHostFolder: mode === 'rw' || mode === 'copy' });
  const spec = buildSpec({
    profile,
    rootfs: image.rootfs,
    init: ensureInit(paths),
    seccomp,
    ids: templateMap(profile.user),
    callerIsRoot: ids.callerUid === 0,
    workspace,
    artifacts: request.collectsArtifacts ? folders.collect : undefined,
    wayOut: profile.network.mode === 'proxy' ? placeholders.wayOut : undefined,
    argv: [placeholders.argv],
    runId: placeholders.runId,
    taskId: placeholders.taskId,
    jobId: placeholders.jobId,
  });
  const command = engine.command({
    cgroups: request.cgroups,
    records: folders.records,
    covers: ensureCovers(paths, ids.callerUid),
    imported: await engine.import?.(image, probe, paths.data),
    profile,
    spec,
    probe,
    callerUid: ids.callerUid,
    planDirectory: '@@PLAN@@',
    helpers: join(paths.install, 'dist', 'native'),
    inOuterIds: request.collectsArtifacts && ids.callerUid !== 0,
  });
  const written = command.config ?? spec;
  refuseTokens(profile, request.guarded);
  const configTemplate = `${JSON.stringify(written, null, 1)}\n`;
  const shell = (name: string) => readFileSync(join(paths.install, 'lib/run/shell', `${name}.sh.in`), 'utf8');
  const inputs = {
    version: request.version,
    // Rebuilt code may render another plan from the same inputs.
    build: readTextIfPresent(join(paths.install, 'dist/build.json')) ?? 'source',
    profile: { name: request.profileName, resolved: profile },
    image: { name: image.name, version: image.version, digest: image.digest },
    engine: { name: engine.name, ...probe },
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    seccomp: seccomp.digest,
    cgroups: request.cgroups,
    ids,
    program,
    guarded: request.guarded,
    artifacts: request.collectsArtifacts,
  };
  const title = `Cofferdam ${request.version}: profile ${request.profileName}, image ${image.name} ${image.digest}, ${engine.name} ${probe.version}`;
  const launch = renderLaunch({
    title,
    planDigest: '@@DIGEST@@',
    profile,
    ids,
    program,
    cgroups: request.cgroups,
    command,
    configTemplate,
    tools: launchTools(paths),
    folders,
    mostTimeout: request.mostTimeout,
    shell: { encode: shell('encode'), launch: shell('launch') },
  });
  const programs = Object.entries(command.programs ?? {});
  const files = new Map<string, string>([
    ['inputs.json', `${JSON.stringify(inputs, null, 2)}\n`],
    ['config.json', configTemplate],
    ['launch', launch],
    ...Object.entries(command.files),
    ...programs,
  ]);
  const hash = createHash('sha256');
  for (const [name, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${name}\0${content.length}\0${content}\0`);
  return {
    files,
    executable: new Set(programs.map(([name]) => name)),
    digest: hash.digest('hex'),
    engine: { name: engine.name, ...probe },
    folders: command.folders ?? [],
    ...(command.enter === undefined ? {} : { enter: command.enter }),
    specs: [spec, written],
  };
}

/**
 * Writes the files beside, makes them read-only and renames the folder into place; an existing one is kept as it is: it has the same
 * digest, so the same specs were found valid. Compiling the schema takes longer than everything else of a plan.
 */
async function publish(directory: string, { files, executable, digest, specs }: Rendered): Promise<void> {
  if (existsSync(join(directory, 'launch'))) return;
  const { validateSpec } = await import('../spec/validate.ts');
  for (const spec of specs) validateSpec(spec);
  const beside = `${directory}.${process.pid}.new`;
  try {
    mkdirSync(beside, { mode: 0o700 });
    for (const [name, content] of files) {
      const text = content.replaceAll('@@DIGEST@@', digest).replaceAll('@@PLAN@@', quoteLiteral(directory));
      writeFileSync(join(beside, name), text, { mode: executable.has(name) ? 0o500 : 0o400 });
    }
    chmodSync(beside, 0o500);
    renameSync(beside, directory);
  } catch (cause) {
    removePlan(beside);
    if (!existsSync(join(directory, 'launch'))) throw diskError(cause, `cannot write the plan ${directory}`);
  }
}

/**
 * The plan for a request, compiled or found. Throws what refuses it: ENGINE_MISSING, ENGINE_CANNOT, HOST_UNPREPARED,
 * SPEC_INVALID, DISK_FULL.
 */
export async function compilePlan(request: PlanRequest): Promise<Plan> {
  const rendered = await render(request);
  const { digest, engine, folders, enter } = rendered;
  const directory = join(ensureRunFolders(request.paths, request.ids.callerUid).plans, digest);
  await publish(directory, rendered);
  return {
    digest: `sha256:${digest}`,
    directory,
    launch: join(directory, 'launch'),
    ...(enter === undefined ? {} : { enter: join(directory, enter) }),
    engine,
    profileName: request.profileName,
    profile: request.profile,
    folders,
  };
}
