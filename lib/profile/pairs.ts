// Owns words of the form NAME=value on a command line: what stands in them, and of --env alone whether it may.
import { CofferdamError } from '../base/errors.ts';
import { checkEnvironment } from './environment.ts';

/** The last of one name holds. Throws `code`, never with a value. */
export function toPairs(words: readonly string[], flag: string, code: 'ENV_INVALID' | 'VALUE_INVALID') {
  const pairs = words.map((word) => {
    const equals = word.indexOf('=');
    if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)] as const;
    // The word may be a value whose name was forgotten: it is not shown.
    const shown = equals < 0 && /^[A-Za-z_][A-Za-z0-9_]{0,40}$/.test(word) ? ` "${word}"` : '';
    throw new CofferdamError(code, `${flag}${shown}: not of the form NAME=value`, {
      remedy: `write it as ${flag} NAME=value`,
    });
  });
  return Object.fromEntries(pairs);
}

/** Variables of `--env NAME=value`, checked. Throws ENV_INVALID, ENV_SECRET (never with the value). */
export function parseEnvironment(words: readonly string[]): Readonly<Record<string, string>> {
  const env = toPairs(words, '--env', 'ENV_INVALID');
  checkEnvironment(env, () => '--env ');
  return env;
}
