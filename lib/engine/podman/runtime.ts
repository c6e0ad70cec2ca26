// Owns the runtime that podman starts where the program gets a terminal: crun, whose pty goes to the supervisor.

/** Where our script mounts the supervisor's socket, in the namespaces that podman runs in. */
const consoleSocket = '/tmp/tty';

/** Called by conmon as it calls crun: `OPTION... COMMAND OPTION... ID`. Pure. */
export function renderRuntime({ crun }: { readonly crun: string }): string {
  return `#!/bin/sh
# What podman runs in the place of crun where the program gets a terminal. podman's monitor would read from that terminal and write
# to it, so it is told of none: the bundle gets one here, and crun hands its other end to the supervisor.
set -eu
umask 077
fail() {
	printf 'sandbox: %s\\n' "$1" >&2
	exit 1
}

# Words of podman's own; only \`create\` has a bundle.
bundle='' previous=''
for word in "$@"; do
	shift
	set -- "$@" "$word"
	[ "$word" != create ] || set -- "$@" --console-socket ${consoleSocket}
	[ "$previous" != --bundle ] || bundle=$word
	previous=$word
done
[ -n "$bundle" ] || exec ${crun} "$@"

# One line, and nothing before its process that anybody but podman wrote.
spec=''
IFS= read -r spec <"$bundle/config.json" || [ -n "$spec" ] || fail 'podman wrote no bundle'
begin='{"ociVersion":"'
middle='","process":{'
version=\${spec#"$begin"}
version=\${version%%'"'*}
rest=\${spec#"$begin$version$middle"}
[ "$rest" != "$spec" ] || fail 'podman wrote a bundle that begins in a way that we do not know'
printf '%s"terminal":true,%s\\n' "$begin$version$middle" "$rest" >"$bundle/config.json"
exec ${crun} "$@"
`;
}
