// Owns the checks of what leaks in: descriptors, environment, names of the host, control group paths.

import { networkVariables } from '../../../spec/environment.ts';
import { type Check, harmless, harmlessIf, noControl, nothingOf, outside, sees, verdict } from '../check.ts';
import { environment, parseCgroups } from '../procfs.ts';

const ours = [
  'HOME',
  'LANG',
  'PATH',
  'SANDBOX_ARTIFACTS_DIR',
  'SANDBOX_JOB_ID',
  'SANDBOX_RUN_ID',
  'SANDBOX_TASK_ID',
  'SANDBOX_WORKSPACE_DIR',
  'TMPDIR',
  // Set by the shell that starts the probe.
  'PWD',
  'OLDPWD',
  'SHLVL',
  '_',
];

/** Whether a line of /etc/hosts names an address that is not loopback, or a name that is not localhost. */
function namesOthers(line: string): boolean {
  const [address, ...hosts] = line.replace(/#.*/, '').trim().split(/\s+/);
  if (address === undefined || address === '') return false;
  return !['127.0.0.1', '::1'].includes(address) || hosts.some((host) => host !== 'localhost');
}

const outsideChecks: Check[] = [
  // Outside, the control has a fourth one on purpose.
  outside('leak.descriptors', 'the program has descriptors 0, 1 and 2, and no other', harmless, ({ program }) => {
    const found = [...program.links('fd').keys()].map(Number).sort((a, b) => a - b);
    return verdict(found.join() === '0,1,2', found.join(' '));
  }),
  outside('leak.stdio', 'these are pipes, none of them ours', harmless, ({ program, host }) => {
    const own = new Set(host.links('fd').values());
    const found = [...program.links('fd').values()];
    return verdict(
      found.every((target) => target.startsWith('pipe:[') && !own.has(target)),
      found.join(' '),
    );
  }),
  outside('leak.environment', 'no variable but ours and those of the profile', harmless, ({ program, expected }) => {
    const wanted = new Set([
      ...ours,
      ...Object.keys({ ...expected.profile.env, ...networkVariables(expected.profile) }),
    ]);
    const names = [...environment(program).keys()];
    return nothingOf(
      names.filter((name) => !wanted.has(name)),
      `${names.length} variables`,
    );
  }),
  outside('leak.run-id', 'the run id in the environment is that of this run', harmless, ({ program, expected }) => {
    const found = environment(program).get('SANDBOX_RUN_ID') ?? 'none';
    return verdict(found === expected.id, found);
  }),
  outside(
    'leak.init-command-line',
    'no command line inside names a folder of the host',
    noControl('there is no init outside'),
    ({ init }) => {
      const words = init?.text('cmdline').split('\0') ?? [];
      return verdict(
        init !== undefined && words.every((word) => !/^\/(home|root|var\/lib)\//.test(word)),
        `${words.length} words`,
      );
    },
  ),
];

const inRootGroup = harmlessIf((host) =>
  [...parseCgroups(host.text('cgroup')).values()].every((path) => path === '/')
    ? 'we are in the root groups ourselves'
    : undefined,
);

const views: Check[] = [
  sees('leak.cgroup-path', 'the program sees itself in the root of all control groups', inRootGroup, (text) => {
    const paths = [...parseCgroups(text).values()];
    return paths.length > 0 && paths.every((path) => path === '/');
  }),
  sees(
    'leak.hosts-file',
    '/etc/hosts has localhost and nothing else',
    noControl('that of a host may be so, too'),
    (text) => !text.split('\n').some(namesOthers),
  ),
  sees('leak.host-name-file', '/etc/hostname is "sandbox"', harmless, (text) => text.trim() === 'sandbox'),
  sees(
    'leak.resolver',
    '/etc/resolv.conf names no server',
    noControl('a host may have none, too'),
    (text) => !/^\s*nameserver/m.test(text),
  ),
  sees('leak.domain-name', 'no domain name of the host', noControl('a host may have none, too'), (text) =>
    ['', '(none)'].includes(text),
  ),
  sees(
    'leak.working-folder',
    "the working folder is the profile's",
    harmless,
    (text, { expected }) => text === expected.profile.workdir,
  ),
  {
    id: 'leak.machine-id',
    says: "there is no machine id, or not the host's",
    control: harmlessIf((host) => (host.hostFills('/etc/machine-id') ? undefined : 'this host has none')),
    inside: true,
    judge: ({ attempts }) => {
      const { name, detail } = attempts.get('leak.machine-id');
      return verdict(name === 'ENOENT' || (name === 'ok' && detail.trim() === ''), name === 'ok' ? 'an id' : name);
    },
  },
];

export const leakChecks: readonly Check[] = [...outsideChecks, ...views];
