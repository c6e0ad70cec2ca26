// Owns what a plan leaves open: values that the launch script fills in, as tokens in config.json and variables in the script.
import type { SlotIds } from '../spec/uidmap.ts';

/** Ids no host uses (uid_t, below the reserved 2^32-1), so that they can be found again as text in the JSON. */
export const placeholderIds: SlotIds = {
  rootUid: 4_199_999_901,
  programUid: 4_199_999_902,
  rootGid: 4_199_999_903,
  programGid: 4_199_999_904,
};

export const placeholders = {
  runId: '@@RUN_ID@@',
  taskId: '@@TASK_ID@@',
  jobId: '@@JOB_ID@@',
  workspace: '@@WORKSPACE@@',
  argv: '@@ARGV@@',
} as const;

/** Token in the JSON text → shell variable that holds its JSON text. */
const variables: Readonly<Record<string, string>> = {
  [String(placeholderIds.rootUid)]: 'root_uid',
  [String(placeholderIds.programUid)]: 'program_uid',
  [String(placeholderIds.rootGid)]: 'root_gid',
  [String(placeholderIds.programGid)]: 'program_gid',
  [placeholders.runId]: 'id',
  [placeholders.taskId]: 'task',
  [placeholders.jobId]: 'job',
  [placeholders.workspace]: 'workspace_text',
  // The quotes go with it: the variable holds a list of JSON strings.
  [`"${placeholders.argv}"`]: 'argv_json',
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
