// Owns whose a port is: the caller's own, nobody else's, and the host's before a user's.
import { test } from 'tap';
import { parseRegistry } from '../../../lib/policy/ports/registry.ts';
import { checkPlace, findRegistration, type Registries } from '../../../lib/policy/ports/resolve.ts';

const registries = (own: string, host?: string): Registries => ({
  own: parseRegistry(own, 'own.yaml', 'alice'),
  host: host === undefined ? undefined : parseRegistry(host, 'host.yaml', 'root'),
  account: 'alice',
});

const own =
  'services: [{name: web, port: 8080}, {name: ops, port: 8081, owner: bob}, {name: names, port: 53, protocol: udp}]';

test('a name gets its own registration, by itself or with its port', async (t) => {
  const all = registries(own);
  t.equal(findRegistration(all, { name: 'web', port: 0 })?.port, 8080);
  t.equal(findRegistration(all, { name: 'web', port: 8080 })?.port, 8080);
  t.equal(findRegistration(all, { name: 'other', port: 0 }), undefined, 'one may be assigned');
});

test('refuses a port of another name, and names its owner', async (t) => {
  const all = registries(own);
  const taken = { code: 'PORT_TAKEN', message: /registered for web, owner alice \(own\.yaml:1:12\)/ };
  t.throws(() => findRegistration(all, { name: 'other', port: 8080 }), taken);
  t.throws(() => checkPlace(all, { protocol: 'tcp', address: '0.0.0.0', port: 8080 }, 'other'), taken);
});

test('refuses a name whose owner is another account', async (t) => {
  const error = { code: 'PORT_TAKEN', message: /owner bob/ };
  for (const port of [0, 8081]) t.throws(() => findRegistration(registries(own), { name: 'ops', port }), error);
});

test('refuses a port that nobody registered, and one that is registered for UDP', async (t) => {
  for (const port of [9999, 53])
    t.throws(() => findRegistration(registries(own), { name: 'names', port }), { code: 'PORT_UNREGISTERED' });
});

test("refuses what the host's registry gives to somebody else, whatever the user's says", async (t) => {
  const host =
    'services: [{name: proxy, port: 8080, address: 0.0.0.0, owner: www-data}, {name: mine, port: 8090, owner: alice}]';
  const all = registries(own, host);
  const error = { code: 'PORT_TAKEN', message: /registered for proxy, owner www-data \(host\.yaml/ };
  for (const port of [0, 8080]) t.throws(() => findRegistration(all, { name: 'web', port }), error);
  t.equal(findRegistration(all, { name: 'mine', port: 0 })?.port, 8090, "the host's own word for an account holds");
  const root = registries('{}', 'services: [{name: web, port: 8080}]');
  t.equal(findRegistration(root, { name: 'web', port: 0 }), undefined, "root's names are in nobody's way");
});
