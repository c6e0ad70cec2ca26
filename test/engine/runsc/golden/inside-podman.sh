#!/bin/sh
# Becomes the root that runsc is run by, with a bundle and a state that end with these namespaces.
set -eu
id=$1 rootless=$2
# Nothing in here has a use for the host's control groups.
own=/sys/fs/cgroup
/usr/bin/mount -t tmpfs -o nosuid,nodev,size=8m,nr_inodes=256,mode=0700 runsc "$own"
/usr/bin/cat <&6 >"$own/config.json"
# What stands beside the program inside (adapt.ts). Copies, because the gofer passes no folder of the host's root either.
tools=/sys/fs/cgroup/tools
/usr/bin/mkdir "$tools"
for name in init within; do
	/usr/bin/cat "/proc/self/fd/4/$name" >"$tools/$name"
	/usr/bin/chmod 0555 "$tools/$name"
done
/usr/bin/cat /proc/self/fd/4/pty >/sys/fs/cgroup/pty
/usr/bin/chmod 0555 /sys/fs/cgroup/pty
/usr/bin/mkdir /sys/fs/cgroup/terminals
# Terminals of executions: of these namespaces, and not of the host.
/usr/bin/mount -t devpts -o newinstance,nosuid,noexec,ptmxmode=0600,mode=0600 devpts /sys/fs/cgroup/terminals
printf %s BgAAAAAA/38= | /usr/bin/base64 -d >"$tools/filter"
/usr/bin/chmod 0444 "$tools/filter"
/usr/bin/mount -t proc -o nosuid,nodev,noexec proc /proc
# shellcheck disable=SC2317 # called by the trap
runsc() {
	/usr/bin/runsc --root "$own/state" --rootless="$rootless" --platform ptrace "$@"
}
# Without a terminal runsc passes no signal on: our init hands it to the program.
trap 'runsc kill "$id" TERM >/dev/null 2>&1 || :' TERM
exec 3<&0 4<&- 6<&-
# podman is given nothing of the sandbox: an empty root, and a runtime that does not look at it.
/usr/bin/mkdir /sys/fs/cgroup/podman
/usr/bin/mount -t tmpfs -o nosuid,nodev,size=32m,nr_inodes=4096,mode=0700 podman /sys/fs/cgroup/podman
/usr/bin/mkdir /sys/fs/cgroup/podman/rootfs
/usr/bin/cat >/sys/fs/cgroup/podman/containers.conf <<'END'
# Cofferdam: nothing of the host's own containers.conf applies to a sandbox.
[containers]
annotations = []
apparmor_profile = ""
base_hosts_file = "none"
default_capabilities = []
default_sysctls = []
default_ulimits = []
devices = []
dns_servers = []
env = []
env_host = false
http_proxy = false
init = false
# A session keyring each exhausts the user's quota at the 198th sandbox.
keyring = false
label = false
# The guest's fds 0 to 2 are the supervisor's pipes: no copy in between, and nobody opens the host's /dev/null for it.
log_driver = "passthrough"
no_hosts = true
pids_limit = 0
volumes = []

[engine]
cgroup_manager = "cgroupfs"
conmon_path = ["/usr/bin/conmon"]
events_logger = "none"
hooks_dir = []
# Locks in the run's own folder instead of one shared memory segment for all runs of the user.
lock_type = "file"
runtime = "cofferdam-runsc"

# Those that leave control groups alone when told to. It reads the first name, whatever its manual says (4.3); newer ones the second.
runtime_supports_nocgroup = ["cofferdam-runsc"]
runtime_supports_nocgroups = ["cofferdam-runsc"]

[engine.runtimes]
cofferdam-runsc = ["/sys/fs/cgroup/podman/cofferdam-runsc"]

[network]
END
/usr/bin/cat >/sys/fs/cgroup/podman/storage.conf <<'END'
# Cofferdam: every run has a store of its own, named by flags, that ends with its folder.
[storage]
driver = "vfs"
graphroot = "/nonexistent"
runroot = "/nonexistent"
END
/usr/bin/cat >/sys/fs/cgroup/podman/cofferdam-runsc <<'END'
#!/bin/sh
# What podman runs in the place of runc. It makes the sandbox from the bundle of the run, as the launcher wrote it, and not from
# the one that podman wrote. There is one sandbox here, whatever podman calls it.
set -eu
umask 077
own=/sys/fs/cgroup
read -r id rootless <"$own/run"
fail() {
	printf 'sandbox: %s
' "$1" >&2
	exit 1
}
runsc() {
	/usr/bin/runsc --root "$own/state" --rootless="$rootless" --platform ptrace "$@"
}
while [ $# -gt 0 ]; do
	case $1 in
	--log | --log-format | --root | --cgroup-manager) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
command=${1:-} pid_file='' word=''
while [ $# -gt 0 ]; do
	[ "$word" != --pid-file ] || pid_file=$1
	word=$1
	shift
done
case $command in
create)
	{ [ -n "$pid_file" ] && [ ! -e "$own/pid" ]; } || fail 'podman asked for a sandbox in a way that we do not know'
	/usr/bin/mkfifo "$own/start"
	# Opened for both and before anybody can write, so that no word is lost. A shell gives its background commands /dev/null before
	# it looks at their redirections.
	exec 3<&0 4<>"$own/start"
	(
		read -r _ <&4
		exec 4<&-
		# The monitor is the parent by now, and its end is the end of the sandbox.
		exec /usr/bin/setpriv --pdeathsig KILL /usr/bin/runsc --root "$own/state" --rootless="$rootless" --platform ptrace \
			--network none --oci-seccomp --overlay2 none --host-uds none --host-fifo none --ignore-cgroups --log "$own/log" --log-format json \
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
	printf '{"ociVersion":"1.0.2","id":"%s","status":"%s","pid":%s,"bundle":"%s"}
' "$word" "$state" "$pid" "$own"
	;;
kill) runsc kill "$id" "$word" ;;
delete)
	runsc delete --force "$id"
	: >"$own/ended"
	;;
*) fail 'a sandbox is entered and changed by: sandbox' ;;
esac
END
/usr/bin/chmod 0500 /sys/fs/cgroup/podman/cofferdam-runsc
printf '%s %s\n' "$id" "$rootless" >"$own/run"
: >"$own/log"
echo >&9
exec 9>&-
# Its network is none but lo, its host sockets and fifos are none, and the filter of the spec is loaded.
HOME=/sys/fs/cgroup/podman CONTAINERS_CONF=/sys/fs/cgroup/podman/containers.conf CONTAINERS_STORAGE_CONF=/sys/fs/cgroup/podman/storage.conf \
	/usr/bin/podman --root /sys/fs/cgroup/podman/store --runroot /sys/fs/cgroup/podman/state --tmpdir /sys/fs/cgroup/podman/tmp \
	--default-mounts-file /dev/null --log-level error \
	run --rm --interactive --pull never --cgroups=disabled --sdnotify ignore --systemd=false --passwd=false --no-hosts \
	--image-volume ignore --unsetenv-all --read-only --cap-drop all --security-opt no-new-privileges --network none \
	--name "cofferdam-$id" --label "cofferdam.run=$id" --entrypoint /.cofferdam/not-by-this-bundle \
	--rootfs /sys/fs/cgroup/podman/rootfs 5>&- <&3 3<&- &
child=$!
exec 3<&-
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
	status=0
	wait "$child" || status=$?
done
# Else its status would look like the program's own. A thread that it cannot have is the end of a sentry.
if [ -s "$own/panic" ]; then
	printf '%s\n' '{"level":"error","msg":"gVisor'"'"'s kernel broke down, as it does when limits.pids leaves it no thread: give it more, such as --pids 512"}' >&5
	status=125
fi
/usr/bin/cat "$own/log" >&5
# Else its status would look like the program's own: podman's own failures have statuses that programs have, too.
told=''
[ -e "$own/begun" ] || told='podman did not start it; what it said stands above'
[ -n "$told" ] || [ -e "$own/ended" ] || told='podman ended before the sandbox did'
if [ -n "$told" ]; then
	printf '{"level":"error","msg":"%s"}\n' "$told" >&5
	status=125
fi
exit "$status"
