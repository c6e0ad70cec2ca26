// Owns what a model must not be: each fault alone is refused, by name.
import { test } from 'tap';
import { findNameServers, findProxy, findSandboxUids, uidOf } from '../../lib/firewall/identities.ts';
import { checkModel, checkReach, type FirewallModel } from '../../lib/firewall/model.ts';
import { sampleModel } from './world.ts';

const endpoint = { address: '127.0.0.1', port: 3129 };
const faults: Readonly<Record<string, readonly [Partial<FirewallModel>, RegExp]>> = {
  'nobody to govern': [{ sandboxUids: [] }, /around nobody/],
  'a range that ends before it begins': [{ sandboxUids: [{ first: 9, last: 8 }] }, /no range/],
  'a uid that means none': [{ sandboxUids: [{ first: 1, last: 4_294_967_295 }] }, /no range/],
  'root as a sandbox': [{ sandboxUids: [{ first: 0, last: 10 }] }, /root is among/],
  'root as the proxy': [{ proxy: { uid: 0, endpoints: [endpoint] } }, /must not run as root/],
  'root as the bridge': [{ bridgeUid: 0 }, /must not run as root/],
  'a proxy that is a sandbox': [{ proxy: { uid: 300_005, endpoints: [endpoint] } }, /one of the sandboxes'/],
  'a bridge that is the proxy': [{ bridgeUid: sampleModel.proxy?.uid }, /same uid/],
  'a proxy without a bridge': [{ bridgeUid: undefined, bridgeEndpoints: [] }, /no bridge/],
  'a proxy that listens nowhere': [{ proxy: { uid: 5, endpoints: [] } }, /listens nowhere/],
  'a proxy beyond loopback': [{ proxy: { uid: 5, endpoints: [{ address: '10.0.0.1', port: 1 }] } }, /loopback/],
  'a bridge on every address': [{ bridgeEndpoints: [{ address: '0.0.0.0', port: 1 }] }, /name one/],
  'a port that is none': [{ outPorts: [0] }, /no port/],
  'a name server by name': [{ dnsServers: ['dns.example'] }, /not the address/],
  'a name server with a zone': [{ dnsServers: ['fe80::1%eth0'] }, /not the address/],
  'an interface that is a pattern': [{ sandboxInterfaces: ['br*'] }, /not the interface/],
  'an interface that ends the line': [{ sandboxInterfaces: ['a" }\n'] }, /not the interface/],
  'loopback as the network of sandboxes': [{ sandboxInterfaces: ['lo'] }, /not the interface/],
  'a registered port by name': [{ ports: [{ protocol: 'tcp', address: 'localhost', port: 1 }] }, /no address and port/],
};

for (const [name, [change, words]] of Object.entries(faults)) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => checkModel({ ...sampleModel, ...change }), { code: 'FIREWALL_INPUT', message: words });
    t.end();
  });
}

test('refuses a policy that allows where no proxy could reach anything', (t) => {
  const none = { ...sampleModel, proxy: undefined };
  t.throws(() => checkReach(none, true), { code: 'FIREWALL_INPUT' });
  t.doesNotThrow(() => checkReach(none, false));
  t.doesNotThrow(() => checkReach(sampleModel, true));
  t.doesNotThrow(() => checkModel(sampleModel));
  t.end();
});

const passwd = 'root:x:0:0::/:/bin/sh\ncofferdam-proxy:x:992:992::/:/x\nann:x:1000:1000::/:/x\nbroken:x:zz:1::/:/x\n';

test('identities are those of the host’s files', (t) => {
  t.equal(uidOf(passwd, 'ann'), 1000);
  t.equal(uidOf(passwd, 'an'), undefined);
  t.equal(uidOf(passwd, 'broken'), undefined);
  t.equal(findProxy(passwd)?.uid, 992);
  t.equal(findProxy('root:x:0:0::/:/bin/sh\n'), undefined);
  const subuid = 'ann:100000:65536\n1000:300000:10\nbob:200000:65536\n# x\nann:5:0\nann:7\n';
  t.strictSame(findSandboxUids(passwd, subuid, ['ann']), [
    { first: 100_000, last: 165_535 },
    { first: 300_000, last: 300_009 },
  ]);
  t.strictSame(
    findNameServers('search x\nnameserver 10.0.0.1\n nameserver 9.9.9.9\nnameserver fe80::1%eth0\nnameserver ::1\n'),
    ['10.0.0.1', '::1'],
  );
  t.end();
});
