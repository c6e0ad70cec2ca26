// Owns gVisor: runsc, given our own bundle, run by nobody who is root of the host. The guest's kernel is a process, the sentry.
import { CofferdamError } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import type { Profile } from '../profile/schema.ts';
import { findRefusal } from './matrix.ts';
import { adaptSpec } from './runsc/adapt.ts';
import { runscLife } from './runsc/enter.ts';
import { findPlatform, flagsOf } from './runsc/platform.ts';
import { passed, renderInside, renderOutside, type ScriptInput, type Start } from './runsc/script.ts';
import { findTool, requireTool } from './tools.ts';
import type { Asking, Engine, EngineCommand, EngineInput, EngineProbe } from './types.ts';
import { type ShellWord, variable } from './words.ts';

const remedy = 'as root: apt-get install runsc; or use isolation: process';

/** `runsc version release-20240916.0` and `runsc version 0.0~20221219.0` → `20221219`; undefined when the text is another. */
export function parseRunscDate(text: string): string | undefined {
  return /^runsc version \S*?(20[0-9]{6})\b/.exec(text)?.[1];
}

const oldest = '20221219';

export async function probeRunsc(): Promise<EngineProbe> {
  const path = findTool('runsc');
  if (path === undefined) throw new CofferdamError('ENGINE_MISSING', 'runsc is not installed', { remedy });
  const { stdout } = await runTool(path, ['--version'], { timeoutMs: 60_000 });
  const date = parseRunscDate(stdout);
  if (date === undefined) throw new CofferdamError('ENGINE_MISSING', `${path} does not say its version`, { remedy });
  if (date < oldest)
    throw new CofferdamError('ENGINE_MISSING', `${path} is ${date}; ${oldest} or newer is needed`, { remedy });
  const platform = await findPlatform(path, date);
  return {
    path,
    version: `${date}+${platform}`,
    weaknesses: [
      ...(date === oldest
        ? ['runsc 20221219 does not know AT_NO_AUTOMOUNT: ls and stat of coreutils 9 fail with EINVAL']
        : []),
    ],
  };
}

/** The filter as executions load it; the section is what the sentry compiles. */
const filterName = 'run.oci.seccomp_bpf_data';

function cannot(field: string, why: string): CofferdamError {
  return new CofferdamError('ENGINE_CANNOT', `runsc cannot enforce ${field}: ${why}`, {
    remedy: 'use isolation: process, or see: sandbox engines',
  });
}

function refuse(profile: Profile, asking: Asking): void {
  const found = findRefusal('runsc', profile, asking);
  if (found !== undefined) throw cannot(found.field, found.why);
}

/** `start` says who starts runsc in its namespaces, where that is not the first process of them; `version` is runsc's own. */
export function runscCommand(
  { spec, profile, probe: found, planDirectory, helpers }: EngineInput,
  version: string,
  start?: (script: ScriptInput) => Start,
): EngineCommand {
  const [date = '', platform = ''] = version.split('+');
  const tools = {
    runsc: found.path,
    sh: requireTool('sh', 'dash'),
    unshare: requireTool('unshare', 'util-linux'),
    setpriv: requireTool('setpriv', 'util-linux'),
    mount: requireTool('mount', 'mount'),
    mkfifo: requireTool('mkfifo', 'coreutils'),
    mkdir: requireTool('mkdir', 'coreutils'),
    chmod: requireTool('chmod', 'coreutils'),
    base64: requireTool('base64', 'coreutils'),
    cat: requireTool('cat', 'coreutils'),
    id: requireTool('id', 'coreutils'),
    newuidmap: requireTool('newuidmap', 'uidmap'),
    newgidmap: requireTool('newgidmap', 'uidmap'),
  };
  const filter = spec.annotations[filterName];
  if (filter === undefined) throw new CofferdamError('SPEC_INVALID', `the spec has no annotation ${filterName}`);
  const { user } = spec.process;
  const script = {
    tools,
    planDirectory,
    helpers,
    filter,
    platform,
    flags: flagsOf(date),
    user,
    connects: profile.network.mode === 'proxy',
  };
  const words: ShellWord[] = [tools.sh, `${planDirectory}/runsc-outside`];
  return {
    writesConfig: true,
    config: adaptSpec(spec, { cannot }),
    appendsArguments: false,
    env: [],
    words: [...words, ...passed.map((name): ShellWord => [variable(name)])],
    files: { 'runsc-outside': renderOutside(script), 'runsc-inside': renderInside(script, start?.(script)) },
  };
}

/** `isolation: gvisor` of the default engine; no `engine:` of its own. */
export const runscEngine: Engine = {
  name: 'runsc',
  probe: probeRunsc,
  refuse,
  command: (input) => runscCommand(input, input.probe.version),
  life: runscLife,
};
