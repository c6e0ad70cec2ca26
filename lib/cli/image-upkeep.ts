// Owns `sandbox image outdated` and `rm`: keeping a store fresh and small.
import { Command } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { chooseBuildUser, readAccounts } from '../image/builduser.ts';
import { listImages } from '../image/find.ts';
import { findOutdated } from '../image/outdated.ts';
import { readRegistry } from '../image/registry.ts';
import { chooseRecords, removeImages } from '../image/remove.ts';
import { readMirrors } from '../image/sources.ts';
import type { CliContext } from './context.ts';
import { clientEnvironment, sourcesOverride } from './image-build.ts';
import { namedImage } from './image-show.ts';
import { printJson, printTable } from './print.ts';

export function outdatedCommand(context: CliContext): Command {
  return new Command('outdated')
    .description("compare an image's Debian packages with what the signed archive has now")
    .argument('[name...]', 'images; default all that are built')
    .option('--json', 'print one array')
    .addHelpText(
      'after',
      '\nWheels and npm packages stay as image.yaml and the lock say; raise them there.\nExample:\n  sandbox image outdated base-tools\n',
    )
    .action(async (names: string[], options: { json?: true }) => {
      const built = [...new Set(listImages(context.paths.imageStores).map(({ record }) => record.name))].sort();
      const mirrors = readMirrors('/etc/apt', sourcesOverride(context));
      const user = chooseBuildUser(context.uid, readAccounts());
      const env = clientEnvironment(context.env);
      const found = [];
      for (const name of names.length === 0 ? built : names) {
        const image = namedImage(context, name);
        const packages = await findOutdated({ image, mirrors, uid: context.uid, user, env });
        found.push(...packages.map((item) => ({ image: image.name, ...item })));
      }
      if (options.json === true) printJson(context.terminal, found);
      else if (found.length === 0) context.terminal.out('all packages are what the archive has now\n');
      else {
        const rows = found.map((item) =>
          [item.image, item.name, item.installed, item.candidate].map((x) => printable(x)),
        );
        printTable(context.terminal, ['image', 'package', 'installed', 'archive'], rows);
      }
    });
}

export function rmCommand(context: CliContext): Command {
  return new Command('rm')
    .description('remove a built image; its definition stays')
    .argument('<name>', 'name for all its builds, or name@sha256:… for one')
    .option('--old', 'remove all builds of the name but the newest')
    .option('--force', 'remove it even while a sandbox runs on it')
    .addHelpText('after', '\nExamples:\n  sandbox image rm --old python-tools\n  sandbox image rm go-tools@sha256:…\n')
    .action(async (reference: string, options: { old?: true; force?: true }) => {
      const store = context.paths.imageStores[0] ?? '';
      const [name = '', digest] = reference.split('@');
      const { images } = readRegistry(store);
      const known = [...new Set(images.map((record) => record.name))];
      if (!known.includes(name)) {
        const near = didYouMean(name, known);
        throw new CofferdamError('IMAGE_UNKNOWN', `no image "${printable(name, 80)}" is in ${store}${near}`);
      }
      const chosen = chooseRecords(images, { name, digest, old: options.old });
      if (chosen.length === 0 && digest !== undefined) {
        throw new CofferdamError('IMAGE_DIGEST', `${name} has no build ${printable(digest, 80)} here`);
      }
      await removeImages(store, chosen, options.force === true);
      for (const record of chosen) context.terminal.out(`removed ${record.name} ${record.digest}\n`);
    });
}
