// Owns `sandbox engines`: which engine enforces what, and which of them this host has.
import { type Command, createCommand } from 'commander';
import { messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { cellWord, type MatrixName, matrices, matrixRows } from '../engine/matrix.ts';
import { selectEngine } from '../engine/select.ts';
import type { EngineSettings } from '../engine/types.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import type { CliContext, Terminal } from './context.ts';
import { printJson, printTable } from './print.ts';

const names = Object.keys(matrices) as MatrixName[];

interface Here {
  readonly name: MatrixName;
  /** Path and version, or why it cannot be used. */
  readonly state: string;
  readonly usable: boolean;
}

async function lookFor(name: MatrixName, settings: EngineSettings): Promise<Here> {
  try {
    const { path, version } = await (await selectEngine(name, settings)).probe();
    return { name, usable: true, state: `${path} ${version}` };
  } catch (error) {
    return { name, usable: false, state: printable(messageOf(error), 300) };
  }
}

function printMatrix(terminal: Terminal, here: readonly Here[]): void {
  const rows = matrixRows().map(({ name, cells }) => [name, ...names.map((engine) => cellWord(cells[engine]))]);
  printTable(terminal, ['', ...names], rows);
  for (const { name, cells } of matrixRows()) {
    for (const engine of names) {
      for (const { what, why } of cells[engine].refuses ?? [])
        terminal.out(`${engine} refuses ${name} (${what}): ${why}\n`);
    }
  }
  for (const engine of names)
    for (const [, { lacks = [] }] of Object.entries(matrices[engine]))
      for (const { why } of lacks) terminal.out(`lacking: ${why}\n`);
  for (const { name, state, usable } of here) terminal.out(`${usable ? 'here' : 'not here'}: ${name}: ${state}\n`);
}

export function enginesCommand(context: CliContext): Command {
  return createCommand('engines')
    .description('Show which engine enforces what, and which this host has; what an engine cannot do is refused')
    .option('--json', 'print {rows: [{name, means, cells}], here: [{name, usable, state}]}')
    .addHelpText('after', '\nExample:\n  sandbox engines\n\nThe same as a document: docs/engines.md')
    .action(async (flags: { json?: true }) => {
      const { terminal, paths } = context;
      const { engines } = loadHostConfig(paths.hostConfig);
      const here = await Promise.all(names.map((name) => lookFor(name, engines)));
      if (flags.json !== true) printMatrix(terminal, here);
      else {
        const rows = matrixRows().map(({ name, means, cells }) => ({ name, means, cells: toJson(cells) }));
        printJson(terminal, { rows, here });
      }
    });
}

function toJson(cells: ReturnType<typeof matrixRows>[number]['cells']) {
  return Object.fromEntries(
    names.map((name) => {
      const { by, refuses = [], lacks = [] } = cells[name];
      const refused = refuses.map(({ what, why }) => ({ what, why }));
      return [
        name,
        { state: cellWord(cells[name]), by: by ?? null, refuses: refused, lacks: lacks.map(({ why }) => why) },
      ];
    }),
  );
}
