// Owns the text of a launch script: what the plan fixes, as variables and functions, and then lib/run/shell/launch.sh.in.
import type { CgroupParents } from '../engine/cgroup.ts';
import { boundsSwap, type Controller, leafWrites, oomFile, parentOf, pidsFile } from '../engine/cgroup.ts';
import type { EngineCommand } from '../engine/types.ts';
import { givesTerminal, quoteLiteral, renderCommand, renderWord, variable } from '../engine/words.ts';
import type { Profile } from '../profile/schema.ts';
import { splitTemplate } from '../spec/placeholders.ts';
import { countSlots, type HostIds, idArithmetic, type ProgramIds } from '../spec/uidmap.ts';

export interface LaunchTools {
  readonly awk: string;
  readonly rm: string;
  readonly mount: string;
  /** bin/sandbox itself, for a plan that is stale. */
  readonly sandbox: string;
  /** Our supervisor (lib/run/native). */
  readonly supervise: string;
  /** Node and our collector, for runs with artifacts. */
  readonly node: string;
  readonly collect: string;
}

export interface LaunchInput {
  readonly title: string;
  /** 64 hex digits. */
  readonly planDigest: string;
  readonly profile: Profile;
  readonly ids: HostIds;
  readonly program: ProgramIds;
  readonly cgroups: CgroupParents;
  readonly command: EngineCommand;
  /** config.json with placeholders. */
  readonly configTemplate: string;
  readonly tools: LaunchTools;
  /** Folders of lib/run/folders.ts. */
  readonly folders: {
    readonly runs: string;
    readonly records: string;
    readonly slots: string;
    readonly log: string;
    readonly collect: string;
  };
  /** Milliseconds, the host's ceiling. */
  readonly mostTimeout: number;
  /** Texts of lib/run/shell/encode.sh and launch.sh. */
  readonly shell: { readonly encode: string; readonly launch: string };
}

/** How long a program has between TERM and KILL, ms. */
export const graceMs = 2000;

/** `NAME=value` lines of a POSIX script. */
export function assignments(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quoteLiteral(String(value))}`)
    .join('\n');
}

/** A function of a POSIX script, its lines indented. */
export function shellFunction(name: string, body: readonly string[]): string {
  return `${name}() {\n${body.map((line) => `\t${line.replaceAll('\n', '\n\t')}`).join('\n')}\n}`;
}

function leafOf(parent: string): string {
  return renderWord([`${parent}/`, { variable: 'id' }]);
}

/** The letter by which a limit that is not applied is recorded; lib/run/result.ts reads it. */
const letters: Readonly<Record<Controller, string>> = { memory: 'm', pids: 'n', cpu: 'c' };

function leafFile(cgroups: CgroupParents, controller: Controller, file: string): string | undefined {
  const parent = parentOf(cgroups, controller);
  return parent === undefined ? undefined : `${leafOf(parent)}/${file}`;
}

/** Each limit as an option of the supervisor, which writes it and reads it back; a best effort may go without a leaf. */
function limitOptions({ cgroups, profile }: LaunchInput): string[] {
  const writes = leafWrites(cgroups.version, profile.limits);
  return writes.flatMap((write) => {
    const path = leafFile(cgroups, write.controller, write.file);
    const letter = boundsSwap(write.file) ? 's' : letters[write.controller];
    return path === undefined ? [] : [`--limit ${quoteLiteral(`${letter}:${write.value}:`)}${path}`];
  });
}

const lackStrict = [
  `fail LIMIT_UNENFORCEABLE "the limit $1 = $3 could not be applied" 'as root: sandbox setup; then: sandbox doctor'`,
];
// What is captured is the program's; the result names what is lacking.
const lackBestEffort = [
  '[ "$stderr_max" -gt 0 ] || printf \'sandbox: the limit %s = %s is not applied (limits.enforce: best-effort)\\n\' "$1" "$3" >&2',
  'case $lacking in *"$2"*) ;; *) lacking=$lacking$2 ;; esac',
];

function renderLacking({ cgroups, profile }: LaunchInput): string {
  const without = leafWrites(cgroups.version, profile.limits).filter(
    ({ controller }) => parentOf(cgroups, controller) === undefined,
  );
  return [
    "# Limits that have no control group here; the supervisor applies the others, and reads them back.\nlacking=''",
    shellFunction('lack', profile.limits.enforce === 'strict' ? lackStrict : lackBestEffort),
    shellFunction(
      'note_lacking',
      without.length === 0
        ? [':']
        : without.map(
            ({ file, controller, value }) => `lack ${quoteLiteral(file)} ${letters[controller]} ${quoteLiteral(value)}`,
          ),
    ),
  ].join('\n');
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${name} ${value}`];
}

function renderConfig({ command, configTemplate }: LaunchInput): string {
  if (!command.writesConfig) return shellFunction('write_config', [':']);
  const pieces = splitTemplate(configTemplate).map((part) =>
    part.kind === 'text' ? `'${part.value.replaceAll("'", "'\\''")}'` : `"$${part.value}"`,
  );
  // Beside the run's folder, which the supervisor makes: it moves it in. Not through shellFunction: indenting would change the JSON's own lines.
  return `write_config() {\n\tconfig=$run_dir.json\n\tprintf %s ${pieces.join('')} >"$config"\n}`;
}

// Nobody but Node opens a way out, and only Node closes it again.
function renderWayOut({ profile }: LaunchInput): string {
  const refused = `[ -z "$way_out" ] || fail USAGE 'this plan has no way out' 'see docs/lifecycle.md' 2`;
  const bound = [
    `[ -n "$way_out" ] || fail USAGE 'this plan has a way out, and whoever launched it opened none' 'start it by: sandbox run' 2`,
    'encode "$way_out"',
    'way_out_text=${json#\\"}',
    'way_out_text=${way_out_text%\\"}',
  ];
  return shellFunction('bind_way_out', profile.network.mode === 'proxy' ? bound : [refused]);
}

// The folders above root's are open: its sandboxes pass them as other uids. A user's are closed to all others.
function admitted({ ids, profile, command }: LaunchInput): string[] {
  if (ids.callerUid !== 0 || profile.network.mode !== 'proxy') return [];
  const { runtime, program, group } = command.hostIds ?? {
    runtime: [variable('root_uid')],
    program: [variable('program_uid')],
    group: [variable('program_gid')],
  };
  return [`--way-out ${[runtime, program, group].map((id) => renderWord(id)).join(':')}:"$way_out"`];
}

function renderStart(input: LaunchInput): string {
  const { cgroups, command, folders, profile, planDigest } = input;
  const leaves = cgroups.folders.map(({ path }) => `--cgroup ${leafOf(path)}`);
  const manager = cgroups.unit?.manager;
  const unitOption = quoteLiteral(cgroups.unit?.name.replace(/\.service$/, '') ?? '');
  const environment = command.env.map(({ name, value }) => `--env ${quoteLiteral(name)}=${renderWord(value)}`);
  const options = [
    '--id "$id"',
    '--timeout-ms "$timeout"',
    '--idle-ms "$idle"',
    `--grace-ms ${graceMs}`,
    '$stdin ${terminal:+--terminal}',
    '--stdout-max "$stdout_max" --stderr-max "$stderr_max"',
    ...(profile.ports.length === 0 ? [] : ['$publish']),
    '--make ${config:+--config "$config"}',
    ...admitted(input),
    ...leaves,
    ...limitOptions(input),
    ...(profile.limits.enforce === 'strict' ? [] : ['--best-effort']),
    ...environment,
    ...option('--oom-file', leafFile(cgroups, 'memory', oomFile(cgroups.version))),
    ...option('--pids-file', leafFile(cgroups, 'pids', pidsFile)),
    '${lacking:+--lacking "$lacking"}',
    ...(manager === undefined ? [] : [`--manager ${quoteLiteral(manager)} --unit ${unitOption}`]),
    '--run-dir "$run_dir" --log "$run_dir/log"',
    '--slot "$slots/$slot" --slot "$records/$id"',
    `--record ${quoteLiteral(folders.log)} --record-head "1 $id ${planDigest} \${task:--} \${job:--}"`,
    '${output_log:+--output-log "$output_log" --activity "$run_dir/execs"}',
    '${hold:+--hold "$hold"}',
    '${typed:+--typed "$run_dir/typed"} ${size:+--size "$size"}',
    '${result_fd:+--result-fd "$result_fd"}',
    '${parent:+--parent "$parent"}',
    '${starter:+--starter "$starter"} ${afterwards:+--afterwards "$afterwards"}',
    ...(command.supervision ?? []).map(renderWord),
    // The command line as it came, for a plan that turns out to be stale.
    '${inputs:+--inputs "$inputs" --plan "$plan" --otherwise $(($# + otherwise_count + 2))}',
    '--',
  ];
  const words = renderCommand(command.words, command.appendsArguments ? '"$@"' : '');
  const otherwise = '${inputs:+otherwise "$sandbox" $otherwise "$@"}';
  return [
    '# shellcheck disable=SC2086 # $how, $stdin, $publish and $otherwise are words without blanks, or none',
    shellFunction('start', [`$how "$supervise" \\\n\t${options.join(' \\\n\t')} \\\n\t${words} \\\n\t${otherwise}`]),
  ].join('\n');
}

function renderArtifacts({ profile, folders, tools, ids, command }: LaunchInput): string[] {
  const { size, maxCount, maxBytes, maxDepth } = profile.artifacts;
  const options = `nosuid,nodev,noexec,size=${size},nr_inodes=${maxCount + 1024},mode=0755`;
  const inOuter = 'uid_base=1 gid_base=1 caller_uid=0 caller_gid=0';
  const always = command.inOuterIds === true;
  return [
    '# Only inside a mount namespace of this run (lib/run/invoke.ts starts us there).',
    shellFunction('mount_artifacts', [
      `${tools.mount} -t tmpfs -o "${options},uid=$program_uid,gid=$program_gid" tmpfs ${quoteLiteral(folders.collect)}`,
    ]),
    shellFunction('collect_artifacts', [
      `${quoteLiteral(tools.node)} ${quoteLiteral(tools.collect)} ${quoteLiteral(folders.collect)} "$artifacts" ${maxCount} ${maxBytes} ${maxDepth} "$result_fd"`,
    ]),
    shellFunction('enter_outer_ids', [
      ids.callerUid === 0 ? ':' : always ? inOuter : `[ -z "$artifacts" ] || ${inOuter}`,
    ]),
  ];
}

/** The whole script: POSIX sh, readable, and the only way a sandbox is started. Pure. */
export function renderLaunch(input: LaunchInput): string {
  const { folders, ids, tools } = input;
  return [
    `#!/bin/sh\n# ${input.title}\n# launch [BINDING=VALUE...] -- PROGRAM [ARGUMENT...]; bindings: docs/lifecycle.md`,
    assignments({
      plan: input.planDigest,
      supervise: tools.supervise,
      sandbox: tools.sandbox,
      rm: tools.rm,
      runs: folders.runs,
      records: folders.records,
      slots: folders.slots,
      slot_count: countSlots(ids),
      uid_base: ids.subuids.start,
      gid_base: ids.subgids.start,
      caller_uid: ids.callerUid,
      caller_gid: ids.callerGid,
      default_timeout: input.profile.limits.timeout,
      most_timeout: input.mostTimeout,
      default_idle: input.profile.limits.idle ?? 0,
      makes_terminal: givesTerminal(input.command.words) ? 1 : '',
      port_count: input.profile.ports.length,
    }),
    shellFunction('map_ids', [idArithmetic(ids, input.program)]),
    renderLacking(input),
    renderConfig(input),
    renderWayOut(input),
    ...renderArtifacts(input),
    renderStart(input),
    input.shell.encode.replaceAll('@awk@', tools.awk),
    input.shell.launch,
  ].join('\n');
}
