// Owns the verbs of `sandbox image` that only look: ls, inspect, sbom, containerfile.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import { printable } from '../base/printable.ts';
import { digestTree } from '../image/archive.ts';
import { renderContainerfile } from '../image/containerfile.ts';
import { definedImages, loadDefinition } from '../image/definition.ts';
import { findImage, hostArchitecture, type InstalledImage, imageDirectory, listImages } from '../image/find.ts';
import type { CliContext } from './context.ts';
import { mebibytes } from './image-build.ts';
import { printJson, printTable } from './print.ts';

/** `name` or `name@sha256:…` as the image it means. */
export function namedImage(context: CliContext, reference: string): InstalledImage {
  const [name = '', pin] = reference.split('@');
  return findImage(name, context.paths.imageStores, pin, definedImages(context.paths.install));
}

interface Listed {
  name: string;
  version: string | null;
  digest: string | null;
  status: 'ready' | 'older' | 'shadowed' | 'not allowed' | 'other architecture' | 'missing' | 'not built';
  builtAt: string | null;
  bytes: number | null;
  drift: number | null;
  store: string | null;
}

interface Standing {
  foreign: boolean;
  here: boolean;
  allowed: boolean;
  store: string;
  used: string | undefined;
}

function statusOf({ foreign, here, allowed, store, used }: Standing): Listed['status'] {
  if (foreign) return 'other architecture';
  if (!here) return 'missing';
  if (!allowed) return 'not allowed';
  if (used === undefined) return 'ready';
  return used === store ? 'older' : 'shadowed';
}

function listAll(context: CliContext): Listed[] {
  // Name → the store whose build is the one that is used.
  const seen = new Map<string, string>();
  const built = listImages(context.paths.imageStores).map(({ store, record }): Listed => {
    const { name, version, digest, builtAt, bytes } = record;
    const here = existsSync(join(imageDirectory(store, name, digest), 'rootfs'));
    const used = seen.get(name);
    const foreign = record.arch !== hostArchitecture();
    if (!foreign && used === undefined) seen.set(name, store);
    const status = statusOf({ foreign, here, allowed: record.allowed, store, used });
    return { name, version, digest, status, builtAt, bytes, drift: record.drift.length, store };
  });
  const unbuilt = definedImages(context.paths.install)
    .filter((name) => !seen.has(name))
    .map((name): Listed => {
      const nothing = { version: null, digest: null, builtAt: null, bytes: null, drift: null, store: null };
      return { name, status: 'not built', ...nothing };
    });
  return [...built, ...unbuilt].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

export function lsCommand(context: CliContext): Command {
  return new Command('ls')
    .description('list images: built ones with their digests, and those that can be built')
    .option('--json', 'print one array')
    .addHelpText('after', '\nExample:\n  sandbox image ls --json\n')
    .action((options: { json?: true }) => {
      const images = listAll(context);
      if (options.json === true) {
        printJson(context.terminal, images);
        return;
      }
      const rows = images.map((image) => [
        printable(image.name, 64),
        printable(image.version ?? '-', 20),
        image.digest?.slice(0, 19) ?? '-',
        image.status,
        image.bytes === null ? '-' : mebibytes(image.bytes),
        image.drift === null ? '-' : `${image.drift}`,
        printable(image.builtAt?.slice(0, 16).replace('T', ' ') ?? '-', 20),
      ]);
      printTable(context.terminal, ['name', 'version', 'digest', 'status', 'size', 'drift', 'built'], rows);
    });
}

export function inspectCommand(context: CliContext): Command {
  return new Command('inspect')
    .description('show what is known of a built image')
    .argument('<name>', 'name, or name@sha256:…')
    .option('--verify', 'compute the digest of the tree on disk again and compare')
    .option('--json', 'print one object')
    .addHelpText('after', '\nExample:\n  sandbox image inspect --verify base-tools\n')
    .action(async (name: string, options: { verify?: true; json?: true }) => {
      const image = namedImage(context, name);
      if (options.verify === true) {
        const { digest } = await digestTree(image.rootfs, context.signal);
        if (digest !== image.digest) {
          throw new CofferdamError('IMAGE_DIGEST', `${image.name} on disk is ${digest}, not ${image.digest}`, {
            remedy: `build it again: sandbox image build ${image.name}`,
          });
        }
      }
      const shown = { ...image.record, rootfs: image.rootfs, ...(options.verify === true ? { verified: true } : {}) };
      if (options.json === true) printJson(context.terminal, shown);
      else {
        for (const [key, value] of Object.entries(shown)) {
          const text = typeof value === 'string' ? value : JSON.stringify(value);
          context.terminal.out(`${`${key}:`.padEnd(14)} ${printable(text, 1000)}\n`);
        }
      }
    });
}

function parseBill(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CofferdamError('IMAGE_UNSAFE', `${file} is no JSON`, { cause });
  }
}

export function sbomCommand(context: CliContext): Command {
  return new Command('sbom')
    .description('print the software bill of materials of a built image (CycloneDX 1.6 JSON)')
    .argument('<name>', 'name, or name@sha256:…')
    .addHelpText('after', '\nExample:\n  sandbox image sbom python-tools > python-tools.cdx.json\n')
    .action((name: string) => {
      const file = join(namedImage(context, name).directory, 'sbom.cdx.json');
      const text = readTextIfPresent(file, 64 << 20);
      if (text === undefined) throw new CofferdamError('IMAGE_UNSAFE', `${file} is missing`);
      // Parsed and printed anew: JSON escapes what a loaded image may have put in; raw text is not passed on.
      printJson(context.terminal, parseBill(text, file));
    });
}

export function containerfileCommand(context: CliContext): Command {
  return new Command('containerfile')
    .description('print an image definition as a Containerfile, for builds from a registry base')
    .argument('<name>', 'name of a defined image')
    .addHelpText(
      'after',
      '\nExample:\n  sandbox image containerfile base-tools | podman build -f - -t base-tools images/base-tools\n',
    )
    .action((name: string) => {
      const { image, folder } = loadDefinition(context.paths.install, name);
      context.terminal.out(renderContainerfile(image, existsSync(join(folder, 'files'))));
    });
}
