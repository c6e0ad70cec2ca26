// Owns checking a spec against the official OCI schema, closed: a key that the schema does not know is an error.
import { Ajv2019, type ValidateFunction } from 'ajv/dist/2019.js';
import { CofferdamError } from '../base/errors.ts';
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

function compile(): ValidateFunction {
  const ajv = new Ajv2019({ strict: false, allErrors: true });
  const add = (schema: unknown, file: string) => ajv.addSchema(close(schema as Json, false, '') as object, file);
  add(definitions, 'defs.json');
  add(linuxDefinitions, 'defs-linux.json');
  add(linuxSchema, 'config-linux.json');
  return ajv.compile(close(linuxOnly(configSchema as Json), false, '') as object);
}

let compiled: ValidateFunction | undefined;

/** Throws SPEC_INVALID naming every place where `spec` departs from the schema. */
export function validateSpec(spec: unknown): void {
  compiled ??= compile();
  if (compiled(spec)) return;
  const faults = (compiled.errors ?? []).map(
    (fault) => `${fault.instancePath || '/'} ${fault.message ?? ''} ${JSON.stringify(fault.params)}`,
  );
  throw new CofferdamError('SPEC_INVALID', `the OCI spec is not valid: ${faults[0] ?? ''}`, { details: faults });
}
