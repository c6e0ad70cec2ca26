// Owns `sandbox profile`: list, show, check, and the schema for editors.
import { resolve } from 'node:path';
import { Command } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { refuseUnenforced } from '../profile/enforced.ts';
import { type FindRequest, listProfiles } from '../profile/find.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import { profileJsonSchema } from '../profile/jsonSchema.ts';
import { loadProfile } from '../profile/load.ts';
import { flatten, toReadable } from '../profile/readable.ts';
import { checkAllowed } from '../run/wayOut.ts';
import type { CliContext } from './context.ts';
import { printJson, printTable } from './print.ts';

interface JsonOption {
  readonly json?: boolean;
}

interface Finding {
  readonly code: string;
  readonly text: string;
}

function findRequest({ paths, cwd, uid }: CliContext): FindRequest {
  return { paths, cwd, uid, ceiling: loadHostConfig(paths.hostConfig) };
}

/** What `run` would refuse about a profile; an unforeseen error is not a finding. */
function findingsOf(profile: string, request: FindRequest): Finding[] {
  try {
    const loaded = loadProfile({ ...request, profile });
    refuseUnenforced(loaded);
    checkAllowed(loaded);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof CofferdamError)) throw thrown;
    const lines = thrown.details.length > 0 ? thrown.details : [thrown.message];
    return lines.map((text) => ({ code: thrown.code, text }));
  }
}

function list(context: CliContext, { json }: JsonOption): void {
  const request = findRequest(context);
  const rows = listProfiles(request).map(({ name, file, origin }) => {
    const findings = findingsOf(name, request);
    if (findings[0] !== undefined) return { name, origin, file, image: null, description: null, error: findings[0] };
    const { image, description } = loadProfile({ ...request, profile: name }).profile;
    return { name, origin, file, image: image.name, description, error: null };
  });
  if (json === true) {
    printJson(context.terminal, rows);
    return;
  }
  const cells = rows.map(({ name, image, origin, description, error }) => [
    name,
    image ?? '-',
    origin,
    error === null ? printable(description ?? '', 100) : `${error.code}: ${error.text}`,
  ]);
  printTable(context.terminal, ['name', 'image', 'from', 'description'], cells);
}

function show(context: CliContext, profile: string, { json }: JsonOption): void {
  const loaded = loadProfile({ ...findRequest(context), profile });
  const { name, files, lowered } = loaded;
  const readable = toReadable(loaded.profile);
  if (json === true) {
    printJson(context.terminal, { name, files, lowered, profile: readable });
    return;
  }
  const rows = flatten(readable).map(({ path, text }) => [
    printable(path.join('.'), 130),
    printable(text, 60),
    // `image: NAME` in a file is image.name here.
    loaded.statedAt(path) ?? (path[0] === 'image' ? loaded.statedAt(['image']) : undefined) ?? '(default)',
  ]);
  printTable(context.terminal, ['key', 'value', 'set in'], rows);
  for (const line of lowered) context.terminal.err(`sandbox: ${line}\n`);
}

function check(context: CliContext, files: readonly string[], { json }: JsonOption): void {
  const request = findRequest(context);
  const results = files.map((file) => ({ file, findings: findingsOf(resolve(context.cwd, file), request) }));
  if (results.some(({ findings }) => findings.length > 0)) context.exit(2);
  if (json === true) {
    printJson(context.terminal, results);
    return;
  }
  for (const { file, findings } of results) {
    if (findings.length === 0) context.terminal.out(`${printable(file)}: ok\n`);
    for (const { code, text } of findings) context.terminal.out(`${text} [${code}]\n`);
  }
}

/** The `profile` command. Its errors are CofferdamErrors, printed by whoever runs the program. */
export function profileCommand(context: CliContext): Command {
  const command = new Command('profile').description('list, show and check profiles: what a sandbox is');
  command
    .command('ls')
    .description('every profile there is, and what is wrong with it')
    .option('--json', 'print one JSON document')
    .action((options: JsonOption) => list(context, options));
  command
    .command('show')
    .description('a profile as it resolves: each key, its value, and the line that sets it')
    .argument('<profile>', 'a name, or a path that holds a "/"')
    .option('--json', 'print one JSON document')
    .action((profile: string, options: JsonOption) => show(context, profile, options));
  command
    .command('check')
    .description('whether files are profiles that a run would take; exit status 2 when one is not')
    .argument('<file...>', 'profile files')
    .option('--json', 'print one JSON document')
    .action((files: string[], options: JsonOption) => check(context, files, options));
  command
    .command('schema')
    .description('the JSON Schema of a profile, for editors')
    .action(() => printJson(context.terminal, profileJsonSchema()));
  command.addHelpText(
    'after',
    `
Examples:
  sandbox profile ls
  sandbox profile show python-tools
  sandbox profile check ./my-profile.yaml
  sandbox profile schema > profile.schema.json   # then, in a profile's first line:
                                                 # yaml-language-server: $schema=./profile.schema.json`,
  );
  return command;
}
