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

/** `NAME=value` lines, sorted by name. The profile's names win over PATH, HOME, LANG and TMPDIR, never over SANDBOX_*. */
export function buildEnvironment({ profile, runId, taskId, jobId, home, temporary }: EnvironmentRequest): string[] {
  const all: Record<string, string> = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    LANG: 'C.UTF-8',
    TMPDIR: temporary,
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
