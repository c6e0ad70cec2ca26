// Owns `sandbox doctor`: what this host has and lacks, and what to do about it.

import { join } from 'node:path';
import { type Command, createCommand } from 'commander';
import { readTextIfPresent } from '../base/files.ts';
import type { Finding, Level } from '../engine/doctor/check.ts';
import { examine } from '../engine/doctor/examine.ts';
import { selectEngine, selectIsolating } from '../engine/select.ts';
import { nameOfUid } from '../engine/subids.ts';
import type { EngineSettings } from '../engine/types.ts';
import { definedImages } from '../image/definition.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import type { CliContext, Terminal } from './context.ts';
import { doctorPortsCommand } from './doctor-ports.ts';
import { formatFinding } from './finding.ts';
import { printJson } from './print.ts';

function summary(terminal: Terminal, engine: string, runs: boolean, findings: readonly Finding[]): void {
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const verdict = runs ? `${engine} can run sandboxes here` : `${engine} cannot run sandboxes here`;
  terminal.out(`${verdict}: ${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail\n`);
}

// Where none answers, what is wrong with the first is what a person must mend.
async function findWanted(name: string, settings: EngineSettings): Promise<string> {
  if (name !== 'best') return (await selectEngine(name, settings)).name;
  const best = selectIsolating({ engine: 'best', isolation: 'process' }, settings);
  return best.then(
    (engine) => engine.name,
    () => 'crun',
  );
}

export function doctorCommand(context: CliContext): Command {
  return createCommand('doctor')
    .description('Show what this host has and lacks; exit 1 when the engine cannot run')
    .enablePositionalOptions()
    .option('--engine <name>', 'the engine that must be able to run (default: that of the host configuration)')
    .option('--json', 'print {runs, engine, findings}')
    .addHelpText('after', '\nExample:\n  sandbox doctor --engine podman')
    .action(async (flags: { engine?: string; json?: true }) => {
      const { paths, uid, gid, terminal } = context;
      const config = loadHostConfig(paths.hostConfig);
      const engine = await findWanted(flags.engine ?? config.engine, config.engines);
      const { runs, findings } = await examine({
        uid,
        gid,
        user: nameOfUid(readTextIfPresent('/etc/passwd', 16 << 20) ?? '', uid) ?? String(uid),
        engine,
        settings: config.engines,
        stores: paths.imageStores,
        disks: [paths.imageStores[0] ?? paths.data, paths.state, paths.run],
        floor: config.limits.hostFreeDisk,
        supervise: join(paths.install, 'dist/native/supervise'),
        node: process.versions.node,
        images: definedImages(paths.install),
      });
      if (flags.json === true) printJson(terminal, { runs, engine, findings });
      else {
        for (const finding of findings) terminal.out(formatFinding(finding, terminal.outColour));
        summary(terminal, engine, runs, findings);
      }
      if (!runs) context.exit(1);
    })
    .addCommand(doctorPortsCommand(context));
}
