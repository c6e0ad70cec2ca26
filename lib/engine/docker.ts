// Owns the docker engine: a daemon's container, made by flags, confined by the run's own control groups, ended with the run.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { idPattern } from '../base/ids.ts';
import { renderWatch } from './daemon/watch.ts';
import { askDocker, type DockerClient, inspectDaemon } from './docker/client.ts';
import { judgeDaemon } from './docker/daemon.ts';
import { renderGate } from './docker/gate.ts';
import { placeContainers } from './docker/groups.ts';
import { importImage } from './docker/image.ts';
import { client as clientCommand } from './docker/input.ts';
import { confineByDocker, lowerForDocker, ownFolder } from './docker/lower.ts';
import { renderRun } from './docker/script.ts';
import { crunEnter, crunSignal } from './enter.ts';
import { namedSeccomp } from './flags/seccomp.ts';
import { findInitInLeaf, seekInit } from './inits.ts';
import { engineCannot, refuseImpossible } from './matrix.ts';
import { readHostIds } from './subids.ts';
import { findTool, requireTool } from './tools.ts';
import type { Engine, EngineCommand, EngineInput, EngineLife, EngineProbe, EngineSettings } from './types.ts';
import { type ShellWord, variable } from './words.ts';

const remedy = 'apt-get install docker.io, or use --engine crun';

function requireClient(settings: EngineSettings): DockerClient {
  const path = findTool('docker');
  if (path === undefined) throw new CofferdamError('ENGINE_MISSING', 'docker is not installed', { remedy });
  return { path, socket: settings.docker.socket };
}

async function probe(settings: EngineSettings): Promise<EngineProbe> {
  const client = requireClient(settings);
  const { version, runc, driver } = judgeDaemon(await inspectDaemon(client), readHostIds(0, 0));
  return { path: client.path, version: `${version}+runc.${runc}`, driver, weaknesses: [] };
}

function cannot(field: string, why: string): CofferdamError {
  return engineCannot('docker', field, why, ['crun']);
}

const passed = ['run_dir', 'id', 'task', 'job', 'workspace', 'way_out', 'terminal'] as const;

/** Label by which our containers are told from others; the value is where their records are. */
const recordsLabel = 'cofferdam.records';

function command(input: EngineInput, settings: EngineSettings): EngineCommand {
  const { spec, planDirectory, probe: found, imported, callerUid } = input;
  const { subuids, subgids } = readHostIds(0, 0);
  const { uid, gid } = spec.process.user;
  if (imported === undefined) throw new TypeError('the image was not imported');
  if (uid >= subuids.count || gid >= subgids.count) throw cannot('user', 'its map of ids ends below');
  const confined = confineByDocker(spec);
  const tools = {
    docker: found.path,
    sh: requireTool('sh', 'dash'),
    setpriv: requireTool('setpriv', 'util-linux'),
    setsid: requireTool('setsid', 'util-linux'),
    mkdir: requireTool('mkdir', 'coreutils'),
    mkfifo: requireTool('mkfifo', 'coreutils'),
    ln: requireTool('ln', 'coreutils'),
    sleep: requireTool('sleep', 'coreutils'),
  };
  const script = {
    ...lowerForDocker(confined, cannot),
    tools,
    helpers: input.helpers,
    socket: settings.docker.socket,
    planDirectory,
    variables: passed,
    ...placeContainers(input.cgroups, { callerUid, driver: found.driver ?? 'cgroupfs', cannot }),
    image: imported,
    label: `${recordsLabel}=${input.records}`,
    forwards: input.profile.network.mode === 'proxy',
    ids: {
      uid: subuids.start + uid,
      gid: subgids.start + gid,
      rootUid: subuids.start,
      rootGid: subgids.start,
    },
  };
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return {
    // For what enters later (enter.ts); docker itself gets flags.
    writesConfig: true,
    config: confined,
    appendsArguments: true,
    // What the groups bound is the guest alone: client and scripts are none of it.
    supervision: ['--apart', ...seekInit],
    hostIds: { runtime: `${script.ids.rootUid}`, program: `${script.ids.uid}`, group: `${script.ids.gid}` },
    // The client would read the configuration of whoever runs it: another daemon, proxies for every container.
    env: ['HOME', 'DOCKER_CONFIG'].map((name) => ({ name, value: '/nonexistent' })),
    words: [tools.sh, `${planDirectory}/docker-run`, ...passed.map((name): ShellWord => [variable(name)])],
    files: {
      'docker-run': renderRun(script),
      'docker-gate': renderGate(script),
      'docker-watch': renderWatch({
        remove: `${clientCommand(script)} rm --force --volumes "$name"`,
        sleep: tools.sleep,
      }),
      'seccomp.json': `${JSON.stringify(namedSeccomp(spec.linux.seccomp, arch), null, 1)}\n`,
    },
  };
}

async function sweep(client: DockerClient, records: string, isLive: (id: string) => boolean): Promise<string[]> {
  const label = `${recordsLabel}=${records}`;
  const form = '{{.ID}} {{.Label "cofferdam.run"}}';
  const text = await askDocker(client, ['ps', '--all', '--no-trunc', '--filter', `label=${label}`, '--format', form]);
  const removed: string[] = [];
  for (const line of text.split('\n').filter((found) => found !== '')) {
    const [container = '', id = ''] = line.split(' ');
    if (!idPattern.test(id) || !/^[0-9a-f]{64}$/.test(container) || isLive(id)) continue;
    await askDocker(client, ['rm', '--force', '--volumes', container]).catch(() => undefined);
    removed.push(id);
  }
  return removed;
}

// The gate says that it let the program go. None of this asks the daemon, which may have ended.
const life: EngineLife = {
  isReady: (run) => existsSync(join(run.runDirectory, ownFolder, 'admitted')) && findInitInLeaf(run) !== undefined,
  signal: crunSignal(findInitInLeaf),
  enter: crunEnter(findInitInLeaf),
};

/** The engine with its daemon at the host's socket. */
export function dockerEngine(settings: EngineSettings): Engine {
  return {
    name: 'docker',
    probe: () => probe(settings),
    refuse: (profile, asking) => refuseImpossible('docker', profile, asking),
    import: (image, { path }, folder) => importImage({ path, socket: settings.docker.socket }, image, folder),
    command: (input) => command(input, settings),
    life,
    sweep: ({ path }, records, isLive) => sweep({ path, socket: settings.docker.socket }, records, isLive),
  };
}
