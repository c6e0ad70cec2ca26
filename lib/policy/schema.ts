// Owns the keys of firewall.yaml: type, default, unit, meaning. What each rule means stands in decide.ts.
import { isIP } from 'node:net';
import { z } from 'zod';
import { formatSize, parseSize, sizePattern } from '../base/units.ts';
import { type Network, readNetwork } from './address.ts';
import { type ParentProxy, readParentProxy } from './parentProxy.ts';
import { type Pattern, readPattern } from './pattern.ts';

const mostBytes = 64 * 1024 ** 4;

const host = z.string('must be a host pattern in quotes').transform((text, context): Pattern => {
  const reading = readPattern(text);
  if (reading.fault === undefined) return reading.pattern;
  context.addIssue({ code: 'custom', message: reading.fault });
  return z.NEVER;
});

const network = z.string().transform((text, context): Network => {
  const reading = readNetwork(text);
  if (reading.fault === undefined) return reading.network;
  context.addIssue({ code: 'custom', message: reading.fault });
  return z.NEVER;
});

const parentProxy = z.string().transform((text, context): ParentProxy => {
  const { parent, fault } = readParentProxy(text);
  if (parent !== undefined) return parent;
  context.addIssue({ code: 'custom', message: fault });
  return z.NEVER;
});

const count = (most: number) => z.int().min(0).max(most);

const bytes = z
  .string('not a size; write it as 512k, 64m or 2g (powers of 1024)')
  .regex(sizePattern, { error: 'not a size; write it as 512k, 64m or 2g (powers of 1024)', abort: true })
  .transform((text, context) => {
    // parseSize() throws for what no number holds; a transform that throws would lose the line.
    const value = text.length > 12 ? Number.POSITIVE_INFINITY : parseSize(text);
    if (value <= mostBytes) return value;
    context.addIssue({ code: 'custom', message: `must be at most ${formatSize(mostBytes)}` });
    return z.NEVER;
  });

const amounts = z
  .strictObject({
    connections: count(1_000_000).optional().describe('New connections.'),
    requests: count(10_000_000).optional().describe('HTTP requests and tunnels.'),
    bytes: bytes.optional().describe('Bytes in both directions together.'),
  })
  .prefault({});

export const limitsSchema = z.strictObject({
  atOnce: count(10_000).optional().describe('Connections open at the same time.'),
  perRun: amounts.describe('From the start of a run to its end.'),
  perMinute: amounts.describe('In any minute.'),
});

/** What holds where firewall.yaml says nothing: room for installing a project, not for copying a disk out. */
export const builtInLimits = {
  atOnce: 64,
  perRun: { connections: 10_000, requests: 50_000, bytes: 4 * 1024 ** 3 },
  perMinute: { connections: 1000, requests: 5000, bytes: 1024 ** 3 },
} as const;

const privateException = z.strictObject({
  host: host.describe('Names that may resolve to private addresses. It allows nothing by itself.'),
  addresses: z.array(network).min(1).max(64).describe('The networks they may resolve to.'),
});

const scope = z
  .strictObject({
    allow: z.array(host).max(10_000).default([]).describe('Hosts that may be reached. Default and empty: none.'),
    deny: z.array(host).max(10_000).default([]).describe('Hosts that may not, whatever allows them.'),
    private: z.array(privateException).max(1000).default([]).describe('Private addresses by exception.'),
    limits: limitsSchema.prefault({}).describe('Bounds; of several scopes the smallest holds.'),
  })
  .prefault({});

const profileName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'not the name of a profile (lower-case letters, digits, ".", "_", "-")');
const toolId = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}(?:@[a-z0-9][a-z0-9._-]{0,31})?$/,
    'not the id of a tool, such as web.search@v1 (lower-case letters, digits, ".", "_", "-")',
  );

const grant = z
  .strictObject({
    host: host.describe('What may be reached until then.'),
    tool: toolId.optional().describe('By which tool; neither tool nor profile: by all.'),
    profile: profileName.optional().describe('By which profile.'),
    until: z.iso
      .datetime({ offset: true, error: 'not a time such as 2026-01-31T12:00:00Z' })
      .transform((text) => Date.parse(text))
      .describe('When it ends by the wall clock.'),
    boot: z
      .string()
      .regex(/^[0-9a-f-]{36}@[0-9]{1,12}$/, 'not BOOT-ID@SECONDS')
      .optional()
      .describe('When it ends by the clock of one boot, BOOT-ID@SECONDS; it ends with that boot in any case.'),
  })
  .refine(({ tool, profile }) => tool === undefined || profile === undefined, 'names a tool and a profile; name one');

export const policySchema = z.strictObject({
  mode: z
    .enum(['scoped', 'strict'])
    .default('scoped')
    .describe('What the host firewall governs: sandboxes and proxy alone, or (strict) the whole host.'),
  approvals: z
    .enum(['reject_all', 'prompt', 'approve_all'])
    .default('prompt')
    .describe('What happens to requests that `onDeny: ask` holds; never more than the host configuration permits.'),
  sni: z
    .enum(['off', 'strict'])
    .default('off')
    .describe('strict: a tunnel must begin with TLS for a name that is allowed. Nothing is decrypted.'),
  parentProxy: parentProxy.optional().describe('A proxy that ours goes through, http://HOST:PORT. Default: none.'),
  environmentProxy: z
    .boolean()
    .default(false)
    .describe('Whether https_proxy and its like, in the environment of who starts the proxy, choose another.'),
  dns: z
    .strictObject({
      servers: z
        .array(z.string().refine((text) => isIP(text) !== 0 && !text.includes('%'), 'is not an IP address'))
        .max(8)
        .default([])
        .describe('Servers that the proxy asks. Default: those of the host.'),
    })
    .prefault({})
    .describe('Resolving names; sandboxes themselves never do.'),
  global: scope.describe('What holds for every sandbox.'),
  profiles: z.record(profileName, scope).default({}).describe('By profile.'),
  tools: z.record(toolId, scope).default({}).describe('By tool.'),
  grants: z
    .array(grant)
    .max(1000)
    .default([])
    .describe('What is allowed for a time; `firewall allow --for` writes it.'),
});

export type PolicyFile = z.output<typeof policySchema>;
export type ScopeFile = z.output<typeof scope>;
export type GrantFile = z.output<typeof grant>;
export type LimitsFile = z.output<typeof limitsSchema>;
/** The names that may stand in `tools` and `profiles`. */
export const scopeNames = { tool: toolId, profile: profileName } as const;
