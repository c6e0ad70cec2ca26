// Owns the official OCI schema, closed: a key that it does not know is an error.
import { Ajv2019, type ValidateFunction } from 'ajv/dist/2019.js';
import standalone from 'ajv/dist/standalone/index.js';
import linuxSchema from './oci-schema/config-linux.json' with { type: 'json' };
import configSchema from './oci-schema/config-schema.json' with { type: 'json' };
import definitions from './oci-schema/defs.json' with { type: 'json' };
import linuxDefinitions from './oci-schema/defs-linux.json' with { type: 'json' };

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

// The draft-04 schema is open, so it accepts `root.readOnly`. Every object with properties is closed, except where that
// would forbid what another branch allows (members of allOf; blockIODevice, which is extended by its users).
function close(node: Json, inAllOf: boolean, name: string): Json {
  if (Array.isArray(node)) return node.map((item) => close(item, inAllOf, name));
  if (node === null || typeof node !== 'object') return node;
  const copy: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === '$schema' || key === 'id') continue;
    copy[key] = close(value, key === 'allOf', key);
  }
  const open = inAllOf || name === 'blockIODevice';
  if (!open && typeof copy['properties'] === 'object') copy['unevaluatedProperties'] = false;
  return copy;
}

// Other platforms' parts are taken out, and with them the files they refer to.
function linuxOnly(schema: Json): Json {
  const copy = structuredClone(schema) as { properties: { [key: string]: Json } };
  for (const platform of ['solaris', 'windows', 'vm', 'zos']) delete copy.properties[platform];
  return copy;
}

function compile(source: boolean): { ajv: Ajv2019; validate: ValidateFunction } {
  const ajv = new Ajv2019({ strict: false, allErrors: true, ...(source ? { code: { source, esm: true } } : {}) });
  const add = (schema: unknown, file: string) => ajv.addSchema(close(schema as Json, false, '') as object, file);
  add(definitions, 'defs.json');
  add(linuxDefinitions, 'defs-linux.json');
  add(linuxSchema, 'config-linux.json');
  return { ajv, validate: ajv.compile(close(linuxOnly(configSchema as Json), false, '') as object) };
}

/** Says whether a value fits the schema; its `errors` say where it doesn't. */
export function makeValidator(): ValidateFunction {
  return compile(false).validate;
}

/** The same as a module that needs no ajv, for the build: making it takes longer than all else of a plan. */
export function renderValidator(): string {
  const { ajv, validate } = compile(true);
  return `${standalone.default(ajv, validate)}\nexport const makeValidator = () => validate;\n`;
}
