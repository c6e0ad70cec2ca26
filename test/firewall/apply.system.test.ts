// Owns changing the host firewall by the command line: idempotent, undone by itself, gone without a trace.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { type HostScene, makeHost, noProxy } from './hostScene.ts';

const policy = 'global: {allow: [a.example]}\n';
const foreign = `table ip foreign {
	chain nat { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.17.0.0/16 masquerade
	}
}
`;

async function prepared(t: Test): Promise<HostScene> {
  const host = await makeHost(t);
  host.writePolicy(policy);
  t.match(host.run(['nft', '-f', '-'], foreign), { status: 0 });
  return host;
}

const listed = (host: HostScene) => host.run(['nft', '-a', 'list', 'table', 'inet', 'cofferdam']);
const exists = (host: HostScene, file: string) => host.run(['test', '-e', file]).status === 0;

test('a second apply changes nothing, and off leaves the host as it was', async (t) => {
  const host = await prepared(t);
  const before = host.ruleset();
  t.match(host.firewall('status'), { status: 0, stdout: /^off: / });
  t.match(host.firewall('apply'), { status: 0, stderr: /in force until the next boot/ });
  const first = listed(host);
  t.match(first.stdout, /231072-296607.*400000-465535/s, 'whoever was prepared is governed');
  t.notMatch(first.stdout, /500000/, 'and nobody else');
  t.match(host.firewall('apply'), { status: 0, stderr: /nothing was changed/ });
  t.equal(listed(host).stdout, first.stdout, 'not even a handle is new');
  t.match(host.firewall('status'), { status: 0, stdout: /^in force as applied; the next boot does not load it/ });
  t.match(host.ruleset(), /table ip foreign/, 'tables of others stay');
  t.match(host.firewall('off'), { status: 0, stderr: /taken away/ });
  t.equal(host.ruleset(), before);
  t.equal(
    host.run(['find', '/etc/cofferdam', '/run/cofferdam', '-type', 'f', '-size', '+0']).stdout.match(/nft|pending/),
    null,
  );
  t.match(host.firewall('off'), { status: 0, stderr: /there was none/ });
});

const meddlings = {
  'a rule in front': ['insert rule inet cofferdam output accept', /\+ rule output 1 /],
  'a rule less': ['flush chain inet cofferdam sandbox_out', /- rule sandbox_out 1 /],
  'an element less': ['delete element inet cofferdam sandbox_uids { 231072-296607 }', /- element sandbox_uids /],
  'an element more': ['add element inet cofferdam private_ok4 { 10.0.0.0/8 }', /\+ element private_ok4 /],
  'another policy of a chain': [
    'add chain inet cofferdam output { type filter hook output priority filter - 10; policy drop; }',
    /\+ chain output /,
  ],
  'a table asleep': ['add table inet cofferdam { flags dormant; }', /\+ table cofferdam /],
  'no table': ['delete table inet cofferdam', /- chain output /],
  'everything flushed, as a reload of nftables.conf does': ['flush ruleset', /- chain output /],
} as const;

test('what somebody changes is drift, is shown, and an apply mends it', async (t) => {
  const host = await prepared(t);
  t.match(host.firewall('apply'), { status: 0 });
  for (const [name, [command, shown]] of Object.entries(meddlings)) {
    t.match(host.run(['nft', command]), { status: 0 }, name);
    const { status, stdout } = host.firewall('status');
    t.equal(status, 1, name);
    t.match(stdout, /^DRIFTED: /, name);
    t.match(stdout, shown, name);
    t.match(host.firewall('apply'), { status: 0, stderr: /in force/ }, name);
  }
  t.match(host.firewall('status'), { status: 0 });
  host.run(['nft', 'flush ruleset']);
  t.equal(JSON.parse(host.firewall('status', '--json').stdout).state, 'drifted');
  t.match(host.firewall('confirm'), { status: 125, stderr: /nothing is confirmed/ }, 'refuses to confirm it');
});

test('without its confirmation an apply undoes itself, and the one before is in force', async (t) => {
  const host = await prepared(t);
  const empty = host.ruleset();
  t.match(host.firewall('apply', '--confirm', '1s'), { status: 0, stderr: /in force for 1s/ });
  await untilRuleset(host, empty);
  t.equal(host.ruleset(), empty, 'there was no table before');
  t.notOk(exists(host, '/etc/cofferdam/firewall.nft'), 'the boot does not know of it');
  t.match(host.firewall('status'), { status: 0, stdout: /^off: / });

  t.match(host.firewall('apply'), { status: 0 });
  const first = host.ruleset();
  host.writePolicy('mode: strict\nglobal: {allow: ["a.example:8443"]}\n');
  const plan = host.firewall('plan');
  t.match(plan.stdout, /^\+ out_ports: 8443$/m);
  t.match(plan.stdout, /^- out_ports: 443$/m);
  t.match(plan.stdout, /^\+ host_uids: 0-999$/m);
  t.match(host.firewall('apply'), { status: 2, stderr: /lock you out/ }, 'refuses strict without a way back');
  t.equal(host.ruleset(), first);
  t.match(host.firewall('apply', '--confirm', '1s'), { status: 0 });
  t.not(host.ruleset(), first);
  await untilRuleset(host, first);
  t.equal(host.ruleset(), first);
  t.match(host.firewall('status'), { status: 0, stdout: /^in force as applied/ });
});

async function untilRuleset(host: HostScene, wanted: string): Promise<void> {
  for (let look = 0; look < 1200 && host.ruleset() !== wanted; look++) await sleep(100);
  // The timer loads first and then puts its files right.
  for (let look = 0; look < 2400 && exists(host, '/run/cofferdam/firewall/pending'); look++) await sleep(50);
}

/** Whether the timer of a way back waits: a shell in the mount namespace of this host. */
const isTimed = (host: HostScene) =>
  host.run([
    ...['sh', '-c'],
    'for pid in $(pgrep -f "[w]ayback.sh"); do [ "$(readlink /proc/$pid/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ] || exit 0; done; exit 1',
  ]).status === 0;

test('what is confirmed stays, and is what the next boot loads', async (t) => {
  const host = await prepared(t);
  t.match(host.firewall('confirm'), { status: 125, stderr: /no apply/ }, 'refuses where there is none');
  t.match(host.firewall('apply', '--confirm', '10m'), { status: 0 });
  t.ok(isTimed(host), 'control: the way back waits');
  t.match(host.firewall('status').stdout, /waits for its confirmation/);
  t.match(host.firewall('apply'), { status: 125, stderr: /waits for its confirmation/ }, 'refuses another meanwhile');
  t.match(host.firewall('confirm'), { status: 0, stderr: /kept/ });
  const kept = host.ruleset();
  for (let look = 0; look < 600 && isTimed(host); look++) await sleep(100);
  t.notOk(isTimed(host), 'the timer has ended');
  t.equal(host.ruleset(), kept, 'and found nothing to do');
  t.match(host.firewall('status'), { status: 0, stdout: /the next boot loads it/ });
  t.match(host.firewall('rollback'), { status: 125, stderr: /was confirmed/ }, 'refuses to undo it');
  host.run(['nft', 'flush', 'ruleset']);
  host.run(['rm', '-rf', '/run/cofferdam/firewall']);
  t.match(host.firewall('status'), { status: 1, stdout: /^DRIFTED/ }, 'a boot that did not load it is noticed');
  t.match(host.run(['nft', '-f', '/etc/cofferdam/firewall.nft']), { status: 0 }, 'what the unit does');
  t.match(host.firewall('status'), { status: 0, stdout: /^in force as applied/ });
  t.match(host.firewall('off'), { status: 0 });
  t.notOk(exists(host, '/etc/cofferdam/firewall.nft'));
});

test('rollback undoes the last apply at once', async (t) => {
  const host = await prepared(t);
  t.match(host.firewall('apply'), { status: 0 });
  const first = host.ruleset();
  host.writePolicy('global: {allow: [a.example], private: [{host: a.example, addresses: [10.8.0.0/16]}]}\n');
  t.match(host.firewall('apply', '--confirm', '10m'), { status: 0 });
  t.match(host.ruleset(), /10\.8\.0\.0\/16/);
  t.match(host.firewall('rollback'), { status: 0 });
  t.equal(host.ruleset(), first);
  t.match(host.firewall('rollback'), { status: 125 }, 'once');
});

test('a plan shows what an apply would load, for either backend, and loads nothing', async (t) => {
  const host = await prepared(t);
  const before = host.ruleset();
  const { script, changed, mode, applied } = JSON.parse(host.firewall('plan', '--json').stdout);
  t.strictSame({ changed, mode, applied }, { changed: true, mode: 'scoped', applied: false });
  t.match(host.firewall('plan').stdout, script);
  t.match(host.firewall('plan', '--backend', 'pf'), {
    status: 0,
    stdout: /user 992 /,
    stderr: /pfctl -n -a cofferdam/,
  });
  t.equal(host.ruleset(), before);
  t.match(host.run(['sh', '-c', 'cd /run/cofferdam && find . -type f']).stdout, /^$/);
  t.match(host.run(['nft', '-f', '-'], script), { status: 0 }, 'it is what nft takes');
  t.match(host.firewall('apply'), { status: 0, stderr: /nothing was changed/ }, 'and what an apply would have loaded');
});

test('two applies at once are one after the other', async (t) => {
  const host = await prepared(t);
  const ended = await host.firewallAtOnce(Array.from({ length: 4 }, () => ['apply']));
  t.strictSame(
    ended.map(({ status }) => status),
    [0, 0, 0, 0],
  );
  t.equal(ended.filter(({ stderr }) => /nothing was changed/.test(stderr)).length, 3);
  t.match(host.firewall('status'), { status: 0 });
});

test('refuses what could not be held, and changes nothing', async (t) => {
  const host = await makeHost(t, noProxy);
  t.match(host.firewall('apply'), { status: 125, stderr: /there is no policy/ }, 'without a policy');
  host.writePolicy(policy);
  t.match(host.firewall('apply'), { status: 125, stderr: /no proxy/ }, 'a policy that allows, and nobody who could');
  t.equal(host.ruleset(), '');
  host.writePolicy('global: {deny: [a.example]}\n');
  t.match(
    host.firewall('apply'),
    { status: 0, stderr: /sandboxes reach nothing/ },
    'one that allows nothing needs none',
  );
  const asUser = ['setpriv', '--reuid=1100', '--clear-groups', 'env', '-i', 'HOME=/tmp', 'PATH=/usr/bin:/usr/sbin'];
  for (const verb of ['apply', 'confirm', 'rollback', 'off', 'status']) {
    const file = new URL('../../bin/firewall', import.meta.url).pathname;
    t.match(host.run([...asUser, file, verb]), { status: 125, stderr: /takes root|cannot read/ }, `${verb} as a user`);
  }
});
