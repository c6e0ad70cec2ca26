// Owns podman's configuration for our runs. Complete, so that nothing of the host's or the user's own adds a device, a
// mount, a variable or a hook (containers.conf(5): CONTAINERS_CONF replaces all other files).

export interface Configured {
  /** Absolute path. */
  readonly conmon: string;
  /** Name → absolute path of the file that podman starts; the first is the one that it takes unless told. */
  readonly runtimes: Readonly<Record<string, string>>;
}

/** containers.conf. */
export function renderContainersConf({ conmon, runtimes }: Configured): string {
  const names = Object.keys(runtimes);
  const listed = names.map((name) => `"${name}"`).join(', ');
  return `# Cofferdam: nothing of the host's own containers.conf applies to a sandbox.
[containers]
annotations = []
apparmor_profile = ""
base_hosts_file = "none"
default_capabilities = []
default_sysctls = []
default_ulimits = []
devices = []
dns_servers = []
env = []
env_host = false
http_proxy = false
init = false
# A session keyring each exhausts the user's quota at the 198th sandbox.
keyring = false
label = false
# The guest's fds 0 to 2 are the supervisor's pipes: no copy in between, and nobody opens the host's /dev/null for it.
log_driver = "passthrough"
no_hosts = true
pids_limit = 0
volumes = []

[engine]
cgroup_manager = "cgroupfs"
conmon_path = ["${conmon}"]
events_logger = "none"
hooks_dir = []
# Locks in the run's own folder instead of one shared memory segment for all runs of the user.
lock_type = "file"
runtime = "${names[0]}"

# Those that leave control groups alone when told to. It reads the first name, whatever its manual says (4.3); newer ones the second.
runtime_supports_nocgroup = [${listed}]
runtime_supports_nocgroups = [${listed}]

[engine.runtimes]
${Object.entries(runtimes)
  .map(([name, path]) => `${name} = ["${path}"]`)
  .join('\n')}

[network]
`;
}

/** storage.conf: no layers are ever stored, and vfs is the driver that probes nothing at its start. */
export function renderStorageConf(): string {
  return `# Cofferdam: every run has a store of its own, named by flags, that ends with its folder.
[storage]
driver = "vfs"
graphroot = "/nonexistent"
runroot = "/nonexistent"
`;
}
