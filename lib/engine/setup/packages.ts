// Owns the one list of Debian packages that Cofferdam uses on a host, and why.

export interface HostPackage {
  readonly name: string;
  /** What of it we start or read. */
  readonly for: string;
  /** run: every host. test: only where bin/test runs. */
  readonly need: 'run' | 'test';
  /** The unit with which the package would start a daemon of its own at each boot. We start the program ourselves. */
  readonly unit?: string;
}

export const hostPackages: readonly HostPackage[] = [
  { name: 'ca-certificates', for: 'TLS to package archives', need: 'run' },
  { name: 'coreutils', for: 'mkdir, rm, rmdir, stat, chmod, mv', need: 'run' },
  { name: 'crun', for: 'the default engine', need: 'run' },
  { name: 'debian-archive-keyring', for: 'the keys that sign image packages', need: 'run' },
  { name: 'findutils', for: 'listing workspaces', need: 'run' },
  { name: 'git', for: 'diffs of copied workspaces', need: 'run' },
  { name: 'gpg', for: 'checking archive signatures while images are built', need: 'run' },
  { name: 'libc-bin', for: 'getent', need: 'run' },
  { name: 'mawk', for: 'encoding arguments at launch', need: 'run' },
  { name: 'mmdebstrap', for: 'building images', need: 'run' },
  { name: 'mount', for: 'tmpfs of artifacts', need: 'run' },
  { name: 'nftables', for: 'nft, the host firewall', need: 'run' },
  { name: 'openssl', for: 'the certificate that Squid wants for sni: strict', need: 'run' },
  { name: 'python3-pip', for: 'fetching the Python packages of images, by hash', need: 'run' },
  { name: 'squid', for: 'the way out: network: proxy', need: 'run', unit: 'squid.service' },
  { name: 'tar', for: 'packing images', need: 'run' },
  { name: 'tini', for: 'tini-static, the first process of every sandbox', need: 'run' },
  { name: 'uidmap', for: 'newuidmap and newgidmap', need: 'run' },
  { name: 'util-linux', for: 'unshare, setpriv, flock, findmnt', need: 'run' },
  { name: 'bubblewrap', for: 'the comparison in bench/', need: 'test' },
  { name: 'conmon', for: 'the podman engine', need: 'test' },
  { name: 'containerd', for: 'the nerdctl engine', need: 'test' },
  { name: 'curl', for: 'asking through proxies, and around them', need: 'test' },
  { name: 'dnsmasq', for: 'names of the tests’ internet', need: 'test', unit: 'dnsmasq.service' },
  { name: 'docker.io', for: 'the docker engine: dockerd, containerd and runc', need: 'test' },
  { name: 'e2fsprogs', for: 'the disks of the virtual worker host', need: 'test' },
  { name: 'fish', for: 'proving what fish completes', need: 'test' },
  { name: 'gcc', for: 'the supervisor and its tests', need: 'test' },
  { name: 'golang-go', for: 'proving that Go works behind the filter; building nerdctl', need: 'test' },
  { name: 'hyperfine', for: 'bench/', need: 'test' },
  { name: 'iproute2', for: 'controls of network attempts', need: 'test' },
  { name: 'libc6-dev', for: 'the supervisor and its tests', need: 'test' },
  { name: 'make', for: 'the supervisor and its tests', need: 'test' },
  { name: 'musl-tools', for: 'the supervisor and init', need: 'test' },
  { name: 'podman', for: 'the second engine', need: 'test' },
  { name: 'python3', for: 'tests that attempt system calls', need: 'test' },
  { name: 'python3-seccomp', for: 'comparing our filter with libseccomp', need: 'test' },
  { name: 'qemu-system-x86', for: 'the virtual worker host: systemd and cgroup v2', need: 'test' },
  { name: 'ripgrep', for: 'srt, in bench/', need: 'test' },
  { name: 'rootlesskit', for: 'the nerdctl engine of a plain user', need: 'test' },
  { name: 'runsc', for: 'isolation: gvisor', need: 'test' },
  { name: 'shellcheck', for: 'checking shell scripts', need: 'test' },
  { name: 'socat', for: 'srt, in bench/', need: 'test' },
  { name: 'strace', for: 'proving how the supervisor joins control groups', need: 'test' },
  { name: 'systemd', for: 'checking units (systemd-analyze verify)', need: 'test' },
  { name: 'shfmt', for: 'formatting shell scripts', need: 'test' },
  { name: 'zsh', for: 'proving what zsh completes', need: 'test' },
];

/** Names of those that a host needs; with `tests`, those of the tests too. */
export function packageNames(tests: boolean): string[] {
  return hostPackages.filter(({ need }) => tests || need === 'run').map(({ name }) => name);
}

/** Names of `wanted` that are not installed, by the text of `dpkg-query -W -f '${Package} ${db:Status-Status}\n'`. */
export function missingPackages(wanted: readonly string[], dpkg: string): string[] {
  const installed = new Set(
    dpkg
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0] ?? ''),
  );
  return wanted.filter((name) => !installed.has(name));
}

/** Units of `names` that would start a daemon at each boot. */
export function daemonUnits(names: readonly string[]): string[] {
  return hostPackages.flatMap(({ name, unit }) => (unit !== undefined && names.includes(name) ? [unit] : []));
}
