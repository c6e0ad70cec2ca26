// Owns gVisor as podman's runtime: podman in the namespaces around runsc, and the runtime that its monitor calls, which makes the
// sandbox from our bundle.
import { boundaryFlags, runscWords, type ScriptInput, type Start } from '../runsc/script.ts';
import { renderContainersConf, renderStorageConf } from './config.ts';

export interface MonitorTools {
  readonly podman: string;
  readonly conmon: string;
}

/** All that podman has and writes: of the run's own namespaces. It takes no path of more than 50 characters. */
const place = '/sys/fs/cgroup/podman';
const runtime = 'cofferdam-runsc';

/**
 * Called by podman and its monitor as they call runc: `OPTION... COMMAND OPTION... ID [SIGNAL]`. What the monitor waits for is a shell that
 * becomes `runsc run`: its `create` cannot make the sandboxes in which sentry and root outside are one (script.ts, "rootless"). Pure.
 */
export function renderRunscRuntime(input: ScriptInput): string {
  const { tools } = input;
  return `#!/bin/sh
# What podman runs in the place of runc. It makes the sandbox from the bundle of the run, as the launcher wrote it, and not from
# the one that podman wrote. There is one sandbox here, whatever podman calls it.
set -eu
umask 077
own=/sys/fs/cgroup
read -r id rootless <"$own/run"
fail() {
	printf 'sandbox: %s\n' "$1" >&2
	exit 1
}
runsc() {
	${runscWords(input)} "$@"
}
while [ $# -gt 0 ]; do
	case $1 in
	--log | --log-format | --root | --cgroup-manager) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
command=\${1:-} pid_file='' word=''
while [ $# -gt 0 ]; do
	[ "$word" != --pid-file ] || pid_file=$1
	word=$1
	shift
done
case $command in
create)
	{ [ -n "$pid_file" ] && [ ! -e "$own/pid" ]; } || fail 'podman asked for a sandbox in a way that we do not know'
	${tools.mkfifo} "$own/start"
	# Opened for both and before anybody can write, so that no word is lost. A shell gives its background commands /dev/null before
	# it looks at their redirections.
	exec 3<&0 4<>"$own/start"
	(
		read -r _ <&4
		exec 4<&-
		# The monitor is the parent by now, and its end is the end of the sandbox.
		exec ${tools.setpriv} --pdeathsig KILL ${runscWords(input)} \\
			${boundaryFlags(input)} --log "$own/log" --log-format json \\
			--panic-log "$own/panic" run --bundle "$own" "$id"
	) <&3 3<&- &
	printf %s "$!" >"$own/pid"
	printf %s "$!" >"$pid_file"
	;;
start)
	# For both here too: nothing waits for a reader who was killed.
	exec 4<>"$own/start"
	echo >&4
	: >"$own/begun"
	;;
state)
	read -r pid <"$own/pid" || [ -n "$pid" ] || fail 'no sandbox was made'
	state=stopped
	if kill -0 "$pid" 2>/dev/null; then
		state=running
		[ -e "$own/begun" ] || state=created
	fi
	printf '{"ociVersion":"1.0.2","id":"%s","status":"%s","pid":%s,"bundle":"%s"}\n' "$word" "$state" "$pid" "$own"
	;;
kill) runsc kill "$id" "$word" ;;
delete)
	runsc delete --force "$id"
	: >"$own/ended"
	;;
*) fail 'a sandbox is entered and changed by: sandbox' ;;
esac
`;
}

function heredoc(tools: ScriptInput['tools'], name: string, text: string): string {
  return `${tools.cat} >${place}/${name} <<'END'\n${text}END\n`;
}

/** Its end is that of podman's client, which gives the status that its monitor waited for. Pure. */
export function podmanStart(input: ScriptInput, monitor: MonitorTools): Start {
  const { tools } = input;
  const runtimes = { [runtime]: `${place}/${runtime}` };
  const lines = [
    `HOME=${place} CONTAINERS_CONF=${place}/containers.conf CONTAINERS_STORAGE_CONF=${place}/storage.conf`,
    `${monitor.podman} --root ${place}/store --runroot ${place}/state --tmpdir ${place}/tmp`,
    '--default-mounts-file /dev/null --log-level error',
    'run --rm --interactive --pull never --cgroups=disabled --sdnotify ignore --systemd=false --passwd=false --no-hosts',
    '--image-volume ignore --unsetenv-all --read-only --cap-drop all --security-opt no-new-privileges --network none',
    '--name "cofferdam-$id" --label "cofferdam.run=$id" --entrypoint /.cofferdam/not-by-this-bundle',
    `--rootfs ${place}/rootfs 5>&-`,
  ];
  return {
    before: `# podman is given nothing of the sandbox: an empty root, and a runtime that does not look at it.
${tools.mkdir} ${place}
${tools.mount} -t tmpfs -o nosuid,nodev,size=32m,nr_inodes=4096,mode=0700 podman ${place}
${tools.mkdir} ${place}/rootfs
${heredoc(tools, 'containers.conf', renderContainersConf({ conmon: monitor.conmon, runtimes }))}${heredoc(tools, 'storage.conf', renderStorageConf())}${heredoc(tools, runtime, renderRunscRuntime(input))}${tools.chmod} 0500 ${place}/${runtime}
printf '%s %s\\n' "$id" "$rootless" >"$own/run"
: >"$own/log"
`,
    command: lines.join(' \\\n\t'),
    after: `${tools.cat} "$own/log" >&5
# Else its status would look like the program's own: podman's own failures have statuses that programs have, too.
told=''
[ -e "$own/begun" ] || told='podman did not start it; what it said stands above'
[ -n "$told" ] || [ -e "$own/ended" ] || told='podman ended before the sandbox did'
if [ -n "$told" ]; then
	printf '{"level":"error","msg":"%s"}\\n' "$told" >&5
	status=125
fi
`,
  };
}
