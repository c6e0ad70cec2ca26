// Tests the way out of a worker host: one bridge and one Squid, of accounts of their own, for all callers and for none beside them.
import { type Test, test } from 'tap';
import { install, newId, sandboxFile } from '../../system/scene.ts';
import { word } from './offers.ts';
import { makeWayScene, one, policy, two, type WayScene } from './scene.ts';
import { workerHost } from './workerHost.ts';

/** Another caller, who needs no account. */
const stranger = 65_533;
const onlyOne = policy(`global: {allow: ["${one}"]}\n`);
const curl = (name: string) => `curl -sS --max-time 20 https://${name}/hello.txt`;

/** A run of the plain user, as it is typed. */
function runOf({ workspace }: WayScene): string {
  return `as "$PLAIN" ${sandboxFile} run -p base-tools --network proxy --workspace ${workspace}:ro --env CURL_CA_BUNDLE=/workspace/ca.pem`;
}

// argv: a port of loopback, or the path of a socket and what to say there. Prints `reached`, or the answer, or what the kernel said.
const knock = `import socket, sys
there = sys.argv[1]
s = socket.socket(socket.AF_UNIX if '/' in there else socket.AF_INET); s.settimeout(10)
try:
    s.connect(there if '/' in there else ('127.0.0.1', int(there)))
    if len(sys.argv) > 2: s.sendall(sys.argv[2].encode() + b'\\n'); print(s.makefile().readline().strip())
    else: print('reached')
except OSError as fault: print(type(fault).__name__)`;

const prepare = `squid() { grep -lx squid /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3; }
knock() { as "$1" python3 -c "$KNOCK" "$2" \${3:+"$3"}; }
start_proxy
start_bridge
`;

async function on(t: Test, way: WayScene, script: string) {
  // The caller's own policy would let more out, and is not asked.
  way.writePolicy(policy(`global: {allow: ["${one}", "${two}"]}\n`));
  const host = workerHost(way, onlyOne, [stranger]);
  const ended = await host.shell(`KNOCK=$(cat <<'END'\n${knock}\nEND\n)\n${prepare}${script}`);
  t.equal(ended.status, 0, `${ended.stderr}\n${ended.stdout}`);
  /** What stands after `=== TITLE`, up to the next. */
  const said = (title: string) =>
    ended.stdout
      .split('=== ')
      .find((part) => part.startsWith(`${title}\n`))
      ?.slice(title.length + 1)
      .trim() ?? 'nothing was said';
  return { ...ended, said };
}

test("a caller's sandbox reaches what the host's policy lists, by a bridge and a proxy of other accounts", async (t) => {
  const way = await makeWayScene(t);
  const run = runOf(way);
  const { said, stderr } = await on(
    t,
    way,
    `
echo '=== first'
${run} -- sh -c '${curl(one)}; ${curl(two)}; true'
echo '=== processes'
for process in /proc/[0-9]*; do
	case $(cat $process/comm) in squid | node* | MainThread) stat -c '%U' $process && tr '\\0' ' ' <$process/cmdline && echo ;; esac
done
before=$(squid)
kill -9 $before
other_squid() { [ -n "$(squid)" ] && [ "$(squid)" != "$before" ]; }
echo '=== after a death'
${run} -- sh -c '${curl(one)}'
other_squid && echo another
echo '=== changes'
for turn in 1 2 3 4; do
	printf '%s\\n# %s\\n' "$POLICY" $turn >/etc/cofferdam/firewall.yaml
	${run} -- sh -c '${curl(one)}'
done
echo '=== log'
as "$PLAIN" ${install}/bin/firewall log --json | grep -c '"${one}"'
as "$PLAIN" ${install}/bin/firewall denied --json
echo '=== log of root'
${install}/bin/firewall log --json
echo '=== end'
`,
  );
  t.equal(said('first'), word);
  t.match(stderr, /response 403/);
  t.match(said('processes'), /^cofferdam-proxy\n\/usr\/sbin\/squid /m);
  t.match(said('processes'), /^cofferdam-bridge\n.*egress-service\.cjs bridge/m);
  t.notMatch(said('processes'), /^root\n.*egress/m);
  t.equal(said('after a death'), `${word}\nanother`);
  t.equal(said('changes'), [word, word, word, word].join('\n'), 'each by another of the two ports');
  t.match(said('log'), /^6\n/);
  t.match(said('log'), new RegExp(`"host": "${two}"`));
  t.equal(said('log of root'), '', "another caller's is not told");
});

test('refuses everybody but the caller at its socket, and everybody but the bridge at the proxy', async (t) => {
  const way = await makeWayScene(t);
  const run = runOf(way);
  const id = newId();
  const open = `{"do":"run","id":"${id}","tool":null,"profile":"base-tools","asks":false,"allow":null}`;
  const { said } = await on(
    t,
    way,
    `
at() { echo "/run/cofferdam/egress/callers/$1/way/control.sock"; }
status='{"do":"status"}'
echo '=== own'
knock ${stranger} "$(at ${stranger})" "$status" | cut -c 1-10
knock 0 "$(at 0)" "$status" | cut -c 1-10
echo '=== others'
knock ${stranger} "$(at "$PLAIN_UID")" "$status"
knock ${stranger} "$(at 0)" "$status"
knock ${stranger} /run/cofferdam/egress/proxy.sock
as ${stranger} ls "/run/cofferdam/egress/callers/$PLAIN_UID" "/var/lib/cofferdam/egress/$PLAIN_UID" 2>&1 | grep -c 'Permission denied'
echo '=== same id'
mkfifo /run/cofferdam/go
exec 9<>/run/cofferdam/go
${run} --id ${id} -i -- sh -c 'echo up; read go' </run/cofferdam/go >/run/cofferdam/said &
live=$!
wait_for grep -q up /run/cofferdam/said
knock ${stranger} "$(at ${stranger})" '${open}' | cut -c 1-10
echo >/run/cofferdam/go
wait $live
echo '=== a bent path'
gate=/run/cofferdam/egress/callers/$PLAIN_UID
as "$PLAIN" mv "$gate/way" "$gate/aside"
mkdir -m 0700 /run/cofferdam/precious
chown cofferdam-bridge /run/cofferdam/precious
as "$PLAIN" ln -s /run/cofferdam/precious "$gate/way"
knock "$PLAIN" "$gate/aside/control.sock" '${open.replace(id, 'bent')}' | cut -c 1-10
stat -c '%a' /run/cofferdam/precious
ls /run/cofferdam/precious | wc -l
as "$PLAIN" rm "$gate/way"
as "$PLAIN" mv "$gate/aside" "$gate/way"
port=$(ss -Hltn 'sport = 3129 or sport = 3130' | awk '{ print $4 }' | cut -d : -f 2)
echo '=== before the wall'
knock ${stranger} "$port"
echo '=== behind the wall'
${install}/bin/firewall apply
knock ${stranger} "$port"
knock "$PLAIN" "$port"
knock 0 "$port"
${run} -- sh -c '${curl(one)}'
echo '=== end'
`,
  );
  t.equal(said('own'), '{"ok":true\n{"ok":true', 'control: the service answers who is there');
  t.equal(said('others'), 'PermissionError\nPermissionError\nPermissionError\n2');
  t.equal(said('same id'), '{"ok":true', 'ids of two callers do not meet');
  t.equal(said('a bent path'), '{"ok":true\n700\n0', 'the bridge follows no link of a caller');
  t.equal(said('before the wall'), 'reached', 'control');
  t.equal(
    said('behind the wall'),
    ['ConnectionRefusedError', 'ConnectionRefusedError', 'ConnectionRefusedError', word].join('\n'),
  );
});

test('refuses a run when the service of the host is down, and starts no other in its place', async (t) => {
  const way = await makeWayScene(t);
  const run = runOf(way);
  const { said, stderr } = await on(
    t,
    way,
    `
echo '=== control'
${run} -- sh -c '${curl(one)}'
kill -9 $bridge
wait $bridge || true
echo '=== down'
${run} -- sh -c '${curl(one)}' && echo 'it ran'
echo "status $?"
no_squid() { [ -z "$(squid)" ]; }
wait_for no_squid
find "$CALLER_HOME" -name control.sock
echo '=== again'
start_bridge
${run} -- sh -c '${curl(one)}'
echo '=== end'
`,
  );
  t.equal(said('control'), word);
  t.equal(said('down'), 'status 125');
  t.match(stderr, /the way out of this host does not answer uid \d+/);
  t.equal(said('again'), word);
});

test('root answers what callers ask for, a caller says no to its own, and nobody else anything', async (t) => {
  const way = await makeWayScene(t);
  const profile = way.scene.write('asks.yaml', 'image: {name: base-tools}\nnetwork: {mode: proxy, onDeny: ask}\n');
  const run = runOf(way).replace('-p base-tools', `-p ${profile}`);
  const { said } = await on(
    t,
    way,
    `
firewall=${install}/bin/firewall
at() { echo "/run/cofferdam/egress/callers/$1/way/control.sock"; }
answer() { printf '{"do":"answer","caller":%s,"id":"%s","answer":"%s","until":null}' "$PLAIN_UID" "$@"; }
code() { sed 's/.*"code":"\\([A-Z_]*\\)".*/\\1/'; }
waiting() { as "$PLAIN" $firewall requests --json | sed -n 's/.*"id": "\\(q[0-9a-f]*\\)".*/\\1/p'; }
is_asked() { [ -n "$(waiting)" ]; }
${run} -- sh -c '${curl(two)}' >/run/cofferdam/said 2>&1 &
held=$!
wait_for is_asked
id=$(waiting)
echo '=== asked'
$firewall requests --json | grep -E '"(caller|id|host|state)"' | tr -d ' ,"\n' | sed "s/$id/ID/;s/$PLAIN_UID/UID/"
echo '=== refused'
as "$PLAIN" $firewall approve "$id" 2>&1 >/dev/null | head -n 1
knock ${stranger} "$(at ${stranger})" "$(answer "$id" rejected)" | code
knock "$PLAIN" "$(at "$PLAIN_UID")" "$(answer "$id" approved)" | code
knock "$PLAIN" "$(at "$PLAIN_UID")" "$(answer q0 rejected)" | code
echo '=== still asked'
[ "$(waiting)" = "$id" ] && echo yes
echo '=== approved'
$firewall approve "$id" --yes --for 15m >/dev/null
wait $held
cat /run/cofferdam/said
$firewall denied --json | grep -o '"state": "[a-z]*"'
echo '=== rejected'
${run} -- sh -c 'curl -sS --max-time 120 https://three.example.org/' >/run/cofferdam/said 2>&1 &
held=$!
wait_for is_asked
as "$PLAIN" $firewall reject "$(waiting)" | cut -c 1-8
wait $held || echo "status $?"
grep -o 'response 403' /run/cofferdam/said
as "$PLAIN" $firewall denied --json | grep -o '"state": "[a-z]*"'
echo '=== one that lives on'
${run.replace(' run -p', ' create --name keeps --start -p')} 2>&1 | head -n 1
as "$PLAIN" ${sandboxFile} rm -f keeps >/dev/null
echo '=== end'
`,
  );
  t.equal(said('asked'), `caller:UIDid:IDhost:${two}state:waiting`);
  t.match(said('refused'), /the policy here is that of root\nHOST_FORBIDS\nHOST_FORBIDS\nREQUEST_UNKNOWN$/);
  t.equal(said('still asked'), 'yes');
  t.equal(said('approved'), `${word}\n"state": "approved"`);
  t.match(said('one that lives on'), /the way out of this host is for runs, and keeps no sandbox$/, 'refused by name');
  t.equal(said('rejected'), 'rejected\nstatus 56\nresponse 403\n"state": "approved"\n"state": "rejected"');
});
