// Owns the podman engine: the same spec as crun gets, lowered to flags, run in namespaces that end with the supervisor.
import { CofferdamError } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { crunEngine } from './crun.ts';
import { crunEnter, crunSignal } from './enter.ts';
import { engineSeccomp } from './flags/seccomp.ts';
import { findInitInLeaf, seekInit } from './inits.ts';
import { engineCannot, refuseImpossible } from './matrix.ts';
import { renderContainersConf, renderStorageConf } from './podman/config.ts';
import { lowerSpec } from './podman/lower.ts';
import { renderRuntime } from './podman/runtime.ts';
import { renderInside, renderOutside, terminalRuntime } from './podman/script.ts';
import { findTool, requireTool } from './tools.ts';
import type { Engine, EngineCommand, EngineInput, EngineProbe } from './types.ts';
import { type ShellWord, variable } from './words.ts';

/** `podman version 4.3.1` → [4, 3, 1]; undefined when the text is another. */
export function parsePodmanVersion(text: string): [number, number, number] | undefined {
  const match = /^podman version ([0-9]+)\.([0-9]+)(?:\.([0-9]+))?/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

/** The client alone: its path, and its version as text. Throws ENGINE_MISSING. */
export async function probeClient(): Promise<{ readonly path: string; readonly version: string }> {
  const path = findTool('podman');
  const remedy = 'apt-get install podman, or use --engine crun';
  if (path === undefined) throw new CofferdamError('ENGINE_MISSING', 'podman is not installed', { remedy });
  // As root of a user namespace: as a plain user it makes folders in HOME and /tmp only to say its version.
  const inside = ['--user', '--map-root-user', path, '--version'];
  const options = { timeoutMs: 60_000, env: { HOME: '/' } };
  const { stdout } = await runTool(requireTool('unshare', 'util-linux'), inside, options);
  const version = parsePodmanVersion(stdout);
  if (version === undefined) throw new CofferdamError('ENGINE_MISSING', `${path} does not say its version`, { remedy });
  const [major, minor] = version;
  if (major < 4 || (major === 4 && minor < 3)) {
    throw new CofferdamError('ENGINE_MISSING', `${path} is ${version.join('.')}; 4.3 or newer is needed`, { remedy });
  }
  return { path, version: version.join('.') };
}

async function probe(): Promise<EngineProbe> {
  const { path, version } = await probeClient();
  // podman leaves the container to a runtime, and we name it: what is wrong with crun is wrong here too.
  const crun = await crunEngine.probe();
  return { path, version: `${version}+crun.${crun.version}`, weaknesses: crun.weaknesses };
}

const cannot = (field: string, why: string) => engineCannot('podman', field, why, ['crun']);

const passed = [
  'run_dir',
  'id',
  'task',
  'job',
  'workspace',
  'way_out',
  'root_uid',
  'root_gid',
  'program_uid',
  'program_gid',
  'terminal',
] as const;

function command({ spec, probe: found, planDirectory }: EngineInput): EngineCommand {
  const lowered = lowerSpec(spec, { cannot });
  const tools = {
    podman: found.path,
    crun: requireTool('crun', 'crun'),
    conmon: requireTool('conmon', 'conmon'),
    sh: requireTool('sh', 'dash'),
    unshare: requireTool('unshare', 'util-linux'),
    setpriv: requireTool('setpriv', 'util-linux'),
    mount: requireTool('mount', 'mount'),
    findmnt: requireTool('findmnt', 'util-linux'),
    ln: requireTool('ln', 'coreutils'),
    mkdir: requireTool('mkdir', 'coreutils'),
    id: requireTool('id', 'coreutils'),
  };
  const script = { tools, planDirectory, variables: passed };
  const words: ShellWord[] = [tools.sh, `${planDirectory}/podman-outside`];
  return {
    // For what enters later (enter.ts); podman itself gets flags.
    writesConfig: true,
    appendsArguments: true,
    supervision: seekInit,
    env: [],
    words: [...words, ...passed.map((name): ShellWord => [variable(name)])],
    files: {
      'podman-outside': renderOutside(script),
      'podman-inside': renderInside({ ...script, ...lowered }),
      'containers.conf': renderContainersConf({
        conmon: tools.conmon,
        runtimes: { crun: tools.crun, [terminalRuntime]: `/tmp/plan/${terminalRuntime}` },
      }),
      'storage.conf': renderStorageConf(),
      'seccomp.json': `${JSON.stringify(engineSeccomp(spec.linux.seccomp), null, 1)}\n`,
    },
    programs: { [terminalRuntime]: renderRuntime(tools) },
  };
}

export const podmanEngine: Engine = {
  name: 'podman',
  probe,
  refuse: (profile, asking) => refuseImpossible('podman', profile, asking),
  command,
  life: {
    isReady: (run) => findInitInLeaf(run) !== undefined,
    signal: crunSignal(findInitInLeaf),
    enter: crunEnter(findInitInLeaf),
  },
};
