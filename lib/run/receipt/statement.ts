// Owns the form of a receipt: an in-toto Statement whose predicate says what one run was, what held it, how it ended.
import { z } from 'zod';
import { idPattern } from '../../base/ids.ts';

export const statementType = 'https://in-toto.io/Statement/v1';
/** Names the form of the predicate; nothing is fetched from it. Another form gets another number. */
export const predicateType = 'https://cofferdam.dev/receipt/v1';

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.strictObject({ sha256: hex });
/** What could not be recorded, and why: a missing key and an empty one never look alike. */
const absent = z.strictObject({ absent: z.string() });
const count = z.int().min(0);
const portNumber = z.int().min(1).max(65_535);
const moment = z.iso.datetime({ precision: 3 });

const limit = z.strictObject({
  file: z.string(),
  value: z.string(),
  /** swap: only where the kernel accounts swap; a host without that file and without swap has nothing to limit. */
  when: z.enum(['always', 'swap']),
});

const enforced = z.strictObject({
  /** Files of the run's own control group: written, and read back equal before the program was started. */
  limits: z.array(limit),
  /** Only where profile and host both permit best-effort: those that did not hold. The run went on without them. */
  lacking: z.array(limit),
  /** As the kernel was told by the runtime. */
  rlimits: z.array(z.strictObject({ type: z.string(), soft: count, hard: count })),
  namespaces: z.array(z.string()),
  capabilities: z.strictObject({
    bounding: z.array(z.string()),
    effective: z.array(z.string()),
    inheritable: z.array(z.string()),
    permitted: z.array(z.string()),
    ambient: z.array(z.string()),
  }),
  noNewPrivileges: z.boolean(),
  readOnlyRoot: z.boolean(),
  seccomp: digest,
  /** slot: host ids of its own, that no other live sandbox had. owner: the owner of a writable host folder. */
  userMap: z.enum(['slot', 'owner']),
  network: z.string(),
});

const artifacts = z.strictObject({
  count,
  bytes: count,
  /** sha256 over `SHA256 BYTES PATH\n` of every file in the order of the manifest. */
  listSha256: hex,
  refused: count,
  /** The first thousand. */
  files: z.array(z.strictObject({ path: z.string(), bytes: count, sha256: hex })).max(1000),
});

const predicate = z.strictObject({
  run: z.strictObject({
    id: z.string().regex(idPattern),
    taskId: z.string().nullable(),
    jobId: z.string().nullable(),
    labels: z.union([z.record(z.string(), z.string()), absent]),
  }),
  /** The supervisor's line of runs.log, or for a lost run the one that was made for it. */
  record: z.string().max(4096),
  /** Number of the audit line that names this receipt, and the hash of the line before it. */
  sequence: z.int().min(1),
  auditHead: hex,
  /** self: the key belongs to the uid that ran it. host, external: reserved for keys out of that uid's reach. */
  assurance: z.enum(['self', 'host', 'external']),
  digests: z.strictObject({
    profile: z.union([digest, absent]),
    policy: z.union([digest, absent]),
    plan: z.union([digest, absent]),
    spec: z.union([digest, absent]),
    image: z.union([digest, absent]),
    command: z.union([digest, absent]),
  }),
  names: z.strictObject({ profile: z.string().nullable(), image: z.string().nullable() }),
  artifacts: z.union([artifacts, absent]),
  enforced: z.union([enforced, absent]),
  timeoutMs: z.union([z.int().min(1), absent]),
  workspace: z.union([
    z.strictObject({
      mode: z.string(),
      setAsideCount: count,
      /** The first thousand. */
      setAside: z.array(z.strictObject({ path: z.string(), kept: z.string() })).max(1000),
    }),
    absent,
  ]),
  egress: z.union([
    z.strictObject({
      allowed: count,
      denied: count,
      hostFirewall: z.enum(['verified', 'drifted', 'absent']),
      /** network.allow, where the profile has it: the run reached none but these. */
      within: z.array(z.string()).max(200).optional(),
    }),
    absent,
  ]),
  /** Ports of the host that led into the sandbox, and where they were bound. Receipts of before they were recorded say nothing. */
  ports: z
    .union([
      z
        .array(z.strictObject({ name: z.string(), address: z.string(), port: portNumber, container: portNumber }))
        .max(64),
      absent,
    ])
    .optional(),
  times: z.strictObject({
    startedAt: moment.nullable(),
    endedAt: moment.nullable(),
    durationMs: z.int().nullable(),
    completedAt: moment,
  }),
  result: z.strictObject({
    status: z.enum(['completed', 'failed', 'timeout', 'oom', 'cancelled', 'refused', 'lost']),
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    reason: z.string(),
    stdoutBytes: count.nullable(),
    stderrBytes: count.nullable(),
    truncated: z.strictObject({ stdout: z.boolean(), stderr: z.boolean() }).nullable(),
    /** Whether a fork was refused because of the limit on processes. */
    pidsHit: z.boolean().nullable(),
  }),
  runtime: z.union([
    z.strictObject({
      engine: z.string(),
      path: z.string(),
      version: z.string(),
      weaknesses: z.union([z.array(z.string()), absent]),
    }),
    absent,
  ]),
  host: z.union([z.strictObject({ kernel: z.string(), cgroupVersion: z.union([z.literal(1), z.literal(2)]) }), absent]),
  cofferdam: z.string(),
});

export const statementSchema = z.strictObject({
  _type: z.literal(statementType),
  subject: z.tuple([z.strictObject({ name: z.string().regex(idPattern), digest })]),
  predicateType: z.literal(predicateType),
  predicate,
});

export type Statement = z.output<typeof statementSchema>;
export type Predicate = Statement['predicate'];
export type Enforced = z.output<typeof enforced>;
export type Limit = z.output<typeof limit>;
export type Absent = z.output<typeof absent>;
export type Digest = z.output<typeof digest>;

/** Whether a part of a receipt says only why it is not there. */
export function isAbsent(part: unknown): part is Absent {
  return typeof part === 'object' && part !== null && 'absent' in part;
}
