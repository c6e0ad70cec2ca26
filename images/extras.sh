#!/bin/sh
# Runs as an mmdebstrap hook: installs the wheels and npm packages that the host fetched and checked against the lock.
# $1 is the root of the new system, in which nothing is downloaded; ./extra beside this script holds what the host
# fetched, and the image's own files.
set -eu
umask 022
root=$1
extra=$(dirname "$0")/extra

if [ -s "$extra/pypi/requirements.txt" ]; then
	cp -R "$extra/pypi" "$root/tmp/wheels"
	run() { chroot "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 "$@"; }
	# An environment of its own: what wheels ask for must not replace what Debian's programs were built with.
	run python3 -m venv --without-pip /opt/pypi
	run python3 -m pip --python /opt/pypi/bin/python install --quiet --no-index --no-deps --no-compile --no-cache-dir \
		--disable-pip-version-check --require-hashes --find-links /tmp/wheels -r /tmp/wheels/requirements.txt
	# The resolver ran on the host, whose Python is another version: is anything missing in this one?
	run python3 -m pip --python /opt/pypi/bin/python check
	# Commands of the packages that were asked for, not of what those depend on.
	run /opt/pypi/bin/python -c 'if True:
    import importlib.metadata, pathlib, sys
    for line in open(sys.argv[1]):
        name = line.split("==")[0]
        for file in importlib.metadata.distribution(name).files:
            if file.parts[:-1] == ("..", "..", "..", "bin"):
                pathlib.Path("/usr/local/bin", file.name).symlink_to("/opt/pypi/bin/" + file.name)
  ' /tmp/wheels/names.txt
	rm -rf "$root/tmp/wheels"
fi

if [ -d "$extra/files" ]; then
	# A checkout's modes follow its umask; what is laid over the system is readable by all.
	cp -R "$extra/files" "$root/tmp/files"
	chmod -R u=rwX,go=rX "$root/tmp/files"
	cp -R "$root/tmp/files/." "$root/"
	rm -rf "$root/tmp/files"
fi

[ -s "$extra/npm/packages" ] || exit 0
modules=$root/usr/local/lib/node_modules
mkdir -p "$modules"
while read -r layout name file; do
	new=$root/tmp/npm
	mkdir "$new"
	tar -C "$new" --no-same-owner -xzf "$extra/npm/$file" --strip-components=1
	if [ "$layout" = prefix ]; then
		for part in bin include lib; do
			[ ! -d "$new/$part" ] || cp -R "$new/$part" "$root/usr/local/"
		done
		mkdir -p "$root/usr/share/doc/$name"
		cp "$new/LICENSE" "$root/usr/share/doc/$name/copyright"
		rm -rf "$new"
		continue
	fi
	mkdir -p "$(dirname "$modules/$name")"
	mv "$new" "$modules/$name"
	# One line per command; a dependency that the package does not carry itself would have to be downloaded: refused.
	chroot "$root" /usr/local/bin/node -e '
		const p = require(process.argv[1] + "/package.json");
		const carried = p.bundleDependencies ?? p.bundledDependencies ?? [];
		const missing = Object.keys(p.dependencies ?? {}).filter((name) => !carried.includes(name));
		if (missing.length > 0) throw new Error(p.name + " does not bundle " + missing.join(", "));
		const bin = typeof p.bin === "string" ? { [p.name.split("/").pop()]: p.bin } : (p.bin ?? {});
		for (const [name, file] of Object.entries(bin)) console.log(name, file.replace(/^\.\//, ""));
	' "/usr/local/lib/node_modules/$name" >"$root/tmp/bins"
	while read -r command target; do
		chmod 0755 "$modules/$name/$target"
		# A command of the image's own files stays.
		[ -e "$root/usr/local/bin/$command" ] || ln -s "../lib/node_modules/$name/$target" "$root/usr/local/bin/$command"
	done <"$root/tmp/bins"
	rm -f "$root/tmp/bins"
done <"$extra/npm/packages"
