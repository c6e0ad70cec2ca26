// Owns the entrance of a live sandbox: a piece of shell in its run folder by which commands are brought in without Node.
import { readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { diskError, writeFileAtomic } from '../../base/files.ts';
import type { Paths } from '../../base/paths.ts';
import { list, open, optional, type ShapeOf, text, whole } from '../../base/shape.ts';
import { type CgroupParents, oomFile, parentOf } from '../../engine/cgroup.ts';
import { selectEngine } from '../../engine/select.ts';
import { requireTool } from '../../engine/tools.ts';
import type { EngineEnter, LiveRun } from '../../engine/types.ts';
import { type CommandWord, quoteLiteral, renderCommand } from '../../engine/words.ts';
import { initTarget } from '../../spec/mounts.ts';
import { runFolders } from '../folders.ts';
import { assignments, graceMs, shellFunction } from '../launch.ts';
import { freezerFile } from './freezer.ts';
import { proveEntrance } from './proof.ts';
import { leavesOf, type Sandbox, sandboxFolder } from './sandbox.ts';

// What the launcher wrote: the plan's spec with its placeholders filled in.
const processShape = open({
  args: list(text),
  env: list(text),
  cwd: text,
  user: open({ uid: whole(0), gid: whole(0) }),
});
const configShape = open({ process: processShape });
// A best effort may run without some leaves; the unit is that of the plan's inputs.
const inputsShape = open({ cgroups: open({ unit: optional(open({ name: text, manager: optional(text) })) }) });

export type SandboxProcess = ShapeOf<typeof processShape>;

/** The run of a sandbox that has one, as its engine reaches it. */
export function liveRunOf(paths: Paths, sandbox: Pick<Sandbox, 'run' | 'engine' | 'cgroups'>): LiveRun {
  const { run, engine } = sandbox;
  if (run === null) throw new CofferdamError('SANDBOX_STATE', 'the sandbox was never started');
  return {
    id: run,
    runDirectory: join(runFolders(paths).runs, run),
    path: engine.path,
    helpers: join(paths.install, 'dist/native'),
    leaves: leavesOf(sandbox),
  };
}

/** The process that the sandbox was started with. */
export function readProcess(run: LiveRun): SandboxProcess {
  return configShape(JSON.parse(readFileSync(join(run.runDirectory, 'config.json'), 'utf8'))).process;
}

/** What every execution of the sandbox has in common, as shell text around what differs. */
function renderProcess(own: SandboxProcess, { before = [] }: EngineEnter): string {
  const { args: _, env, cwd, terminal: __, consoleSize: ___, ...rest } = own;
  const init = [...before, initTarget, '-p', 'SIGKILL', '-g', '--'];
  const inner = (words: readonly string[]) => JSON.stringify(words).slice(1, -1);
  const head = `${JSON.stringify(rest).slice(0, -1)},"args":[${inner(init)},`;
  return [
    assignments({ own_cwd: JSON.stringify(cwd), own_env: inner(env) }),
    shellFunction('write_process', [
      `printf %s ${quoteLiteral(head)} "$argv_json" '],"env":[' "$env_json" '],"cwd":' "$cwd_json" "$terminal_json" '}' >"$1"`,
    ]),
  ].join('\n');
}

function supervisorOptions(sandbox: Sandbox, run: LiveRun): string[] {
  const { cgroups, plan } = sandbox;
  const leaf = (parent: string) => `${quoteLiteral(join(parent, run.id))}/"$id"`;
  const parents: CgroupParents = cgroups;
  const memory = parentOf(parents, 'memory');
  // On v2 a leaf below ours has no controllers of its own; one kill there ends the whole sandbox (memory.oom.group).
  const oom =
    memory === undefined
      ? []
      : [
          `--oom-file ${cgroups.version === 1 ? leaf(memory) : quoteLiteral(join(memory, run.id))}/${oomFile(cgroups.version)}`,
        ];
  const { unit } = inputsShape(JSON.parse(readFileSync(join(plan.directory, 'inputs.json'), 'utf8'))).cgroups;
  const manager =
    unit?.manager === undefined
      ? []
      : [`--manager ${quoteLiteral(unit.manager)} --unit ${quoteLiteral(unit.name.replace(/\.service$/, ''))}`];
  return [
    '--id "$id" --timeout-ms "$timeout" --idle-ms 0',
    `--grace-ms ${graceMs}`,
    '--stdout-max 0 --stderr-max 0 $stdin',
    '--make --enter --config "$config" --run-dir "$run_dir"',
    ...cgroups.folders.map(({ path }) => `--cgroup ${leaf(path)}`),
    ...oom,
    ...manager,
    '--log "$run_dir/log"',
    '${parent:+--parent "$parent"}',
  ];
}

function renderStart(sandbox: Sandbox, run: LiveRun, enter: EngineEnter): string {
  const options = supervisorOptions(sandbox, run);
  const start = (name: string, terminal: boolean, before: string, own: readonly string[]) => {
    const command = enter.command(run, terminal);
    if (command === undefined) {
      const why = `${sandbox.engine.name} makes no terminal for a program that is brought in`;
      return shellFunction(name, [`fail ${quoteLiteral(why)} 'leave -t out, or use --engine crun'`]);
    }
    const { supervision, words } = command;
    const all: CommandWord[] = [...supervision, '--', ...words];
    return shellFunction(name, [
      `${before}"$supervise" \\\n\t${[...options, ...own].join(' \\\n\t')} \\\n\t${renderCommand(all, '')}`,
    ]);
  };
  const { digest } = sandbox.plan;
  const record = `--record ${quoteLiteral(join(run.runDirectory, 'execs.log'))} --record-head "1 $id ${digest.replace('sha256:', '')} - -"`;
  return [
    '# shellcheck disable=SC2086 # $stdin is one fixed word or none',
    start('start', false, 'exec ', []),
    '# shellcheck disable=SC2086',
    start('start_terminal', true, 'exec ', ['--terminal']),
    '# shellcheck disable=SC2086',
    start('start_detached', false, 'exec "$setsid" ', [record]),
  ].join('\n');
}

function renderOpen({ cgroups }: Sandbox, run: LiveRun, program: number): string {
  const freezer = freezerFile({ cgroups, run: run.id });
  const running = cgroups.version === 1 ? 'THAWED' : '0';
  return [
    '# Whether a command may be brought in now; the runtime looks again whether the program is still the same process.',
    shellFunction('is_open', [
      [
        `[ -d /proc/${program} ]`,
        `[ -d ${quoteLiteral(join(run.runDirectory, 'execs'))} ]`,
        ...(freezer === undefined ? [] : [`read -r frozen <${quoteLiteral(freezer)} && [ "$frozen" = ${running} ]`]),
      ].join(' &&\n\t'),
    ]),
  ].join('\n');
}

function render(paths: Paths, sandbox: Sandbox, run: LiveRun, enter: EngineEnter, program: number): string {
  const shell = (name: string) => readFileSync(join(paths.install, 'lib/run/shell', `${name}.sh.in`), 'utf8');
  return [
    `# The entrance of the sandbox ${sandbox.name}, run ${run.id}. Sourced; then: enter_sandbox [BINDING=VALUE...] -- PROGRAM [ARGUMENT...]`,
    '# shellcheck disable=SC2034 # bin/sandbox compares it',
    assignments({ entrance_install: paths.install }),
    assignments({
      supervise: join(paths.install, 'dist/native/supervise'),
      setsid: requireTool('setsid', 'util-linux'),
      rm: requireTool('rm', 'coreutils'),
      run_folder: run.runDirectory,
    }),
    renderOpen(sandbox, run, program),
    renderProcess(readProcess(run), enter),
    renderStart(sandbox, run, enter),
    shell('encode').replaceAll('@awk@', requireTool('awk', 'mawk')),
    shell('enter').replaceAll('@init@', initTarget),
  ].join('\n');
}

/** bin/sandbox goes from the sandbox's folder to its run by this link, which leads nowhere once the run has ended. */
function linkRun(paths: Paths, sandbox: Sandbox, run: LiveRun): void {
  const link = join(sandboxFolder(paths, sandbox.id), 'live');
  const beside = `${link}.${process.pid}.new`;
  rmSync(beside, { force: true });
  symlinkSync(run.runDirectory, beside);
  renameSync(beside, link);
}

/**
 * Makes the entrance of a live sandbox and gives its file. Throws SANDBOX_STATE when its program does not run, ENGINE_CANNOT for
 * an engine that brings nothing in, DISK_FULL.
 */
export async function makeEntrance(paths: Paths, sandbox: Sandbox): Promise<string> {
  const enter = (await selectEngine(sandbox.engine.name)).life?.enter;
  if (enter === undefined) {
    throw new CofferdamError('ENGINE_CANNOT', `${sandbox.engine.name} cannot bring a command into a sandbox that runs`);
  }
  const run = liveRunOf(paths, sandbox);
  const program = await enter.prepare(run);
  const file = join(run.runDirectory, 'entrance');
  const beside = `${file}.${process.pid}.new`;
  try {
    writeFileAtomic(beside, render(paths, sandbox, run, enter, program));
    if (enter.proven) await proveEntrance(beside, sandbox.name, program);
    renameSync(beside, file);
    linkRun(paths, sandbox, run);
  } catch (cause) {
    rmSync(beside, { force: true });
    throw cause instanceof CofferdamError ? cause : diskError(cause, `cannot write ${file}`);
  }
  return file;
}
