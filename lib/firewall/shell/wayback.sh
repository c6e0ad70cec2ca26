#!/bin/sh
# Owns the way back of `firewall apply`: wayback.sh SECONDS FOLDER TOKEN goes back then, unless that apply was confirmed or
# undone before; wayback.sh now FOLDER goes back at once, for a caller who holds the lock. lib/firewall/record.ts names the files.
set -eu
umask 077
when=$1 folder=$2
cd "$folder"

waits() { [ "$(cut -d ' ' -f 1 pending 2>/dev/null)" = "$1" ]; }

if [ "$when" != now ]; then
	# By the second, so that nothing of ours sleeps on after a confirmation.
	while [ "$when" -gt 0 ]; do
		waits "$3" || exit 0
		sleep 1
		when=$((when - 1))
	done
	exec 9>>lock
	flock -x 9
	waits "$3" || exit 0
fi

# Another program may hold nft's netlink lock for a moment. A wall that nobody can take back is left for a person, not opened.
tries=0
until nft -f wayback.nft; do
	tries=$((tries + 1))
	[ "$tries" -lt 5 ] || exit 1
	sleep 1
done
if [ -f before.nft ]; then mv before.nft applied.nft; else rm -f applied.nft; fi
rm -f pending wayback.nft
