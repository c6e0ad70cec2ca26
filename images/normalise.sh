#!/bin/sh
# Runs as mmdebstrap's last hook: takes out what came from the builder or differs from build to build, and adds what
# every image has. $1 is the root of the new system; nothing outside of it is touched.
set -eu
umask 022
root=$1

if [ -x "$root/usr/bin/python3" ]; then
	# Byte code by mtime would be stale (all times are fixed) and is not reproducible; by hash, unchecked, it is.
	find "$root/usr" "$root/opt" -name __pycache__ -type d -prune -exec rm -rf {} +
	for place in "$root"/usr/lib/python3* "$root"/usr/local/lib/python3* "$root"/opt/pypi/lib/python3*; do
		[ -d "$place" ] || continue
		# Some packages carry sources for other versions of Python, which do not compile.
		PYTHONHASHSEED=0 chroot "$root" /usr/bin/python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash \
			-x '/(test|tests|lib2to3|bad_coding)' "${place#"$root"}" >/dev/null 2>&1 || true
	done
fi

# The builder's name, network and identity.
rm -f "$root/etc/machine-id" "$root/var/lib/dbus/machine-id" "$root/etc/resolv.conf" "$root/etc/.pwd.lock"
printf 'sandbox\n' >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"

# Package lists, caches, logs, backups. There is no network inside, so no mirror is named either.
rm -f "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/99mmdebstrap
rm -f "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$root/var/lib/apt/extended_states"
find "$root/var/lib/apt/lists" "$root/var/cache/apt" "$root/var/log" -type f -delete
rm -rf "$root/var/cache/ldconfig" "$root"/var/cache/debconf/*-old "$root"/var/cache/debconf/passwords.dat
rm -f "$root"/var/lib/dpkg/*-old "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow-
rm -f "$root"/etc/subuid- "$root"/etc/subgid- "$root/var/lib/dpkg/lock" "$root/var/lib/dpkg/lock-frontend"

# Documents that path-exclude could not keep out: they belong to packages unpacked before dpkg was configured.
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/lintian
find "$root/usr/share/locale" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
# Copyright files stay: licences ask for it, and the SBOM is made from them.
find "$root/usr/share/doc" -mindepth 1 ! -type d ! -name copyright ! -type l -delete
find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete

# Whoever a profile makes the user has a name and a home.
for entry in sandbox:65532 user:1000 user1001:1001; do
	name=${entry%%:*}
	id=${entry##*:}
	printf '%s:x:%s:%s::/workspace:/bin/sh\n' "$name" "$id" "$id" >>"$root/etc/passwd"
	printf '%s:x:%s:\n' "$name" "$id" >>"$root/etc/group"
done

# What a sandbox mounts over. A missing one would be made by the runtime inside the image.
for point in proc sys dev run tmp workspace artifacts sandbox proxy-sock .cofferdam; do
	[ -d "$root/$point" ] || mkdir -m 0755 "$root/$point"
done
: >"$root/.cofferdam/init"
chmod 0555 "$root/.cofferdam/init"

find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +
