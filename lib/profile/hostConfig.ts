// Owns the ceiling of a host, /etc/cofferdam/config.yaml: what no user file, flag or variable can exceed.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { type FileOwner, readTextIfPresent } from '../base/files.ts';
import { parseStrict } from '../base/strict.ts';
import { type KeyPath, parseYaml } from '../base/yaml.ts';
import { absolutePath, duration, engineName, size } from './fields.ts';

const limits = z
  .strictObject({
    memory: size('16g', 'Most memory of one run.', 8 * 1024 ** 2),
    cpus: z.number().min(0.01).max(1024).default(64).describe('Most cores of one run.'),
    pids: z.int().min(4).max(65_536).default(4096).describe('Most processes and threads of one run.'),
    openFiles: z.int().min(16).max(1_048_576).default(65_536).describe('Most file descriptors of one process.'),
    fileSize: size('64g', 'Largest file a run may write.'),
    timeout: duration.prefault('24h').describe('Longest run.'),
    hostFreeDisk: size('1g', 'Free disk space below which nothing is started: the floor.', 0),
    bestEffort: z
      .boolean()
      .default(false)
      .describe('Whether profiles may say `enforce: best-effort`: run although a limit cannot be applied, and say so.'),
  })
  .prefault({})
  .describe('Most that one run may be given.');

const engines = z
  .strictObject({
    nerdctl: z
      .strictObject({
        client: absolutePath.optional().describe("Path of nerdctl. Default: the one in the system's folders."),
        socket: absolutePath.default('/run/containerd/containerd.sock').describe('Socket of containerd.'),
        dataRoot: absolutePath
          .default('/run/cofferdam/nerdctl')
          .describe("Folder of what nerdctl keeps of a container of root's while it runs."),
        rootlesskit: absolutePath
          .default('/run/user/%U/containerd-rootless')
          .describe("State folder of the rootlesskit around a plain user's own containerd; %U is their uid."),
      })
      .prefault({})
      .describe("nerdctl with containerd. CONTAINERD_ADDRESS and nerdctl's own configuration are not read."),
    docker: z
      .strictObject({ socket: absolutePath.default('/run/docker.sock').describe('Socket of the daemon.') })
      .prefault({})
      .describe("Docker. DOCKER_HOST and the client's own configuration are not read."),
  })
  .prefault({})
  .describe('Where the daemons of engines are.');

export const hostConfigSchema = z
  .strictObject({
    engine: engineName.describe(
      'Engine of profiles that name none. Default best: the first of the others that answers.',
    ),
    engines,
    limits,
    workspaceModes: z
      .array(z.enum(['scratch', 'ro', 'rw', 'copy']))
      .default(['scratch', 'ro', 'rw', 'copy'])
      .describe('Workspace modes that may be used. scratch, which holds nothing of the host, always may.'),
    mountRoots: z
      .array(absolutePath)
      .default([])
      .describe('Host folders below which profiles may mount. Default none. rw mounts also need rw in workspaceModes.'),
    requireImageDigest: z.boolean().default(false).describe('Whether a profile must pin the digest of its image.'),
    allowUserProfiles: z
      .boolean()
      .default(true)
      .describe('Whether profiles of users (their folder, or a path) may be used beside those of host and package.'),
    allowUserPolicy: z
      .boolean()
      .default(true)
      .describe(
        'Whether the firewall.yaml of a user says what their sandboxes may reach. If not, the one beside this file does.',
      ),
    egress: z
      .enum(['auto', 'system'])
      .default('auto')
      .describe(
        'Whose daemon lets sandboxes out. system: that of the host alone, by the host’s policy, whatever allowUserPolicy says. auto: that one where set-up prepared it for the caller and the policy is the host’s, else one of the caller’s own.',
      ),
    approvals: z
      .enum(['reject_all', 'prompt', 'approve_all'])
      .default('prompt')
      .describe(
        'Most that happens to refused requests of profiles with `onDeny: ask`: none is held, a person is asked, or each is granted for 15 minutes.',
      ),
    maxArtifactBytes: size('4g', 'Most bytes that are copied out of one run.', 0),
    maxOutputBytes: size('256m', 'Most bytes kept of each captured stream.', 0),
  })
  .describe('The ceiling of a Cofferdam host.');

export interface HostConfig extends z.output<typeof hostConfigSchema> {
  /** Where it is, or would be. */
  readonly file: string;
  readonly present: boolean;
  /** Uid that owns this file and the host's profiles. */
  readonly owner: number;
  /** `file:line:column` of a key, or the file when the built-in ceiling holds. */
  where(path: KeyPath): string;
}

/** Why somebody other than `owner` may decide what stands in a file, or undefined. */
export function distrustOthers(owner: number): (found: FileOwner) => string | undefined {
  return ({ uid, mode }) => {
    if (uid !== owner) return `it belongs to uid ${uid}, not to ${owner}`;
    if ((mode & 0o022) !== 0) return `others may write to it (mode ${mode.toString(8)}); chmod go-w`;
    return undefined;
  };
}

function checkFolder(folder: string, owner: number): void {
  try {
    const found = statSync(folder);
    const reason = distrustOthers(owner)({ uid: found.uid, mode: found.mode & 0o7777 });
    if (reason !== undefined) throw new Error(reason);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return;
    throw new CofferdamError('CONFIG_UNREADABLE', `cannot trust ${folder}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * The ceiling in `file`; where there is no file, the built-in one (the defaults of `hostConfigSchema`). Throws
 * CONFIG_UNREADABLE when the file or its folder belongs to anybody but `owner` (root) or others may write to it: who can
 * delete the file can raise the ceiling. Throws YAML_INVALID and CONFIG_INVALID as every configuration does.
 */
export function loadHostConfig(file: string, owner = 0): HostConfig {
  checkFolder(dirname(file), owner);
  const text = readTextIfPresent(file, 1 << 20, distrustOthers(owner));
  if (text === undefined) {
    return { ...hostConfigSchema.parse({}), file, present: false, owner, where: () => `${file} (built-in ceiling)` };
  }
  const document = parseYaml(text, file);
  const config = parseStrict(hostConfigSchema, document);
  return { ...config, file, present: true, owner, where: (path) => document.where(path) };
}
