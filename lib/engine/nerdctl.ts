// Owns the nerdctl engine: containerd's container, made by a runtime of ours from the bundle that crun gets, ended with the run.
import { CofferdamError } from '../base/errors.ts';
import type { OciSpec } from '../spec/types.ts';
import type { CgroupParents } from './cgroup.ts';
import { controllers, parentOf } from './cgroup.ts';
import { bundleForCrun, crunEngine, crunLife } from './crun.ts';
import { renderWatch } from './daemon/watch.ts';
import { protectionFlags } from './flags/process.ts';
import { rootOnly } from './matrix/nerdctl.ts';
import { engineCannot, refuseImpossible } from './matrix.ts';
import { clientEnv, clientOptions, containersFolder, inspectContainerd, type NerdctlClient } from './nerdctl/client.ts';
import { client, type NerdctlScript, tidyKilled } from './nerdctl/input.ts';
import { renderRuntime } from './nerdctl/runtime.ts';
import { passed, renderRun } from './nerdctl/script.ts';
import { sweepContainerd } from './nerdctl/sweep.ts';
import { judgeVersions } from './nerdctl/versions.ts';
import { findTool, requireTool } from './tools.ts';
import type { Engine, EngineCommand, EngineInput, EngineLife, EngineProbe, EngineSettings } from './types.ts';
import { type ShellWord, variable } from './words.ts';

const remedy = 'install nerdctl 2.x and apt-get install containerd, or use --engine crun';

function requireClient({ nerdctl }: EngineSettings): NerdctlClient {
  const path = nerdctl.client ?? findTool('nerdctl');
  if (path === undefined) throw new CofferdamError('ENGINE_MISSING', 'nerdctl is not installed', { remedy });
  return { path, settings: nerdctl };
}

async function probe(settings: EngineSettings): Promise<EngineProbe> {
  const found = requireClient(settings);
  // A plain user's nerdctl looks for a containerd of that user's own (rootlesskit), and answers for that.
  if (process.getuid?.() !== 0) throw cannot('a caller who is not root', rootOnly);
  const { nerdctl, containerd } = judgeVersions(await inspectContainerd(found));
  // containerd leaves the container to a runtime, and ours is crun: what is wrong with it is wrong here too.
  const crun = await crunEngine.probe();
  return {
    path: found.path,
    version: `${nerdctl}+containerd.${containerd}+crun.${crun.version}`,
    weaknesses: crun.weaknesses,
  };
}

function cannot(field: string, why: string): CofferdamError {
  return engineCannot('nerdctl', field, why, ['crun']);
}

function parentsOf(cgroups: CgroupParents): string[] {
  const lacking = controllers.find((controller) => parentOf(cgroups, controller) === undefined);
  if (cgroups.version !== 1 || lacking !== undefined)
    throw cannot('limits', 'its containers are bounded by the control groups v1 of the run, and there are none');
  return cgroups.folders.map(({ path }) => path);
}

/** Label by which our containers are told from others; the value is where their records are. */
const recordsLabel = 'cofferdam.records';

/**
 * What nerdctl writes into the bundle that our runtime puts aside. Should a containerd ever start another runtime, that bundle
 * has no program to run, and no power to run it with.
 */
function flagsFor({ process: { user } }: OciSpec): ShellWord[] {
  return [
    '--rm',
    ...['--sig-proxy=false', '--pull', 'never', '--restart', 'no', '--log-driver', 'none'],
    ...protectionFlags,
    // Else it loads a profile into the host's kernel, which nothing of ours uses.
    ...['--security-opt', 'apparmor=unconfined'],
    ...['--hostname', 'sandbox', '--user', `${user.uid}:${user.gid}`, '--entrypoint', '/.cofferdam/not-by-this-bundle'],
  ];
}

/**
 * The kernel looks at RLIMIT_NPROC before it asks the control group, which is who tells of refused forks. With crun's own engine there
 * is one process more in the group, crun; here the two would be met at the same moment.
 */
function boundLater(spec: OciSpec): OciSpec {
  const rlimits = spec.process.rlimits.map((limit) =>
    limit.type === 'RLIMIT_NPROC' ? { ...limit, soft: limit.soft + 1, hard: limit.hard + 1 } : limit,
  );
  return { ...spec, process: { ...spec.process, rlimits } };
}

function command(input: EngineInput, settings: EngineSettings): EngineCommand {
  const { spec, planDirectory, probe: found } = input;
  const tools = {
    nerdctl: found.path,
    crun: requireTool('crun', 'crun'),
    sh: requireTool('sh', 'dash'),
    setpriv: requireTool('setpriv', 'util-linux'),
    setsid: requireTool('setsid', 'util-linux'),
    nsenter: requireTool('nsenter', 'util-linux'),
    env: requireTool('env', 'coreutils'),
    mkdir: requireTool('mkdir', 'coreutils'),
    mkfifo: requireTool('mkfifo', 'coreutils'),
    ln: requireTool('ln', 'coreutils'),
    rm: requireTool('rm', 'coreutils'),
    rmdir: requireTool('rmdir', 'coreutils'),
    cat: requireTool('cat', 'coreutils'),
    sleep: requireTool('sleep', 'coreutils'),
  };
  const script: NerdctlScript = {
    tools,
    planDirectory,
    options: clientOptions(settings.nerdctl),
    containers: containersFolder(settings.nerdctl),
    flags: flagsFor(spec),
    rootfs: spec.root.path,
    parents: parentsOf(input.cgroups),
    label: `${recordsLabel}=${input.records}`,
  };
  const watch = {
    remove: `${client(script)} rm --force --volumes "$name"`,
    tidy: tidyKilled(script),
    sleep: tools.sleep,
  };
  return {
    writesConfig: true,
    ...bundleForCrun({ spec: boundLater(spec), covers: input.covers }, false),
    appendsArguments: false,
    env: Object.entries(clientEnv).map(([name, value]) => ({ name, value })),
    words: [
      ...[tools.sh, `${planDirectory}/nerdctl-run`],
      ...passed.map((name): ShellWord => [variable(name)]),
      { terminal: ['terminal'] },
    ],
    files: { 'nerdctl-run': renderRun(script), 'nerdctl-watch': renderWatch(watch) },
    programs: { 'nerdctl-runtime': renderRuntime(script) },
  };
}

const life: EngineLife = {
  ...crunLife,
  signal: (run, signal) => crunLife.signal({ ...run, path: requireTool('crun', 'crun') }, signal),
};

/** The engine with its daemon at the host's socket. */
export function nerdctlEngine(settings: EngineSettings): Engine {
  return {
    name: 'nerdctl',
    probe: () => probe(settings),
    refuse: (profile, asking) => refuseImpossible('nerdctl', profile, asking),
    command: (input) => command(input, settings),
    life,
    sweep: ({ path }, records, isLive) =>
      sweepContainerd({ path, settings: settings.nerdctl }, `${recordsLabel}=${records}`, isLive),
  };
}
