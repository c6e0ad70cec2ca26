// Owns the keys of ports.yaml: type, default, meaning. What a registration permits stands in resolve.ts.
import { isIP } from 'node:net';
import { z } from 'zod';

/** An assigned name holds the sandbox's and a port: `work.8000`. Not digits alone: `--publish 8080:80` means a port. */
const registrationName = z
  .string()
  .max(80)
  .regex(
    /^(?![0-9]+$)[a-z0-9][a-z0-9._-]*$/,
    'not a name (lower-case letters, digits, ".", "_", "-"; not digits alone)',
  );

const account = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'not the name of an account');

// One spelling for each address, as node:net and the kernel write it, so that two entries for one address are seen.
const address = z.string().refine((text) => {
  if (isIP(text) === 4) return true;
  return isIP(text) === 6 && !text.includes('%') && new URL(`http://[${text}]`).hostname === `[${text}]`;
}, 'is not an IP address in its shortest form');

export const protocols = ['tcp', 'udp'] as const;

const port = z.int().min(1).max(65_535);

const range = z
  .strictObject({
    first: z.int().min(1024).max(65_535).describe('First port.'),
    last: z.int().min(1024).max(65_535).describe('Last port, included.'),
  })
  .refine(({ first, last }) => first <= last, 'ends before it begins');

const service = z.strictObject({
  name: registrationName.describe('Name of the service, or of a sandbox: NAME.PORT-INSIDE.'),
  port: port.describe('Port of the host.'),
  address: address.default('127.0.0.1').describe('Where it may listen. Default: this host alone can reach it.'),
  protocol: z.enum(protocols).default('tcp').describe('tcp or udp; sandboxes publish tcp.'),
  owner: account.optional().describe('Account whose processes may bind it. Default: whose file this is.'),
  about: z.string().max(200).optional().describe('For people.'),
});

const assigned = z.strictObject({
  name: registrationName.describe('Whose port it is.'),
  port: port.describe('Port of the host, of one of the ranges.'),
});

export const portsSchema = z.strictObject({
  ranges: z
    .array(range)
    .max(64)
    .default([])
    .describe('From these a port is assigned by itself, on 127.0.0.1. Default and empty: none is.'),
  services: z.array(service).max(10_000).default([]).describe('What a person registered.'),
  assigned: z
    .array(assigned)
    .max(10_000)
    .default([])
    .describe('What was assigned; `sandbox ports allocate` writes it.'),
});

export type PortsFile = z.output<typeof portsSchema>;
export type Protocol = (typeof protocols)[number];
export type PortRange = PortsFile['ranges'][number];
/** What may be called how. */
export const portNames = { registration: registrationName, account, address } as const;
