// Owns `sandbox image save` and `load`: images as files between hosts.
import { resolve } from 'node:path';
import { Command } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { digestPattern } from '../image/schema.ts';
import { loadImage, saveImage } from '../image/transfer.ts';
import type { CliContext } from './context.ts';
import { namedImage } from './image-show.ts';
import { printJson, startProgress } from './print.ts';

export function saveCommand(context: CliContext): Command {
  return new Command('save')
    .description('write a built image with its bill of materials to one file')
    .argument('<name>', 'name, or name@sha256:…')
    .requiredOption('-o, --output <file>', 'file to write; it must not be a folder')
    .addHelpText('after', '\nExample:\n  sandbox image save go-tools -o go-tools.image\n')
    .action(async (name: string, options: { output: string }) => {
      const image = namedImage(context, name);
      const progress = startProgress(context.terminal, `image ${image.name}`);
      progress.step('writing');
      await saveImage(image, resolve(context.cwd, options.output), context.signal);
      progress.done(`saved ${image.digest} to ${printable(options.output)}`);
    });
}

export function loadCommand(context: CliContext): Command {
  return new Command('load')
    .description('take an image from a file that `sandbox image save` wrote')
    .argument('<file>', 'the file')
    .option('--digest <digest>', 'refuse unless the tree has this digest (sha256:…)')
    .option('--json', 'print the registry entry')
    .addHelpText('after', '\nExample:\n  sandbox image load --digest sha256:… go-tools.image\n')
    .action(async (file: string, options: { digest?: string; json?: true }) => {
      if (options.digest !== undefined && !digestPattern.test(options.digest)) {
        throw new CofferdamError('USAGE', `"${printable(options.digest, 80)}" is not a digest`, {
          remedy: 'write it as sha256: and 64 hex digits',
        });
      }
      const store = context.paths.imageStores[0] ?? '';
      const progress = startProgress(context.terminal, 'image load');
      progress.step('unpacking');
      const record = await loadImage({
        file: resolve(context.cwd, file),
        store,
        // Nothing is built, so nobody steps down: the caller's own ids own it all.
        user: { name: '', uid: context.uid, gid: context.gid },
        uid: context.uid,
        digest: options.digest,
        signal: context.signal,
      });
      progress.done(`loaded ${record.name} ${record.digest}`);
      if (options.json === true) printJson(context.terminal, record);
    });
}
