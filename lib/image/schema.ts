// Owns the shape of image.yaml: what an image is made of and what it promises to hold.
import { z } from 'zod';

/** Image names: also folder names and registry keys, so no dots, no slashes, no upper case. */
export const imageNamePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const digestPattern = /^sha256:[0-9a-f]{64}$/;

const word = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/, 'must be one word of letters, digits and . _ + -');
const debianPackage = z
  .string()
  .regex(/^[a-z0-9][a-z0-9+.-]{1,99}$/, 'must be the name of a Debian package, without a version');
const pypiRequirement = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}==[0-9][A-Za-z0-9.+!]{0,63}$/, 'must be name==version');

export const capabilitiesSchema = z.strictObject({
  runtimes: z.array(word).default([]).describe('Language runtimes, as the program that starts them: python3, node.'),
  tools: z
    .array(word)
    .default([])
    .describe('Programs that must be on PATH and answer; the contract check starts each.'),
  network_requirements: z
    .array(word)
    .default([])
    .describe('Hosts or services without which the image is of no use. Empty: works with network none.'),
  filesystem_requirements: z
    .array(z.string().regex(/^\/[A-Za-z0-9._/-]{0,199}$/, 'must be an absolute path'))
    .default([])
    .describe('Paths a profile must leave writable.'),
  agent_compatible: z.boolean().default(true).describe('Whether an agent may be offered this image.'),
});

export const npmPackageSchema = z.strictObject({
  package: z
    .string()
    .regex(/^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]{0,99}@[0-9][A-Za-z0-9.+-]{0,63}$/, 'must be name@version'),
  // An npm package that carries a runtime is laid over /usr/local; others become a global module with their bins.
  layout: z.enum(['prefix', 'module']).default('module').describe('prefix: over /usr/local. module: a global module.'),
  arch: z.enum(['amd64', 'arm64']).optional().describe('Only on this Debian architecture; default all.'),
});

export const imageSchema = z.strictObject({
  name: z.string().regex(imageNamePattern, 'must be lower-case letters, digits and "-"'),
  version: z.string().regex(/^[0-9]+\.[0-9]+\.[0-9]+$/, 'must be major.minor.patch'),
  description: z.string().min(1).max(200),
  base: z.strictObject({
    // Stable only: what is signed today must still be there, with security updates, when somebody builds next month.
    suite: z.enum(['bookworm', 'trixie']).describe('The Debian release the packages are taken from.'),
  }),
  packages: z.array(debianPackage).min(1).describe('Debian packages besides the minimal base.'),
  pypi: z.array(pypiRequirement).default([]).describe('Wheels, as name==version; hashes stand in lock.json.'),
  npm: z
    .array(npmPackageSchema)
    .default([])
    .describe('npm packages that bundle what they need; integrity in lock.json.'),
  user: z
    .strictObject({ uid: z.number().int().min(1).max(65533), gid: z.number().int().min(1).max(65533) })
    .prefault({ uid: 65532, gid: 65532 })
    .describe('Who a rendered Containerfile runs as; a profile names its own.'),
  capabilities: capabilitiesSchema.prefault({}),
  labels: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/), z.string().max(200))
    .default({})
    .describe('Free text for people and registries.'),
  allowed: z.boolean().default(true).describe('Whether a host may use the image once it is built.'),
});

export type ImageDefinition = z.output<typeof imageSchema>;
export type Capabilities = z.output<typeof capabilitiesSchema>;
export type NpmPackage = z.output<typeof npmPackageSchema>;
export type Digest = `sha256:${string}`;
