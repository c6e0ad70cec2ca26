// Owns the nftables script of a model: the static rules with the generated elements beside them. Same input, same bytes.
import { listElements } from './elements.ts';
import { checkModel, type FirewallModel } from './model.ts';

/** The files of `nftables/`, read by whoever has the disk. */
export interface StaticRules {
  readonly base: string;
  readonly strict: string;
}

export const tableName = 'inet cofferdam';

/** What takes the table away, and succeeds when there is none. */
export const removalScript = `table ${tableName}\ndelete table ${tableName}\n`;

/** The elements alone: what the file beside the rules says. Sets without elements are left out. */
export function renderElements(model: FirewallModel): string {
  return listElements(model)
    .filter(({ elements }) => elements.length > 0)
    .map(({ set, elements }) => `add element ${tableName} ${set} {\n${elements.map((e) => `\t${e},\n`).join('')}}\n`)
    .join('');
}

/** One script for `nft -f`, loaded in one transaction. Throws FIREWALL_INPUT for a model that must not be enforced. */
export function renderNftables(model: FirewallModel, rules: StaticRules): string {
  checkModel(model);
  const strict = model.mode === 'strict' ? [rules.strict] : [];
  return [rules.base, ...strict, renderElements(model)].join('\n');
}

export interface ScriptChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

// `SET: ELEMENT` for an element, so that it is the same line wherever its set stands; rules as they are.
function labelLines(script: string): string[] {
  let set: string | undefined;
  return script.split('\n').flatMap((line) => {
    const [, opened] = /^add element inet cofferdam (\S+) \{$/.exec(line) ?? [];
    if (opened !== undefined) set = opened;
    else if (line === '}') set = undefined;
    else if (set !== undefined) return [`${set}: ${line.trim().replace(/,$/, '')}`];
    const text = line.trim();
    return opened !== undefined || text === '' || text === '}' || text.startsWith('#') ? [] : [text];
  });
}

/** Which rules and elements differ between two scripts of ours; comments and order of sets do not count. */
export function compareScripts(before: string, after: string): ScriptChange {
  const count = (lines: readonly string[]) => {
    const counts = new Map<string, number>();
    for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
    return counts;
  };
  const [old, now] = [labelLines(before), labelLines(after)];
  const beyond = (lines: readonly string[], other: Map<string, number>) =>
    lines.filter((line) => {
      const left = other.get(line) ?? 0;
      other.set(line, left - 1);
      return left <= 0;
    });
  return { added: beyond(now, count(old)), removed: beyond(old, count(now)) };
}
