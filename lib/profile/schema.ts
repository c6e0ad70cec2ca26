// Owns the keys of a profile: type, default, unit, meaning. `sandbox profile schema` and docs/profile.md are made from it.
import { z } from 'zod';
import { environmentName } from './environment.ts';
import {
  absolutePath,
  digest,
  duration,
  engineName,
  id,
  insidePath,
  mountTarget,
  name,
  size,
  sizeFrom,
} from './fields.ts';

const image = z
  .union(
    [
      name.transform((only) => ({ name: only, digest: undefined })),
      z.strictObject({
        name: name.describe('Name of the image.'),
        digest: digest.optional().describe('Digest the image must have. Default: any that the registry allows.'),
      }),
    ],
    'must be the name of an image, or {name, digest}',
  )
  .prefault('base-tools')
  .describe('Image by name, or `{name, digest}` to pin it. Default base-tools: the smallest.');

const user = z
  .strictObject({
    uid: id.default(65532).describe('User id inside. Default 65532: no package uses it.'),
    gid: id.default(65532).describe('Group id inside.'),
  })
  .prefault({})
  .describe('Who the program is inside. Never root.');

const workspace = z
  .strictObject({
    mode: z
      .enum(['scratch', 'ro', 'rw', 'copy', 'task'])
      .default('scratch')
      .describe(
        'What /workspace is: an empty tmpfs, a host folder read-only, the folder itself, a copy of it, or shared by a task. Default scratch: nothing of the host.',
      ),
    size: size('1g', 'Size of a scratch workspace, charged to memory. Default 1g: room for a build.'),
    inodes: z
      .int()
      .min(16)
      .max(10_000_000)
      .default(262_144)
      .describe('Files and folders in a scratch workspace. Default: room for node_modules.'),
  })
  .prefault({})
  .describe('The folder /workspace.');

const artifacts = z
  .strictObject({
    paths: z.array(insidePath).max(16).default(['/artifacts']).describe('Folders that are collected after the run.'),
    size: size('64m', 'Size of the artifacts tmpfs, charged to memory.'),
    maxCount: z.int().min(0).max(100_000).default(1000).describe('Files that are copied out at the most.'),
    maxBytes: size('64m', 'Bytes that are copied out at the most.', 0),
    maxDepth: z.int().min(1).max(64).default(16).describe('Folders in folders.'),
  })
  .prefault({})
  .describe('What is copied out of the sandbox when the caller names a folder for it.');

const tmpfs = z
  .strictObject({
    tmp: size('64m', 'Size of /tmp, and of shared memory (both nosuid, nodev, noexec).'),
    run: size('16m', 'Size of /run. On crun and nerdctl shared memory lies in it, and it holds both.'),
    inodes: z.int().min(16).max(10_000_000).default(16_384).describe('Files and folders in each.'),
  })
  .prefault({})
  .describe('The other writable places; all are charged to memory.');

const mount = z.strictObject({
  source: absolutePath.describe('Host path; it must lie below a root that the host configuration lists.'),
  target: mountTarget.describe('Path inside.'),
  mode: z.enum(['ro', 'rw']).default('ro').describe('Default ro; rw is for folders only.'),
});

const limits = z
  .strictObject({
    memory: size('2g', 'Memory and swap together. Default 2g: compilers need it.', 8 * 1024 ** 2),
    cpus: z
      .number()
      .min(0.01)
      .max(1024)
      .default(2)
      .describe('Processor time in cores. Default 2: leaves a laptop usable.'),
    pids: z
      .int()
      .min(4)
      .max(65_536)
      .default(256)
      .describe('Processes and threads. Default 256: stops a fork bomb, lets a build run.'),
    io: z
      .strictObject({
        readBytesPerSecond: sizeFrom(4096).optional().describe('Reading, for each device. Default: no bound.'),
        writeBytesPerSecond: sizeFrom(4096).optional().describe('Writing, for each device. Default: no bound.'),
      })
      .optional()
      .describe('Throughput of block devices.'),
    openFiles: z
      .int()
      .min(16)
      .max(1_048_576)
      .default(1024)
      .describe('File descriptors of one process (RLIMIT_NOFILE).'),
    fileSize: size('1g', 'Largest file (RLIMIT_FSIZE).'),
    timeout: duration.prefault('10m').describe('Wall-clock time, by the monotonic clock.'),
    idle: duration.optional().describe('Longest time without any output. Default: none.'),
    enforce: z
      .enum(['strict', 'best-effort'])
      .default('strict')
      .describe(
        'strict: a limit that does not read back as written stops the run before the program starts. best-effort: it is said and recorded; the host must permit it.',
      ),
  })
  .prefault({})
  .describe('What the run may use.');

const output = z
  .strictObject({
    stdout: size('1m', 'Bytes kept of captured stdout.', 0),
    stderr: size('1m', 'Bytes kept of captured stderr.', 0),
  })
  .prefault({})
  .describe('Bounds of captured output (--json, library, worker); output passed straight on is not cut.');

const environment = z
  .record(
    z.string().regex(environmentName, 'not a variable name'),
    z
      .string()
      .max(32_768)
      .regex(/^[^\0]*$/, 'holds a NUL'),
  )
  .default({});

/** What one message of the way out has room for. */
const mostAllowed = 200;

const network = z
  .strictObject({
    mode: z
      .enum(['none', 'proxy', 'bridge'])
      .default('none')
      .describe(
        'none: loopback only, no route at all. proxy: the same, and a proxy on 127.0.0.1:3128 that lets out what firewall.yaml allows.',
      ),
    principal: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe('The tool whose egress rules apply, such as web.search@v1, beside those of the profile. Default none.'),
    offlineEnv: environment.describe(
      'Environment variables with mode none only, such as those by which a package manager does not even try.',
    ),
    allow: z
      .array(z.string().max(255))
      .min(1, 'must name a host; for none write mode: none')
      .max(mostAllowed)
      .optional()
      .describe(
        'Hosts that its runs may reach, of those that firewall.yaml allows; it adds none. Default: all that firewall.yaml allows.',
      ),
    onDeny: z.enum(['fail', 'ask']).default('fail').describe('What a refused request does.'),
  })
  .prefault({})
  .describe('The way out.');

/** What the supervisor takes (lib/run/native/options.h). */
export const mostPorts = 16;

export const profileSchema = z
  .strictObject({
    extends: name.optional().describe('Another profile; this one may only tighten it.'),
    description: z.string().max(500).default('').describe('One line for people.'),
    image,
    engine: engineName.describe(
      'What starts the container. Default best: what the host configuration says, or the first of the others that answers.',
    ),
    isolation: z
      .enum(['process', 'gvisor'])
      .default('process')
      .describe('process: namespaces and seccomp; gvisor: a kernel in user space too.'),
    user,
    workdir: absolutePath.default('/workspace').describe('Where the program starts.'),
    env: environment.describe('Environment variables. Values that look like secrets are refused.'),
    workspace,
    artifacts,
    tmpfs,
    mounts: z.array(mount).max(32).default([]).describe('Further host folders and files.'),
    limits,
    output,
    network,
    services: z
      .array(
        z.strictObject({
          name: name.describe('Which service of the host.'),
          port: z.int().min(1).max(65_535).describe('Port on the loopback inside.'),
        }),
      )
      .default([])
      .describe('Host endpoints that keep the credentials.'),
    ports: z
      .array(
        z.strictObject({
          container: z.int().min(1).max(65_535).describe('TCP port that the program listens on, at 127.0.0.1.'),
          host: z
            .int()
            .min(0)
            .max(65_535)
            .default(0)
            .describe('Port of the host; it must be registered for the name. Default 0: that of the name.'),
          name: z
            .string()
            .max(80)
            .regex(/^(?![0-9]+$)[a-z0-9][a-z0-9._-]*$/, 'not a name; lower-case letters, digits, ".", "_", "-"')
            .optional()
            .describe('Name of the registration. Default: SANDBOX.CONTAINER, for `run` PROFILE.CONTAINER.'),
        }),
      )
      .max(mostPorts)
      .default([])
      .describe('Ports published on the host, as ports.yaml lets them: docs/ports.md.'),
    seccomp: z.enum(['default']).default('default').describe('The syscall filter. There is no way to switch it off.'),
    labels: z
      .record(z.string().regex(/^[a-z0-9][a-z0-9._/-]{0,62}$/, 'not a label name'), z.string().max(256))
      .default({})
      .describe('For people and for filters; nothing is decided by them.'),
  })
  .describe('A Cofferdam profile: what a sandbox is.');

/** A resolved profile: every key present, sizes in bytes, durations in ms. */
export type Profile = z.output<typeof profileSchema>;
/** What stands in a file. */
export type ProfileFile = z.input<typeof profileSchema>;
