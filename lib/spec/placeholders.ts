// Owns what a plan leaves open: values that the launch script fills in, as tokens in config.json and variables in the script.
import type { IdMapping } from './types.ts';
import type { SlotIds, SlotMap } from './uidmap.ts';

/** Ids no host uses (uid_t, below the reserved 2^32-1), so that they can be found again as text in the JSON. */
export const placeholderIds: SlotIds = {
  rootUid: 4_199_999_901,
  programUid: 4_199_999_902,
  rootGid: 4_199_999_903,
  programGid: 4_199_999_904,
};

/** The maps of a plan: the launch script computes all four host ids (idArithmetic), whoever the program is. */
export function templateMap(inside: { uid: number; gid: number }): SlotMap {
  const map = (id: number, root: number, program: number): IdMapping[] => [
    { containerID: 0, hostID: root, size: 1 },
    { containerID: id, hostID: program, size: 1 },
  ];
  return {
    uidMappings: map(inside.uid, placeholderIds.rootUid, placeholderIds.programUid),
    gidMappings: map(inside.gid, placeholderIds.rootGid, placeholderIds.programGid),
  };
}

export const placeholders = {
  runId: '@@RUN_ID@@',
  taskId: '@@TASK_ID@@',
  jobId: '@@JOB_ID@@',
  workspace: '@@WORKSPACE@@',
  wayOut: '@@WAY_OUT@@',
  argv: '@@ARGV@@',
} as const;

/** Token → variable of the launch script that holds its value as it is. */
export const templateVariables = {
  [String(placeholderIds.rootUid)]: 'root_uid',
  [String(placeholderIds.programUid)]: 'program_uid',
  [String(placeholderIds.rootGid)]: 'root_gid',
  [String(placeholderIds.programGid)]: 'program_gid',
  [placeholders.runId]: 'id',
  [placeholders.taskId]: 'task',
  [placeholders.jobId]: 'job',
  [placeholders.workspace]: 'workspace',
  [placeholders.wayOut]: 'way_out',
} as const;

/** Token in the JSON text → variable that holds its JSON text. */
const variables: Readonly<Record<string, string>> = {
  ...templateVariables,
  [placeholders.workspace]: 'workspace_text',
  [placeholders.wayOut]: 'way_out_text',
  // The quotes go with it: the variable holds a list of JSON strings.
  [`"${placeholders.argv}"`]: 'argv_json',
  // A key and its value, so no token that a profile could hold: a quote in a JSON string has a backslash before it.
  '"terminal": false': 'terminal_json',
};

/** What must not stand in a profile: it would be filled in. */
export const templateTokens: readonly string[] = [
  ...Object.values(placeholders),
  ...Object.values(placeholderIds).map(String),
  '@@DIGEST@@',
  '@@PLAN@@',
];

export interface TemplatePart {
  readonly kind: 'text' | 'variable';
  readonly value: string;
}

/** The JSON text cut at its placeholders. */
export function splitTemplate(json: string): TemplatePart[] {
  const tokens = Object.keys(variables).map((token) => token.replaceAll(/[@"]/g, '\\$&'));
  const cut = json.split(new RegExp(`(${tokens.join('|')})`));
  return cut
    .map((piece): TemplatePart => {
      const name = variables[piece];
      return name === undefined ? { kind: 'text', value: piece } : { kind: 'variable', value: name };
    })
    .filter((part) => part.value !== '');
}
