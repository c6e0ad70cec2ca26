// Owns --filter: which sandboxes a listing or a prune means.
import { CofferdamError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import { printable } from '../../base/printable.ts';
import type { Sandbox } from './sandbox.ts';
import { type SandboxState, sandboxStatuses } from './state.ts';

export interface Listed {
  readonly sandbox: Sandbox;
  readonly state: SandboxState;
}

type Filter = { readonly key: string; readonly test: (listed: Listed) => boolean };

const makers: Readonly<Record<string, (value: string) => (listed: Listed) => boolean>> = {
  id: (value) => (listed) => listed.sandbox.id.startsWith(value),
  name: (value) => (listed) => listed.sandbox.name.includes(value),
  profile: (value) => (listed) => listed.sandbox.profileName === value,
  status: (value) => {
    if (!sandboxStatuses.some((status) => status === value)) {
      throw new CofferdamError('USAGE', `--filter: there is no status "${printable(value, 40)}"`, {
        remedy: `use one of: ${sandboxStatuses.join(', ')}`,
      });
    }
    return (listed) => listed.state.status === value;
  },
  label: (value) => {
    const equals = value.indexOf('=');
    const name = equals < 0 ? value : value.slice(0, equals);
    return ({ sandbox: { labels } }) =>
      Object.hasOwn(labels, name) && (equals < 0 || labels[name] === value.slice(equals + 1));
  },
};

function parseFilter(text: string): Filter {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  const make = Object.hasOwn(makers, key) ? makers[key] : undefined;
  const known = Object.keys(makers);
  if (make === undefined || equals < 0 || equals === text.length - 1) {
    const what = make === undefined && equals > 0 ? 'names no field' : 'is not KEY=VALUE';
    throw new CofferdamError('USAGE', `--filter "${printable(text, 80)}" ${what}${didYouMean(key, known)}`, {
      remedy: `use one of: ${known.join(', ')}`,
    });
  }
  return { key, test: make(text.slice(equals + 1)) };
}

/**
 * A test for filters such as `label=a=b`, `name=web`, `status=running`: all kinds must hold; of one kind any one, but every
 * label. Throws USAGE.
 */
export function compileFilters(texts: readonly string[]): (listed: Listed) => boolean {
  const filters = texts.map(parseFilter);
  const keys = [...new Set(filters.map(({ key }) => key))];
  return (listed) =>
    keys.every((key) => {
      const group = filters.filter((filter) => filter.key === key);
      return key === 'label' ? group.every(({ test }) => test(listed)) : group.some(({ test }) => test(listed));
    });
}
