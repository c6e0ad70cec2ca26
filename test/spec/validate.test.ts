import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { CofferdamError } from '../../lib/base/errors.ts';
import { buildSpec } from '../../lib/spec/build.ts';
import { makeValidator, renderValidator } from '../../lib/spec/closedSchema.ts';
import type { OciSpec } from '../../lib/spec/types.ts';
import { validateSpec } from '../../lib/spec/validate.ts';
import { sampleRequest, shippedProfile } from './samples.ts';

type Loose = Record<string, unknown>;

const good = (): OciSpec => buildSpec(sampleRequest(shippedProfile('base-tools')));

const faults: Readonly<Record<string, (spec: OciSpec) => unknown>> = {
  'a misspelt key of the root, which the open schema accepts': (spec) => ({
    ...spec,
    root: { path: '/x', readOnly: true },
  }),
  'an unknown key at the top': (spec) => ({ ...spec, privileged: true }),
  'an unknown key of the process': (spec) => ({ ...spec, process: { ...spec.process, noNewPrivilege: true } }),
  'an unknown key of linux': (spec) => ({ ...spec, linux: { ...spec.linux, maskedPath: [] } }),
  'an unknown key of a namespace': (spec) => ({
    ...spec,
    linux: { ...spec.linux, namespaces: [{ type: 'pid', paht: '/x' }] },
  }),
  'an unknown key of a mount': (spec) => ({ ...spec, mounts: [{ destination: '/x', option: ['ro'] }] }),
  'a host id that is no uint32': (spec) => ({
    ...spec,
    linux: { ...spec.linux, uidMappings: [{ containerID: 0, hostID: 4_294_967_296, size: 1 }] },
  }),
  'a number where a string belongs': (spec) => ({ ...spec, process: { ...spec.process, args: ['x', 1] } }),
  'a missing version': (spec) => ({ ...spec, ociVersion: undefined }),
};

test('accepts what we build', (t) => {
  t.doesNotThrow(() => validateSpec(good()));
  t.end();
});

for (const [fault, break_] of Object.entries(faults)) {
  test(`refuses ${fault}`, (t) => {
    try {
      validateSpec(JSON.parse(JSON.stringify(break_(good()))) as Loose);
      t.fail('it was accepted');
    } catch (error) {
      t.ok(error instanceof CofferdamError && error.code === 'SPEC_INVALID', String(error));
      t.ok(error instanceof CofferdamError && error.details.length > 0, 'and says where');
    }
    t.end();
  });
}

test('what the build makes of the schema beforehand finds the same', async (t) => {
  const file = join(t.testdir({ 'validator.mjs': renderValidator() }), 'validator.mjs');
  const ready = ((await import(file)) as { makeValidator: typeof makeValidator }).makeValidator();
  const made = makeValidator();
  t.ok(ready(good()));
  for (const [fault, break_] of Object.entries(faults)) {
    const spec = break_(good());
    t.notOk(ready(spec), fault);
    made(spec);
    t.strictSame(ready.errors, made.errors, fault);
  }
  const built = readFileSync(join(import.meta.dirname, '../../dist/spec/validator.js'), 'utf8');
  t.equal(built, renderValidator(), 'and stands in dist');
});
