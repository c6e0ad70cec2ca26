// Owns `sandbox image build`: which images, how strictly by the lock, and what is said while it runs.
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { buildImage } from '../image/build.ts';
import { definedImages, loadDefinition } from '../image/definition.ts';
import type { ImageRecord } from '../image/registry.ts';
import type { CliContext } from './context.ts';
import { printJson, startProgress } from './print.ts';

interface BuildOptions {
  all?: true;
  locked?: true;
  updateLock?: true;
  json?: true;
}

/** What the clients of package archives need from the caller's environment: home, proxies, their own settings. */
export function clientEnvironment(env: CliContext['env']): Record<string, string> {
  const wanted = /^(HOME|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|REQUESTS_CA_BUNDLE|PIP_[A-Z_]+|npm_config_\w+|\w+_proxy)$/i;
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value !== undefined && wanted.test(name) ? [[name, value]] : [])),
  );
}

/** Where a host that is not Debian names Debian's archives. */
export function sourcesOverride(context: CliContext): string {
  return join(context.paths.config, 'debian.sources');
}

/** Bytes as `191 MiB`. */
export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function writeStore(context: CliContext): string {
  const store = context.paths.imageStores[0];
  if (store === undefined) throw new CofferdamError('INTERNAL', 'no image store is configured');
  return store;
}

async function buildOne(context: CliContext, name: string, options: BuildOptions): Promise<ImageRecord> {
  const progress = startProgress(context.terminal, `image ${printable(name, 80)}`);
  const { record } = await buildImage({
    definition: loadDefinition(context.paths.install, name),
    store: writeStore(context),
    install: context.paths.install,
    uid: context.uid,
    lock: options.updateLock === true ? 'update' : options.locked === true ? 'require' : 'report',
    sourcesOverride: sourcesOverride(context),
    env: clientEnvironment(context.env),
    now: () => new Date(),
    signal: context.signal,
    onStep: (text) => progress.step(text),
  });
  progress.done(`built ${record.digest}, ${mebibytes(record.bytes)}`);
  reportDrift(context, record);
  return record;
}

function reportDrift(context: CliContext, record: ImageRecord): void {
  if (record.drift.length === 0) return;
  context.terminal.err(`image ${record.name}: ${record.drift.length} packages differ from the lock\n`);
  for (const line of record.drift) context.terminal.err(`  ${printable(line, 300)}\n`);
}

export function buildCommand(context: CliContext): Command {
  return new Command('build')
    .description('build images from signed Debian packages, without root and without a registry')
    .argument('[name...]', 'images to build; see: sandbox image ls')
    .option('--all', 'build every image that is defined')
    .addOption(new Option('--locked', 'refuse when a package differs from the lock file').conflicts('updateLock'))
    .option('--update-lock', 'write the versions that were built into the lock file')
    .option('--json', 'print the registry entries of what was built')
    .addHelpText(
      'after',
      '\nExamples:\n  sandbox image build base-tools\n  sandbox image build --all\n  sandbox image build --locked go-tools\n',
    )
    .action(async (names: string[], options: BuildOptions) => {
      const defined = definedImages(context.paths.install);
      if ((names.length === 0) === (options.all === undefined)) {
        throw new CofferdamError('USAGE', 'name the images to build, or use --all', {
          remedy: `there are: ${defined.join(', ')}`,
        });
      }
      const wanted = options.all === true ? defined : [...new Set(names)];
      // A name that is wrong is said before the first long build.
      for (const name of wanted) loadDefinition(context.paths.install, name);
      const built: ImageRecord[] = [];
      try {
        for (const name of wanted) built.push(await buildOne(context, name, options));
      } catch (thrown) {
        if (!context.signal.aborted) throw thrown;
        context.terminal.err('image build: stopped; nothing of it was kept\n');
        context.exit(130);
        return;
      }
      if (options.json === true) printJson(context.terminal, built);
      else for (const record of built) context.terminal.out(`${record.name} ${record.digest}\n`);
    });
}
