// Owns `sandbox image check`: runs the contract inside a sandbox and says what is missing.
import { Command } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { type CheckResult, checkScript, contractChecks, readCheck } from '../image/contract.ts';
import { definedImages } from '../image/definition.ts';
import { findImage, listImages } from '../image/find.ts';
import type { CliContext } from './context.ts';
import { printJson } from './print.ts';

export interface InsideResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs argv in a fresh sandbox of `image` with network none; the outputs are the guest's, bounded. */
export type RunInside = (image: string, argv: string[]) => Promise<InsideResult>;

async function checkOne(context: CliContext, runInside: RunInside, name: string): Promise<CheckResult[]> {
  const { paths } = context;
  const image = findImage(name, paths.imageStores, undefined, definedImages(paths.install));
  const result = await runInside(name, ['/bin/sh', '-c', checkScript(image)]);
  return readCheck(result.stdout, contractChecks(image.capabilities));
}

export function checkCommand(context: CliContext, runInside: RunInside): Command {
  return new Command('check')
    .description('prove inside a sandbox that an image holds what its contract promises')
    .argument('[name...]', 'images to check')
    .option('--all', 'check every image that is built')
    .option('--json', 'print every check with its result')
    .addHelpText('after', '\nExamples:\n  sandbox image check base-tools\n  sandbox image check --all --json\n')
    .action(async (names: string[], options: { all?: true; json?: true }) => {
      if ((names.length === 0) === (options.all === undefined)) {
        throw new CofferdamError('USAGE', 'name the images to check, or use --all');
      }
      const built = listImages(context.paths.imageStores).map(({ record }) => record.name);
      const wanted = [...new Set(options.all === true ? built.sort() : names)];
      const results = [];
      for (const name of wanted) {
        const checks = await checkOne(context, runInside, name);
        const failed = checks.filter((check) => !check.ok);
        results.push({ image: name, ok: failed.length === 0, checks });
        if (options.json === true) continue;
        context.terminal.out(
          `${printable(name, 80)}: ${checks.length - failed.length} passed, ${failed.length} failed\n`,
        );
        for (const { id, text } of failed) context.terminal.out(`  ${id}: lacks ${text}\n`);
      }
      if (options.json === true) printJson(context.terminal, results);
      const broken = results.filter((result) => !result.ok);
      if (broken.length === 0) return;
      throw new CofferdamError('IMAGE_CONTRACT', `${broken.map(({ image }) => image).join(', ')}: contract not met`, {
        details: broken.flatMap(({ image, checks }) =>
          checks.filter(({ ok }) => !ok).map(({ id, text }) => `${image}: ${id}: lacks ${text}`),
        ),
      });
    });
}
