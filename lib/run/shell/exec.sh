#!/bin/sh
# Owns the short way of `sandbox exec`: plain options, the sandbox by its exact name or id, and the entrance that its
# start left (lib/run/life/entrance.ts). Sourced by bin/sandbox; returns where only Node understands or explains.

# read_exec WORD...: sets bindings, sandbox, and skip (words up to the command); fails for what is not plain.
read_exec() {
	skip=2
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		-i | --interactive) stdin=stdin=1 ;;
		-t | --tty) terminal=terminal=1 ;;
		-it | -ti) stdin=stdin=1 terminal=terminal=1 ;;
		-d | --detach) detach=detach=1 ;;
		--timeout=*) read_timeout "${1#*=}" || return 1 ;;
		--timeout)
			{ [ $# -gt 1 ] && read_timeout "$2"; } || return 1
			shift
			skip=$((skip + 1))
			;;
		-*) return 1 ;;
		*) break ;;
		esac
		shift
		skip=$((skip + 1))
	done
	sandbox=${1:-}
	[ "${2:-}" != -- ] || { skip=$((skip + 1)) && shift; }
	case $sandbox in '' | .* | *[!A-Za-z0-9_.-]*) return 1 ;; esac
	case ${2:-} in '' | -*) return 1 ;; esac
	case $detach$terminal$stdin in
	detach=1 | '' | stdin=1) ;;
	terminal=1) [ -t 1 ] ;;
	terminal=1stdin=1) [ -t 0 ] && [ -t 1 ] ;;
	*) return 1 ;;
	esac
}

# find_entrance: sources it, when the sandbox runs and nothing of ours is newer.
find_entrance() {
	state=/var/lib/cofferdam/state
	[ -O / ] || case ${XDG_STATE_HOME:-} in /*) state=$XDG_STATE_HOME/cofferdam ;; *) state=$HOME/.local/state/cofferdam ;; esac
	folder=$state/sandboxes
	[ -f "$folder/$sandbox/sandbox.json" ] || {
		[ -f "$folder/names/$sandbox" ] && read -r sandbox <"$folder/names/$sandbox"
	} || return 1
	entrance=$folder/$sandbox/live/entrance
	# shellcheck disable=SC3013,SC2154 # -nt and -ef: as in the entries of plans; install is bin/sandbox's
	{ [ -f "$entrance" ] && [ "$entrance" -nt "$install/dist/build.json" ]; } || return 1
	# shellcheck source=/dev/null
	. "$entrance"
	# shellcheck disable=SC3013,SC2154
	[ "$entrance_install" -ef "$install" ] && is_open
}

stdin='' terminal='' detach='' timeout=''
if read_exec "$@" && find_entrance; then
	shift "$skip"
	# shellcheck disable=SC2086 # each is one word without blanks, or none
	enter_sandbox $stdin $terminal $detach $timeout -- "$@"
fi
