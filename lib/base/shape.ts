// Owns checking JSON that we wrote ourselves, or a tool of the host did. zod checks what people write, in words for them; it takes longer to load than
// a command such as `sandbox ps` to run, and for a file of our own "damaged" is all that there is to say.

/** Gives `value` as what it is; throws a TypeError when it is something else. */
export type Shape<T> = (value: unknown) => T;
export type ShapeOf<S> = S extends Shape<infer T> ? T : never;

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Optional<F extends Fields> = { [K in keyof F]: undefined extends ShapeOf<F[K]> ? K : never }[keyof F];
/** Keys that may be undefined may be missing. */
type Shaped<F extends Fields> = { [K in Exclude<keyof F, Optional<F>>]: ShapeOf<F[K]> } & {
  [K in Optional<F>]?: ShapeOf<F[K]>;
} extends infer T
  ? { [K in keyof T]: T[K] }
  : never;

function check<T>(is: (value: unknown) => value is T, what: string): Shape<T> {
  return (value) => {
    if (is(value)) return value;
    throw new TypeError(`is not ${what}`);
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function inside<T>(key: string | number, shape: Shape<T>, value: unknown): T {
  try {
    return shape(value);
  } catch (cause) {
    throw new TypeError(`${key}: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
}

export const text = check((value): value is string => typeof value === 'string', 'text');
export const flag = check((value): value is boolean => typeof value === 'boolean', 'true or false');

/** Text that `pattern` matches. */
export function matching(pattern: RegExp): Shape<string> {
  const is = (value: unknown): value is string => typeof value === 'string' && pattern.test(value);
  return check(is, `text like ${pattern.source}`);
}

/** A whole number that JSON keeps exactly. */
export function whole(least: number): Shape<number> {
  return check((value): value is number => Number.isSafeInteger(value) && Number(value) >= least, 'a whole number');
}

export function oneOf<const T extends readonly (string | number)[]>(...values: T): Shape<T[number]> {
  return check((value): value is T[number] => values.some((one) => one === value), `one of ${values.join(', ')}`);
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value) => (value === null ? null : shape(value));
}

export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value) => (value === undefined ? undefined : shape(value));
}

/** What an older version did not write. */
export function orElse<T>(shape: Shape<T>, missing: T): Shape<T> {
  return (value) => (value === undefined ? missing : shape(value));
}

export function list<T>(each: Shape<T>, least = 0): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length < least) throw new TypeError('is not a list, or too short');
    return value.map((one: unknown, at) => inside(at, each, one));
  };
}

export function pair<A, B>(first: Shape<A>, second: Shape<B>): Shape<[A, B]> {
  return (value) => {
    if (!Array.isArray(value) || value.length !== 2) throw new TypeError('is not a pair');
    return [inside(0, first, value[0]), inside(1, second, value[1])];
  };
}

/** Any keys, all values alike. */
export function dictionary<T>(each: Shape<T>): Shape<Record<string, T>> {
  return (value) => {
    if (!isRecord(value)) throw new TypeError('is not an object');
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inside(key, each, one)]));
  };
}

function checked<F extends Fields>(fields: F, value: Record<string, unknown>): Shaped<F> {
  const entries = Object.entries(fields).map(([key, shape]) => {
    const given = Object.hasOwn(value, key) ? value[key] : undefined;
    return [key, inside(key, shape, given)] as const;
  });
  return Object.fromEntries(entries.filter(([, one]) => one !== undefined)) as Shaped<F>;
}

/** These keys, and any others as they are: what another program wrote, or another version of ours. */
export function open<F extends Fields>(fields: F): Shape<Shaped<F> & Readonly<Record<string, unknown>>> {
  return (value) => {
    if (!isRecord(value)) throw new TypeError('is not an object');
    return { ...value, ...checked(fields, value) };
  };
}

/** These keys and no others. */
export function object<F extends Fields>(fields: F): Shape<Shaped<F>> {
  return (value) => {
    if (!isRecord(value)) throw new TypeError('is not an object');
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(fields, key));
    if (unknown !== undefined) throw new TypeError(`has an unknown key ${JSON.stringify(unknown).slice(0, 80)}`);
    return checked(fields, value);
  };
}
