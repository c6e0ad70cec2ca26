// Owns the JSON Schema of a profile, for editors and for everything that walks its keys.
import { z } from 'zod';
import { durationPattern, sizePattern } from '../base/units.ts';
import { profileSchema } from './schema.ts';

/** The part of JSON Schema that our schemas come out as. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
}

/** `schema` as JSON Schema 2020-12 of what a file may hold. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
}

/** What `sandbox profile schema` prints: editors complete and check a profile with it. */
export function profileJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = toJsonSchema(profileSchema) as Readonly<Record<string, unknown>>;
  return { $schema, $id: 'urn:cofferdam:profile:1', title: 'Cofferdam profile', ...rest };
}

export interface SchemaKey {
  /** `['mounts', '[]', 'source']`; `[]` stands for each entry of a list. */
  readonly path: readonly string[];
  readonly type: string;
  readonly schema: JsonSchema;
}

function typeOf(schema: JsonSchema): string {
  if (schema.pattern === sizePattern.source) return 'size';
  if (schema.pattern === durationPattern.source) return 'duration';
  if (schema.enum !== undefined) return schema.enum.join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`;
  if (schema.type === 'object') return schema.properties === undefined ? 'map of text' : 'map';
  return (
    { string: 'text', integer: 'whole number', boolean: 'true, false' }[schema.type ?? ''] ?? schema.type ?? 'text'
  );
}

/** Every key of a JSON schema in its order: groups, keys in groups, keys of entries of lists. */
export function listKeys(schema: JsonSchema, path: readonly string[] = []): SchemaKey[] {
  const inner = schema.anyOf?.find((option) => option.properties !== undefined) ?? schema.items ?? schema;
  const prefix = schema.items === undefined ? path : [...path, '[]'];
  return Object.entries(inner.properties ?? {}).flatMap(([name, key]) => {
    const here = [...prefix, name];
    return [{ path: here, type: typeOf(key), schema: key }, ...listKeys(key, here)];
  });
}
