// Owns turning a located document into a typed value, with every fault at its line, its key and the nearest known key.
import type { z } from 'zod';
import { CofferdamError } from './errors.ts';
import { didYouMean } from './nearest.ts';
import { printable } from './printable.ts';
import type { KeyPath, Located } from './yaml.ts';

type Unwrappable = {
  unwrap?: () => z.ZodType;
  in?: z.ZodType;
  shape?: Record<string, z.ZodType>;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: z.ZodType[];
};

function peel(type: z.ZodType | undefined): z.ZodType | undefined {
  let inner = type as Unwrappable | undefined;
  while (inner !== undefined && inner.shape === undefined && inner.element === undefined) {
    // A union (`name` or `{name, digest}`) knows the keys of its object.
    const next: z.ZodType | undefined =
      inner.options === undefined
        ? (inner.unwrap?.() ?? inner.in)
        : inner.options.find((option) => (peel(option) as Unwrappable | undefined)?.shape !== undefined);
    if (next === undefined) break;
    inner = next as Unwrappable;
  }
  return inner as z.ZodType | undefined;
}

/** The keys that the object at `path` in `schema` knows: for "did you mean". */
export function knownKeys(schema: z.ZodType, path: KeyPath): string[] {
  let current = peel(schema) as Unwrappable | undefined;
  for (const step of path) {
    const shape = current?.shape;
    const named = shape !== undefined && Object.hasOwn(shape, String(step)) ? shape[String(step)] : undefined;
    current = peel(named ?? current?.element ?? current?.valueType) as Unwrappable | undefined;
  }
  return Object.keys(current?.shape ?? {});
}

export interface Fault {
  readonly path: KeyPath;
  readonly text: string;
}

const noValue = 'has no value; give it one or take the key out';

const kinds: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
};

function valueAt(value: unknown, path: KeyPath): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

function typeText(issue: z.core.$ZodIssueInvalidType, value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return noValue;
  const wanted = `must be ${kinds[issue.expected] ?? issue.expected}`;
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  return issue.expected === 'string' && scalar ? `${wanted}; put it in quotes` : wanted;
}

function boundText(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const unit = { string: ' characters', array: ' entries', set: ' entries' }[issue.origin as string] ?? '';
  return issue.code === 'too_small'
    ? `must be at least ${issue.minimum}${unit}`
    : `must be at most ${issue.maximum}${unit}`;
}

function isOwn(issue: z.core.$ZodIssue): boolean {
  return !/^(Invalid input$|Invalid input: |Too (big|small): )/.test(issue.message);
}

function describe(issue: z.core.$ZodIssue, before: KeyPath, schema: z.ZodType, root: unknown): Fault[] {
  const path = [...before, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  const value = valueAt(root, path);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schema, path);
      return issue.keys.map((key) => ({ path: [...path, key], text: `unknown key${didYouMean(key, known)}` }));
    }
    case 'invalid_union': {
      // The alternative that the value's own type is meant for; else all of them are wrong.
      const meant = issue.errors.find(
        (faults) => !faults.some((f) => f.path.length === 0 && f.code === 'invalid_type'),
      );
      if (meant !== undefined) return meant.flatMap((inner) => describe(inner, path, schema, root));
      return [{ path, text: value === null ? noValue : isOwn(issue) ? issue.message : 'has the wrong form' }];
    }
    case 'invalid_key':
      return issue.issues.map((inner) => ({ path, text: inner.message }));
    case 'invalid_value': {
      const options = issue.values.map(String);
      const near = typeof value === 'string' ? didYouMean(value, options) : '';
      const none = value === null ? 'has no value; it ' : '';
      return [{ path, text: `${none}must be one of ${options.join(', ')}${near}` }];
    }
    case 'invalid_type':
      // A schema's own words ("not a size") say more than the type, but not about a value that isn't there.
      return [{ path, text: isOwn(issue) && value != null ? issue.message : typeText(issue, value) }];
    case 'too_small':
    case 'too_big':
      return [{ path, text: isOwn(issue) ? issue.message : boundText(issue) }];
    default:
      return [{ path, text: issue.message }];
  }
}

/** The faults of `value` against `schema` in our words, one for each place, in the schema's order. */
export function findFaults(error: z.ZodError, schema: z.ZodType, value: unknown): Fault[] {
  const seen = new Set<string>();
  return error.issues
    .flatMap((issue) => describe(issue, [], schema, value))
    .filter(({ path }) => {
      // What has the wrong type also has the wrong length: only the first is news.
      const place = JSON.stringify(path);
      return !seen.has(place) && seen.add(place);
    });
}

/** `["mounts", 0, "target"]` as `mounts[0].target`. */
export function keyText(path: KeyPath): string {
  const text = path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${step}`))
    .join('');
  return printable(text === '' ? '(document)' : text, 120);
}

/** Lines that begin with `file:line:column  `, in the order in which their places stand in the file. */
export function inFileOrder(lines: readonly string[]): string[] {
  // One number orders them: a line of ours is at most 1 MiB long.
  const order = (text: string) => {
    const [, line = '0', column = '0'] = /^.*?:([0-9]+):([0-9]+) {2}/.exec(text) ?? [];
    return Number(line) * 2 ** 21 + Number(column);
  };
  return lines.toSorted((a, b) => order(a) - order(b));
}

/**
 * `document` as `schema` types it. Throws CONFIG_INVALID whose message is the first fault in the file,
 * `profiles/py.yaml:7:3  limits.memroy: unknown key; did you mean "memory"?`, and whose details are all, in file order.
 */
export function parseStrict<T extends z.ZodType>(schema: T, document: Located): z.output<T> {
  const value = document.value ?? {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = findFaults(result.error, schema, value);
  const lines = inFileOrder(
    faults.map(({ path, text }) => `${document.where(path)}  ${keyText(path)}: ${printable(text, 300)}`),
  );
  throw new CofferdamError('CONFIG_INVALID', lines[0] ?? `${document.file}: invalid`, { details: lines });
}
