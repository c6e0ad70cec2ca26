// Owns --tool and --profile of `firewall`: whose rules are meant.
import { type Command, Option } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { globalScope, type Scope } from '../policy/policy.ts';
import { scopeNames } from '../policy/schema.ts';

export interface ScopeOptions {
  readonly tool?: string;
  readonly profile?: string;
}

/** The two options on `command`; `conflict` where only one scope can be meant. */
export function addScopeOptions(command: Command, conflict: boolean): Command {
  const tool = new Option('--tool <id>', 'the rules of one tool, such as web.search@v1');
  const profile = new Option('--profile <name>', 'the rules of one profile');
  return command.addOption(conflict ? tool.conflicts('profile') : tool).addOption(profile);
}

/** Throws USAGE for what no tool or profile can be called. */
export function checkScopeNames({ tool, profile }: ScopeOptions): void {
  for (const [kind, name] of [['tool', tool] as const, ['profile', profile] as const]) {
    const fault = name === undefined ? undefined : scopeNames[kind].safeParse(name).error?.issues[0]?.message;
    if (fault !== undefined)
      throw new CofferdamError('USAGE', `--${kind} "${printable(name ?? '', 80)}" is ${fault}`, {
        remedy: 'see: firewall --help',
      });
  }
}

/** The one scope that an edit is about; global without options. */
export function scopeOf(options: ScopeOptions): Scope {
  checkScopeNames(options);
  if (options.tool !== undefined) return { kind: 'tool', name: options.tool };
  return options.profile === undefined ? globalScope : { kind: 'profile', name: options.profile };
}
