// Owns edits of ports.yaml: the one entry changes, and every comment stays.
import { test } from 'tap';
import {
  addAssigned,
  addService,
  findByName,
  firstRegistry,
  removeRegistration,
} from '../../../lib/policy/ports/edit.ts';
import { parseRegistry } from '../../../lib/policy/ports/registry.ts';

const text = `# ours
ranges: [{first: 20000, last: 20009}]   # few
services:
  # the one that everybody knows
  - name: web # tell bob
    port: 8080
`;

test('an assigned port is appended, and taking it out again leaves the rest as it was', async (t) => {
  const once = addAssigned(text, 'p.yaml', 'work.8000', 20003);
  t.equal(once, `${text}assigned:\n  - name: work.8000\n    port: 20003\n`);
  const twice = addAssigned(once, 'p.yaml', 'work.9000', 20004);
  const found = findByName(parseRegistry(twice, 'p.yaml', 'alice'), 'work.9000');
  t.equal(removeRegistration(twice, 'p.yaml', found), once);
});

test('a service is written with what is not as by default', async (t) => {
  const plain = addService(text, 'p.yaml', { name: 'a', port: 1, protocol: 'tcp', address: '127.0.0.1' });
  t.equal(plain, `${text}  - name: a\n    port: 1\n`);
  const full = addService(text, 'p.yaml', { name: 'a', port: 1, protocol: 'udp', address: '::', owner: 'bob' });
  const [, made] = parseRegistry(full, 'p.yaml', 'alice').registrations;
  t.match(made, { name: 'a', port: 1, protocol: 'udp', address: '::', owner: 'bob' });
});

test('what a new file begins with is read, and has the range that it shows', async (t) => {
  t.strictSame(parseRegistry(firstRegistry, 'p.yaml', 'alice').ranges, [{ first: 20000, last: 20999 }]);
});

test('refuses to take out what is not there, and names the nearest', async (t) => {
  t.throws(() => findByName(parseRegistry(text, 'p.yaml', 'alice'), 'wep'), {
    code: 'PORT_UNREGISTERED',
    message: /did you mean "web"/,
  });
});

test('refuses a text that it cannot edit without changing more', async (t) => {
  t.throws(() => addAssigned('assigned: {}\n', 'p.yaml', 'a', 1), {
    code: 'POLICY_EDIT',
    remedy: /sandbox ports check/,
  });
});
