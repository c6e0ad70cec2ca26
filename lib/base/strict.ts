// Owns turning a located document into a typed value, with every fault at its line, its key and the nearest known key.
import type { z } from 'zod';
import { CofferdamError } from './errors.ts';
import { didYouMean } from './nearest.ts';
import { printable } from './printable.ts';
import type { KeyPath, Located } from './yaml.ts';

type Unwrappable = {
  unwrap?: () => z.ZodType;
  shape?: Record<string, z.ZodType>;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: z.ZodType[];
};

/** The keys that the object at `path` in `schema` knows: for "did you mean". */
export function knownKeys(schema: z.ZodType, path: KeyPath): string[] {
  let current: z.ZodType | undefined = schema;
  const peel = (type: z.ZodType | undefined): z.ZodType | undefined => {
    let inner = type;
    while (inner !== undefined && (inner as Unwrappable).unwrap !== undefined && !('element' in inner))
      inner = (inner as Unwrappable).unwrap?.();
    return inner;
  };
  current = peel(current);
  for (const step of path) {
    const holder = current as Unwrappable | undefined;
    current = peel(holder?.shape?.[String(step)] ?? holder?.element ?? holder?.valueType);
  }
  return Object.keys((current as Unwrappable | undefined)?.shape ?? {});
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType): { path: KeyPath; text: string }[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => ({ path: [...path, key], text: `unknown key${didYouMean(key, known)}` }));
  }
  return [{ path, text: printable(issue.message, 300) }];
}

function keyText(path: KeyPath): string {
  const text = path
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${step}`))
    .join('');
  return printable(text === '' ? '(document)' : text, 120);
}

/**
 * `document` as `schema` types it. Throws CONFIG_INVALID whose message is the first fault,
 * `profiles/py.yaml:7:3  limits.memroy: unknown key; did you mean "memory"?`, and whose details are all of them.
 */
export function parseStrict<T extends z.ZodType>(schema: T, document: Located): z.output<T> {
  const result = schema.safeParse(document.value ?? {});
  if (result.success) return result.data;
  const faults = result.error.issues
    .flatMap((issue) => describe(issue, schema))
    .map(({ path, text }) => `${document.where(path)}  ${keyText(path)}: ${text}`);
  throw new CofferdamError('CONFIG_INVALID', faults[0] ?? `${document.file}: invalid`, { details: faults });
}
