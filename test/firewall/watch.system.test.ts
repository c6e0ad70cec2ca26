// Owns that the end of the wall is noticed, whoever takes it away, and that tables of others are neither touched nor trusted.
import { createInterface } from 'node:readline';
import { type Test, test } from 'tap';
import { type HostScene, makeHost } from './hostScene.ts';

const policy = 'global: {allow: [a.example]}\n';

/** What docker, podman (netavark), firewalld and a host of its own put beside ours; and a set that looks like ours. */
const others = `table ip nat {
	chain DOCKER {
	}
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		jump DOCKER
	}
}
table ip filter {
	chain DOCKER-USER {
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		jump DOCKER-USER
	}
}
table inet netavark {
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
		ct state established accept
	}
}
table inet firewalld {
	set cofferdam {
		type inet_service
		elements = { 22 }
	}
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		tcp dport @cofferdam accept
	}
}
table ip cofferdam {
	chain output {
		type filter hook output priority filter; policy accept;
	}
}
`;

async function prepared(t: Test): Promise<HostScene> {
  const host = await makeHost(t);
  host.writePolicy(policy);
  return host;
}

function published(host: HostScene): string | undefined {
  const { status, stdout } = host.run(['cat', '/run/cofferdam/firewall.state']);
  return status === 0 ? JSON.parse(stdout).state : undefined;
}

test('whoever takes the wall away is noticed at once, and its return too', async (t) => {
  const host = await prepared(t);
  t.match(host.run(['nft', '-f', '-'], others), { status: 0 });
  const lines = createInterface(host.startFirewall('watch').stderr)[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value;
  t.equal(await next(), 'firewall: the wall is absent');
  t.match(host.firewall('apply'), { status: 0 });
  t.equal(await next(), 'firewall: the wall is verified');
  t.equal(published(host), 'verified');
  t.equal(host.run(['stat', '-c', '%U %a', '/run/cofferdam/firewall.state']).stdout, 'root 644\n');
  for (const command of [
    'flush ruleset',
    'delete table inet cofferdam',
    'flush table inet cofferdam',
    'insert rule inet cofferdam output accept',
  ]) {
    t.match(host.run(['nft', command]), { status: 0 }, command);
    t.equal(await next(), 'firewall: the wall is drifted', command);
    t.equal(published(host), 'drifted');
    t.match(host.firewall('apply'), { status: 0 }, command);
    t.equal(await next(), 'firewall: the wall is verified', command);
  }
  t.match(host.run(['nft', 'delete table inet firewalld']), { status: 1 }, 'the flush took theirs: the control');
  t.match(host.firewall('off'), { status: 0 });
  t.equal(await next(), 'firewall: the wall is absent');
});

test('tables of docker, podman and firewalld, and one of our name in another family, stay as they are', async (t) => {
  const host = await prepared(t);
  t.match(host.run(['nft', '-f', '-'], others), { status: 0 });
  const before = host.ruleset();
  const theirs = () => host.ruleset().replace(/table inet cofferdam \{\n(?:\t.*\n|\n)*\}\n/, '');
  t.match(host.firewall('apply'), { status: 0 });
  t.equal(theirs(), before);
  t.match(host.firewall('apply'), { status: 0, stderr: /nothing was changed/ });
  t.match(host.run(['nft', 'add rule ip filter DOCKER-USER counter accept']), { status: 0 });
  t.match(host.run(['nft', 'delete table inet netavark']), { status: 0 });
  t.match(host.firewall('status'), { status: 0 }, 'what others do with theirs is no drift');
  t.match(host.firewall('confirm'), { status: 0 });
  t.match(host.firewall('off'), { status: 0 });
  t.match(host.ruleset(), /counter packets 0 bytes 0 accept|counter accept/, 'nor does off touch theirs');
});
