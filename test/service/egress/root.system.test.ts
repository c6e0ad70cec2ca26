// Tests that root's sandboxes have a way out, too: through a proxy that is not root's, by folders that nobody else can list.
import { test } from 'tap';
import { install, sandboxFile, sceneOf } from '../../system/scene.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, two } from './scene.ts';

test("root's sandbox reaches what is listed and nothing else, and its proxy is not root", async (t) => {
  // For the internet alone: root's own folders are ours in a mount namespace, and all that starts there ends with it.
  const way = await makeWayScene(t);
  const text = policy(`profiles: {base-tools: {allow: ["${one}"]}}\n`);
  const trust = `--workspace ${way.workspace}:ro --env CURL_CA_BUNDLE=/workspace/ca.pem`;
  const curl = (host: string) => `curl -sS --max-time 20 https://${host}/hello.txt`;
  const script = `set -eu
    for folder in /etc/cofferdam /run/cofferdam /var/lib/cofferdam/state; do mount -t tmpfs -o mode=0711 none $folder; done
    printf '%s' "$POLICY" >/etc/cofferdam/firewall.yaml
    ${sandboxFile} run -p base-tools --network proxy ${trust} -- sh -c '${curl(one)}; ${curl(two)}; true'
    for process in /proc/[0-9]*; do case $(cat $process/comm 2>/dev/null) in squid) stat -c 'squid %u' $process ;; esac; done
    stat -c '%a %n' /run/cofferdam/egress /run/cofferdam/egress/runs /run/cofferdam/egress/control.sock`;
  const words = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const ended = await sceneOf('root').spawn(
    '/usr/bin/nsenter',
    [`--net=/run/netns/${way.world.hostName}`, '/usr/bin/unshare', ...words, '/bin/sh', '-c', script],
    { env: { POLICY: text }, cwd: install },
  ).ended;
  const { stdout, stderr } = ended;
  t.equal(ended.status, 0, stderr);
  t.equal(stdout.split(word).length, 2, stdout);
  t.match(stderr, /response 403/);
  t.match(stdout, /^squid [1-9][0-9]*$/m, 'an uid that is not 0');
  t.match(stdout, /^711 .*egress$/m);
  t.match(stdout, /^711 .*runs$/m);
  t.match(stdout, /^600 .*control\.sock$/m);
});
