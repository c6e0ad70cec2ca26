// Owns the text of a launch script: what the plan fixes, as variables and functions, and then lib/run/shell/launch.sh.in.
import type { CgroupParents } from '../engine/cgroup.ts';
import {
  boundsSwap,
  type Controller,
  type LeafWrite,
  leafWrites,
  oomFile,
  parentOf,
  pidsFile,
} from '../engine/cgroup.ts';
import type { EngineCommand } from '../engine/types.ts';
import { quoteLiteral, renderCommand, renderWord } from '../engine/words.ts';
import type { Profile } from '../profile/schema.ts';
import { splitTemplate } from '../spec/placeholders.ts';
import { countSlots, type HostIds, idArithmetic, type ProgramIds } from '../spec/uidmap.ts';

export interface LaunchTools {
  readonly awk: string;
  readonly mkdir: string;
  readonly rm: string;
  readonly rmdir: string;
  readonly mount: string;
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

function assignments(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quoteLiteral(String(value))}`)
    .join('\n');
}

function shellFunction(name: string, body: readonly string[]): string {
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

function renderFolders({ cgroups, tools }: LaunchInput): string[] {
  const leaves = cgroups.folders.map(({ path }) => leafOf(path)).join(' ');
  return [
    shellFunction('make_folders', [`${tools.mkdir} "$run_dir" "$run_dir/crun" ${leaves}`]),
    shellFunction('remove_folders', [
      `${tools.rm} -rf "$run_dir"`,
      ...(leaves === '' ? [] : [`${tools.rmdir} ${leaves}`]),
    ]),
  ];
}

function renderLimit(cgroups: CgroupParents, { controller, file, value }: LeafWrite): string {
  const path = leafFile(cgroups, controller, file);
  const words = `${letters[controller]} ${quoteLiteral(value)}`;
  if (path === undefined) return `lack ${quoteLiteral(file)} ${words}`;
  return `${boundsSwap(file) ? 'apply_swap' : 'apply'} ${path} ${words}`;
}

const lackStrict = [
  `fail LIMIT_UNENFORCEABLE "the limit \${1##*/} = $3 could not be applied" 'as root: sandbox setup; then: sandbox doctor'`,
];
// What is captured is the program's; the result names what is lacking.
const lackBestEffort = [
  '[ "$stderr_max" -gt 0 ] || printf \'sandbox: the limit %s = %s is not applied (limits.enforce: best-effort)\\n\' "${1##*/}" "$3" >&2',
  'case $lacking in *"$2"*) ;; *) lacking=$lacking$2 ;; esac',
];

function renderLimits({ cgroups, profile }: LaunchInput): string {
  return [
    '# apply FILE LETTER VALUE: writes a limit and reads it back; lack says what becomes of one that does not hold.',
    "lacking=''",
    shellFunction('lack', profile.limits.enforce === 'strict' ? lackStrict : lackBestEffort),
    shellFunction('apply', [
      '{ echo "$3" >"$1" && read -r found <"$1" && [ "$found" = "$3" ]; } 2>/dev/null || lack "$@"',
    ]),
    '# Without swap accounting there is no such file. On a host without swap the other limit is then the whole truth.',
    shellFunction('has_no_swap', ['{ read -r found && ! read -r found; } </proc/swaps']),
    shellFunction('apply_swap', ['[ -e "$1" ] || ! has_no_swap || return 0', 'apply "$@"']),
    shellFunction(
      'apply_limits',
      leafWrites(cgroups.version, profile.limits).map((write) => renderLimit(cgroups, write)),
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
  // Not through shellFunction: indenting would change the JSON's own lines.
  return `write_config() {\n\tprintf %s ${pieces.join('')} >"$run_dir/config.json"\n}`;
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
    `--idle-ms ${profile.limits.idle ?? 0}`,
    `--grace-ms ${graceMs}`,
    '$stdin',
    '--stdout-max "$stdout_max" --stderr-max "$stderr_max"',
    ...leaves,
    ...environment,
    ...option('--oom-file', leafFile(cgroups, 'memory', oomFile(cgroups.version))),
    ...option('--pids-file', leafFile(cgroups, 'pids', pidsFile)),
    '${lacking:+--lacking "$lacking"}',
    ...(manager === undefined ? [] : [`--manager ${quoteLiteral(manager)} --unit ${unitOption}`]),
    '--run-dir "$run_dir" --log "$run_dir/log"',
    '--slot "$slots/$slot" --slot "$records/$id"',
    `--record ${quoteLiteral(folders.log)} --record-head "1 $id ${planDigest} \${task:--} \${job:--}"`,
    '${result_fd:+--result-fd "$result_fd"}',
    '${parent:+--parent "$parent"}',
    '--',
  ];
  const words = renderCommand(command.words, command.appendsArguments ? '"$@"' : '');
  return [
    '# shellcheck disable=SC2086 # $how and $stdin are one fixed word or none',
    shellFunction('start', [`$how "$supervise" \\\n\t${options.join(' \\\n\t')} \\\n\t${words}`]),
  ].join('\n');
}

function renderArtifacts({ profile, folders, tools, ids }: LaunchInput): string[] {
  const { size, maxCount, maxBytes, maxDepth } = profile.artifacts;
  const options = `nosuid,nodev,noexec,size=${size},nr_inodes=${maxCount + 1024},mode=0755`;
  const inOuter = ids.callerUid === 0 ? [] : ['uid_base=1 gid_base=1 caller_uid=0 caller_gid=0'];
  return [
    '# Only inside a mount namespace of this run (lib/run/invoke.ts starts us there).',
    shellFunction('mount_artifacts', [
      `${tools.mount} -t tmpfs -o "${options},uid=$program_uid,gid=$program_gid" tmpfs ${quoteLiteral(folders.collect)}`,
    ]),
    shellFunction('collect_artifacts', [
      `${quoteLiteral(tools.node)} ${quoteLiteral(tools.collect)} ${quoteLiteral(folders.collect)} "$artifacts" ${maxCount} ${maxBytes} ${maxDepth} "$result_fd"`,
    ]),
    shellFunction('enter_outer_ids', inOuter.length === 0 ? [':'] : inOuter),
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
    }),
    shellFunction('map_ids', [idArithmetic(ids, input.program)]),
    ...renderFolders(input),
    renderLimits(input),
    renderConfig(input),
    ...renderArtifacts(input),
    renderStart(input),
    input.shell.encode.replaceAll('@awk@', tools.awk),
    input.shell.launch,
  ].join('\n');
}
