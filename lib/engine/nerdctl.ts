// Owns the nerdctl engine: containerd's container, made by a runtime of ours from the bundle that crun gets, ended with the run.
import { CofferdamError } from '../base/errors.ts';
import type { OciSpec } from '../spec/types.ts';
import type { CgroupParents } from './cgroup.ts';
import { controllers, parentOf } from './cgroup.ts';
import { bundleForCrun, crunEngine, crunLife } from './crun.ts';
import { renderWatch } from './daemon/watch.ts';
import { protectionFlags } from './flags/process.ts';
import { seekInit } from './inits.ts';
import { engineCannot, refuseImpossible } from './matrix.ts';
import { clientEnv, clientOptions, containersFolder, inspectContainerd, type NerdctlClient } from './nerdctl/client.ts';
import { client, type NerdctlScript, tidy } from './nerdctl/input.ts';
import { enterWords, findKit, type Kit, renderEnter, renderFind, settingsOf } from './nerdctl/rootless.ts';
import { renderRuntime } from './nerdctl/runtime.ts';
import { passed, renderRun } from './nerdctl/script.ts';
import { sweepContainerd } from './nerdctl/sweep.ts';
import { judgeVersions } from './nerdctl/versions.ts';
import { readHostIds } from './subids.ts';
import { findTool, requireTool } from './tools.ts';
import type { Engine, EngineCommand, EngineInput, EngineLife, EngineProbe, EngineSettings } from './types.ts';
import { type ShellWord, variable } from './words.ts';

const remedy = 'install nerdctl 2.x and apt-get install containerd, or use --engine crun';

function findCaller(): { uid: number; gid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

/** Root's containerd is the host's; anybody else's is their own. */
function requireClient({ nerdctl }: EngineSettings): NerdctlClient & { readonly kit: Kit | undefined } {
  const path = nerdctl.client ?? findTool('nerdctl');
  if (path === undefined) throw new CofferdamError('ENGINE_MISSING', 'nerdctl is not installed', { remedy });
  const { uid, gid } = findCaller();
  const kit = uid === 0 ? undefined : findKit(nerdctl, readHostIds(uid, gid));
  const enter = kit === undefined ? [] : enterWords(requireTool('nsenter', 'util-linux'), kit);
  return { path, settings: settingsOf(nerdctl, uid), enter, kit };
}

async function probe(settings: EngineSettings): Promise<EngineProbe> {
  const found = requireClient(settings);
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

function parentsOf(cgroups: CgroupParents, rootless: boolean): string[] {
  const lacking = controllers.find((controller) => parentOf(cgroups, controller) === undefined);
  if (lacking !== undefined)
    throw cannot('limits', 'its containers are bounded by the control groups of the run, and there are none');
  // There a process moves only within what its user's systemd holds, where nobody has proven a containerd of one's own.
  if (cgroups.version === 2 && rootless)
    throw cannot('limits', "on cgroup v2 its containers are bounded for root's runs alone");
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

function command(input: EngineInput, { nerdctl }: EngineSettings): EngineCommand {
  const { spec, planDirectory, probe: found, callerUid } = input;
  const settings = settingsOf(nerdctl, callerUid);
  const rootless = callerUid !== 0;
  const tools = {
    nerdctl: found.path,
    crun: requireTool('crun', 'crun'),
    sh: requireTool('sh', 'dash'),
    setsid: requireTool('setsid', 'util-linux'),
    unshare: requireTool('unshare', 'util-linux'),
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
    options: clientOptions(settings),
    containers: containersFolder(settings),
    flags: flagsFor(spec),
    rootfs: spec.root.path,
    parents: parentsOf(input.cgroups, rootless),
    label: `${recordsLabel}=${input.records}`,
    findKit: rootless ? renderFind(settings, readHostIds(callerUid, findCaller().gid)) : '',
  };
  const enter = 'nerdctl-enter';
  const way: ShellWord[] =
    !rootless || input.inOuterIds ? [] : [tools.sh, `${planDirectory}/${enter}`, [variable('run_dir'), '/log']];
  const watch = {
    remove: `${client(script)} rm --force --volumes "$name"`,
    tidy: tidy(script),
    sleep: tools.sleep,
  };
  return {
    writesConfig: true,
    ...bundleForCrun({ spec, covers: input.covers }, false),
    appendsArguments: false,
    // What the groups bound is the guest alone: client and scripts are none of it.
    supervision: ['--apart', ...seekInit],
    env: Object.entries(clientEnv).map(([name, value]) => ({ name, value })),
    words: [
      ...[...way, tools.sh, `${planDirectory}/nerdctl-run`],
      ...passed.map((name): ShellWord => [variable(name)]),
      { terminal: ['terminal'] },
    ],
    ...(rootless ? { enter, inOuterIds: true } : {}),
    files: {
      'nerdctl-run': renderRun(script),
      'nerdctl-watch': renderWatch(watch),
      ...(rootless ? { [enter]: renderEnter({ tools, settings: nerdctl, callerUid }) } : {}),
    },
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
    sweep: (_, records, isLive) => {
      const client = requireClient(settings);
      const root = client.kit === undefined ? '' : `/proc/${client.kit.pid}/root`;
      return sweepContainerd({ client, label: `${recordsLabel}=${records}`, root }, isLive);
    },
  };
}
