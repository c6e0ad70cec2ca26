#!/bin/sh
# Owns joining the virtual worker host to an internet, which is a network namespace of its own.
set -eu
ip netns add internet
ip link add out0 type veth peer name in0 netns internet
ip address add 45.45.45.1/24 dev out0
ip link set out0 up
ip -n internet address add 45.45.45.10/24 dev in0
ip -n internet link set in0 up
ip -n internet link set lo up
ip route add default via 45.45.45.10
systemd-run --quiet --unit=internet ip netns exec internet python3 /opt/guest/internet.py
