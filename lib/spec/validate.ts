// Owns checking a spec against the official OCI schema, closed (closedSchema.ts).
import { CofferdamError } from '../base/errors.ts';
import { makeValidator } from './validator.ts';

let compiled: ReturnType<typeof makeValidator> | undefined;

/** Throws SPEC_INVALID naming every place where `spec` departs from the schema. */
export function validateSpec(spec: unknown): void {
  compiled ??= makeValidator();
  if (compiled(spec)) return;
  const faults = (compiled.errors ?? []).map(
    (fault) => `${fault.instancePath || '/'} ${fault.message ?? ''} ${JSON.stringify(fault.params)}`,
  );
  throw new CofferdamError('SPEC_INVALID', `the OCI spec is not valid: ${faults[0] ?? ''}`, { details: faults });
}
