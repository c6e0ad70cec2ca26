#!/bin/sh
# Lets the program start when its processes are in the run's own control groups, and are what the daemon was asked for. The
# container has 2 processes then, our init and a shell that waits for a word, and none makes another.
set -eu
run_dir=$1
id=$2
own=$run_dir/docker
fail() {
	printf '{"level":"error","msg":"%s"}\n' "$1" >>"$run_dir/log"
	exit 125
}

# Returns when the container's shell reads. It ends without the word: then it gets the end of the file, and ends, too.
exec 6>"$own/gate"
read -r cid <"$own/cid" || cid=''
case $cid in '' | *[!0-9a-f]*) fail 'docker gave the container no id' ;; esac

# move FROM TO: every process; pids are listed, not threads, and all threads of one are moved. systemd takes an empty scope away.
move() {
	for _ in 1 2 3 4 5; do
		while read -r pid; do
			echo "$pid" >"$2/cgroup.procs" || fail "docker's container cannot be moved into the groups of the run"
		done <"$1/cgroup.procs"
		read -r _ <"$1/cgroup.procs" || return 0
	done
	fail "docker's container does not stay in the groups of the run"
}
move /sys/fs/cgroup/memory/cofferdam/docker/"$cid" /sys/fs/cgroup/memory/cofferdam/0/"$id"
move /sys/fs/cgroup/pids/cofferdam/docker/"$cid" /sys/fs/cgroup/pids/cofferdam/0/"$id"
move /sys/fs/cgroup/cpu/cofferdam/docker/"$cid" /sys/fs/cgroup/cpu/cofferdam/0/"$id"

lacks() {
	fail "docker's container is not confined as it was asked to be: $1"
}

# check PID: what the kernel says of a process that waits (proc(5)).
check() {
	seen=''
	while read -r field a b c d _; do
		case $field in
		Uid:) [ "$a $b $c $d" = '296604 296604 296604 296604' ] || lacks 'its uid' ;;
		Gid:) [ "$a $b $c $d" = '296604 296604 296604 296604' ] || lacks 'its gid' ;;
		Groups:) [ "$a $b" = '296604 ' ] || [ -z "$a" ] || lacks 'its groups' ;;
		CapInh: | CapPrm: | CapEff: | CapBnd: | CapAmb:) case $a in *[!0]*) lacks 'a capability' ;; esac ;;
		NoNewPrivs:) [ "$a" = 1 ] || lacks 'no_new_privs' ;;
		Seccomp:) [ "$a" = 2 ] || lacks 'the syscall filter' ;;
		*) continue ;;
		esac
		seen=$seen$field
	done <"/proc/$1/status"
	[ "$seen" = Uid:Gid:Groups:CapInh:CapPrm:CapEff:CapBnd:CapAmb:NoNewPrivs:Seccomp: ] || lacks 'its status'
	for namespace in user pid ipc uts net mnt cgroup; do
		[ -e "/proc/$1/ns/$namespace" ] || lacks "a $namespace namespace"
		# shellcheck disable=SC3013 # every sh of a Debian host has it
		[ ! "/proc/$1/ns/$namespace" -ef "/proc/self/ns/$namespace" ] || lacks "a $namespace namespace"
	done
	read -r inside outside _ <"/proc/$1/uid_map"
	[ "$inside $outside" = '0 231072' ] || lacks 'the map of uids'
	read -r inside outside _ <"/proc/$1/gid_map"
	[ "$inside $outside" = '0 231072' ] || lacks 'the map of gids'
	root=''
	while read -r _ _ _ _ target options _; do
		[ "$target" != / ] || root=$options
	done <"/proc/$1/mountinfo"
	case $root in ro | ro,*) ;; *) lacks 'a read-only root' ;; esac
}
count=0
while read -r pid; do
	check "$pid"
	count=$((count + 1))
done </sys/fs/cgroup/memory/cofferdam/0/"$id"/cgroup.procs
[ "$count" -eq 2 ] || lacks "its number of processes, $count"
: >"$own/admitted"
echo go >&6
