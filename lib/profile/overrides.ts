// Owns what a command line may change of a profile: parsed with the profile's own schema, held to the host's ceiling.
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { findFaults, keyText } from '../base/strict.ts';
import type { KeyPath } from '../base/yaml.ts';
import { holdToCeiling } from './ceiling.ts';
import { refuseUnenforced } from './enforced.ts';
import { checkEnvironment } from './environment.ts';
import type { HostConfig } from './hostConfig.ts';
import type { LoadedProfile } from './load.ts';
import { toPairs } from './pairs.ts';
import { mostPorts, type Profile, profileSchema } from './schema.ts';

/** As the words stand on the command line. */
export interface Overrides {
  readonly memory?: string | undefined;
  readonly cpus?: string | undefined;
  readonly pids?: string | undefined;
  readonly timeout?: string | undefined;
  readonly engine?: string | undefined;
  /** `process` or `gvisor`. */
  readonly isolation?: string | undefined;
  /** `NAME=value`, each; the last of one name holds. A bare NAME is refused: nothing is taken from our environment. */
  readonly env?: readonly string[] | undefined;
  /** `none` or `proxy`. */
  readonly network?: string | undefined;
  /** The tool whose egress rules apply. */
  readonly tool?: string | undefined;
  /** The mode of `--workspace DIR:mode`. */
  readonly workspace?: string | undefined;
  /** `[NAME:|PORT:]CONTAINER`, each; beside the profile's own. */
  readonly publish?: readonly string[] | undefined;
  /** `name=value`, each. */
  readonly labels?: readonly string[] | undefined;
}

const flagOf: Readonly<Record<string, string>> = {
  'limits.memory': '--memory',
  'limits.cpus': '--cpus',
  'limits.pids': '--pids',
  'limits.timeout': '--timeout',
  engine: '--engine',
  isolation: '--isolation',
  env: '--env',
  'workspace.mode': '--workspace',
  'network.mode': '--network',
  'network.principal': '--tool',
  ports: '--publish',
  labels: '--label',
};

function flagAt(path: KeyPath): string | undefined {
  return flagOf[keyText(path)] ?? flagOf[keyText(path.slice(0, 1))];
}

function toNumber(text: string, flag: string): number {
  // Number() also reads "", "0x10", "1e9" and " 1 ".
  if (!/^[0-9]{1,9}(\.[0-9]{1,6})?$/.test(text)) {
    throw new CofferdamError('VALUE_INVALID', `${flag}: "${printable(text, 80)}" is not a number`, {
      remedy: `write it as ${flag} 2`,
    });
  }
  return Number(text);
}

// Before the colon a port of the host, or the name of a registration: no name is digits alone.
function toPort(word: string): Profile['ports'][number] {
  const [, before, container = ''] = /^(?:([^:]*):)?([0-9]{1,5})$/.exec(word) ?? [];
  if (container === '') {
    const remedy = 'write it as --publish 8000, --publish 8080:8000 or --publish NAME:8000';
    throw new CofferdamError('VALUE_INVALID', `--publish: "${printable(word, 120)}" is no port`, { remedy });
  }
  const host = before !== undefined && /^[0-9]{1,5}$/.test(before) ? Number(before) : undefined;
  return {
    container: Number(container),
    host: host ?? 0,
    ...(before === undefined || host !== undefined ? {} : { name: before }),
  };
}

/** The flags as keys of a profile. */
function toKeys(flags: Overrides) {
  const limits = {
    ...(flags.memory === undefined ? {} : { memory: flags.memory }),
    ...(flags.cpus === undefined ? {} : { cpus: toNumber(flags.cpus, '--cpus') }),
    ...(flags.pids === undefined ? {} : { pids: toNumber(flags.pids, '--pids') }),
    ...(flags.timeout === undefined ? {} : { timeout: flags.timeout }),
  };
  return {
    limits,
    env: toPairs(flags.env ?? [], '--env', 'ENV_INVALID'),
    labels: toPairs(flags.labels ?? [], '--label', 'VALUE_INVALID'),
    ports: (flags.publish ?? []).map(toPort),
    ...(flags.engine === undefined ? {} : { engine: flags.engine }),
    ...(flags.isolation === undefined ? {} : { isolation: flags.isolation }),
    ...(flags.workspace === undefined ? {} : { workspace: { mode: flags.workspace } }),
    network: {
      ...(flags.network === undefined ? {} : { mode: flags.network }),
      ...(flags.tool === undefined ? {} : { principal: flags.tool }),
    },
  };
}

/**
 * The profile with the flags over it. Pure. Flags may exceed the profile, never the host's ceiling: HOST_FORBIDS names
 * the flag and the ceiling. Throws VALUE_INVALID naming the flag, ENGINE_UNKNOWN, ENV_INVALID, ENV_SECRET (never with the value),
 * NOT_YET_ENFORCED.
 */
export function applyOverrides(
  loaded: Pick<LoadedProfile, 'profile' | 'where'>,
  flags: Overrides,
  ceiling: HostConfig,
): Profile {
  const keys = toKeys(flags);
  checkEnvironment(keys.env, () => '--env ');
  const parsed = profileSchema.safeParse(keys);
  if (!parsed.success) {
    const faults = findFaults(parsed.error, profileSchema, keys);
    const lines = faults.map(({ path, text }) => `${flagAt(path) ?? keyText(path)}: ${printable(text, 300)}`);
    const code = faults[0]?.path[0] === 'engine' ? 'ENGINE_UNKNOWN' : 'VALUE_INVALID';
    throw new CofferdamError(code, lines[0] ?? 'a flag is invalid', { details: lines });
  }
  const asked = parsed.data;
  refuseUnenforced({ profile: asked, where: (path) => flagAt(path) ?? keyText(path) });
  const { profile } = loaded;
  if (flags.isolation === 'process' && profile.isolation === 'gvisor') {
    throw new CofferdamError('VALUE_INVALID', '--isolation: process is looser than the gvisor of the profile', {
      remedy: 'leave --isolation out, or choose another profile',
    });
  }
  const given = <T>(flag: string | undefined, value: T, otherwise: T) => (flag === undefined ? otherwise : value);
  const changed: Profile = {
    ...profile,
    engine: given(flags.engine, asked.engine, profile.engine),
    isolation: given(flags.isolation, asked.isolation, profile.isolation),
    env: { ...profile.env, ...asked.env },
    labels: { ...profile.labels, ...asked.labels },
    network: {
      ...profile.network,
      mode: given(flags.network, asked.network.mode, profile.network.mode),
      principal: given(flags.tool, asked.network.principal, profile.network.principal),
    },
    ports: [...profile.ports, ...asked.ports],
    workspace: { ...profile.workspace, mode: given(flags.workspace, asked.workspace.mode, profile.workspace.mode) },
    limits: {
      ...profile.limits,
      memory: given(flags.memory, asked.limits.memory, profile.limits.memory),
      cpus: given(flags.cpus, asked.limits.cpus, profile.limits.cpus),
      pids: given(flags.pids, asked.limits.pids, profile.limits.pids),
      timeout: given(flags.timeout, asked.limits.timeout, profile.limits.timeout),
    },
  };
  if (changed.ports.length > mostPorts)
    throw new CofferdamError('VALUE_INVALID', `--publish: with those of the profile more than ${mostPorts} ports`);
  return holdToCeiling(changed, ceiling, (path) => flagAt(path) ?? loaded.where(path)).profile;
}
