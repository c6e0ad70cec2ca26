// Owns the environment inside: ours first, then the profile's and caller's; ours cannot be overridden.
import type { Profile } from '../profile/schema.ts';

/** What a program may rely on; docs/profile.md lists them. */
export interface EnvironmentRequest {
  readonly profile: Profile;
  readonly runId: string;
  readonly taskId: string;
  readonly jobId: string;
  /** Where temporary files and caches go: a sized tmpfs that may execute, never a host folder. */
  readonly home: string;
  readonly temporary: string;
}

/** Where our init listens inside, and what it leads to (lib/run/native/init/forward.c). */
export const proxyPort = 3128;

const proxyUrl = `http://127.0.0.1:${proxyPort}`;
const direct = 'localhost,127.0.0.1,::1';

/** By both spellings: curl reads the lower-case one alone for http, others the upper-case one. Node's own fetch wants to be told to. */
const proxyVariables: Readonly<Record<string, string>> = {
  HTTP_PROXY: proxyUrl,
  HTTPS_PROXY: proxyUrl,
  NO_PROXY: direct,
  http_proxy: proxyUrl,
  https_proxy: proxyUrl,
  no_proxy: direct,
  NODE_USE_ENV_PROXY: '1',
};

/** Variables that come with the profile's mode of network, beneath those of the profile and the caller. */
export function networkVariables({ network }: Pick<Profile, 'network'>): Readonly<Record<string, string>> {
  return network.mode === 'none' ? network.offlineEnv : proxyVariables;
}

/** `NAME=value` lines, sorted by name. The profile's names win over PATH, HOME, LANG and TMPDIR, never over SANDBOX_*. */
export function buildEnvironment({ profile, runId, taskId, jobId, home, temporary }: EnvironmentRequest): string[] {
  const all: Record<string, string> = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    LANG: 'C.UTF-8',
    TMPDIR: temporary,
    ...networkVariables(profile),
    ...profile.env,
    SANDBOX_RUN_ID: runId,
    SANDBOX_TASK_ID: taskId,
    SANDBOX_JOB_ID: jobId,
    SANDBOX_WORKSPACE_DIR: '/workspace',
    SANDBOX_ARTIFACTS_DIR: '/artifacts',
  };
  return Object.keys(all)
    .sort()
    .map((name) => `${name}=${all[name]}`);
}
