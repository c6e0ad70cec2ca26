// Owns a spec template as plans have it, adapted for runsc, and the scripts around it.
import { CofferdamError } from '../../../lib/base/errors.ts';
import { adaptSpec } from '../../../lib/engine/runsc/adapt.ts';
import type { EnterInput } from '../../../lib/engine/runsc/enterScript.ts';
import type { ScriptInput } from '../../../lib/engine/runsc/script.ts';
import { buildSpec } from '../../../lib/spec/build.ts';
import { placeholders, templateMap } from '../../../lib/spec/placeholders.ts';
import type { OciSpec } from '../../../lib/spec/types.ts';
import { sampleRequest, shippedProfile } from '../../spec/samples.ts';

/** The template of base-tools before it is adapted. */
export function sampleTemplate(mode: 'scratch' | 'rw' = 'scratch'): OciSpec {
  const profile = shippedProfile('base-tools');
  return buildSpec({
    ...sampleRequest({ ...profile, workspace: { ...profile.workspace, mode } }),
    ids: templateMap(profile.user),
    callerIsRoot: true,
    workspace: { mode, source: placeholders.workspace, guarded: ['.git/hooks'] },
    argv: [placeholders.argv],
    runId: placeholders.runId,
    taskId: placeholders.taskId,
    jobId: placeholders.jobId,
  });
}

export function adapt(spec: OciSpec): OciSpec {
  const cannot = (field: string, why: string) => new CofferdamError('ENGINE_CANNOT', `${field}: ${why}`);
  return adaptSpec(spec, { cannot });
}

const names = [
  'runsc',
  'sh',
  'unshare',
  'setpriv',
  'mount',
  'mkfifo',
  'mkdir',
  'chmod',
  'cat',
  'base64',
  'id',
] as const;
const others = ['newuidmap', 'newgidmap'] as const;

export const sampleScript: ScriptInput = {
  tools: Object.fromEntries([...names, ...others].map((name) => [name, `/usr/bin/${name}`])) as ScriptInput['tools'],
  planDirectory: '/plan',
  helpers: '/install/dist/native',
  filter: 'BgAAAAAA/38=',
  platform: 'ptrace',
  flags: [],
  connects: false,
  user: { uid: 65532, gid: 65532 },
};

export const sampleMonitor = { podman: '/usr/bin/podman', conmon: '/usr/bin/conmon' };

const enterNames = ['runsc', 'sh', 'nsenter', 'setsid', 'mkfifo', 'cat', 'rm'] as const;

export const sampleEnter: EnterInput = {
  tools: Object.fromEntries(enterNames.map((name) => [name, `/usr/bin/${name}`])) as EnterInput['tools'],
  helper: '/.cofferdam/within',
  run: {
    id: 's0123456789abcdef-1',
    runDirectory: '/run/runs/s0123456789abcdef-1',
    path: '/usr/bin/runsc',
    helpers: '/install/dist/native',
    leaves: ['/sys/fs/cgroup/memory/own/s0123456789abcdef-1', '/sys/fs/cgroup/pids/own/s0123456789abcdef-1'],
  },
  first: { pid: '4711', started: '123456' },
};
