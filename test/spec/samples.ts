// Owns a fixed request for specs, so that goldens depend on the code alone.
import { join } from 'node:path';
import { loadHostConfig } from '../../lib/profile/hostConfig.ts';
import { loadProfile } from '../../lib/profile/load.ts';
import type { Profile } from '../../lib/profile/schema.ts';
import type { SpecRequest } from '../../lib/spec/build.ts';
import { compileSeccomp } from '../../lib/spec/seccomp/compile.ts';
import { type HostIds, mapIds, slotIds } from '../../lib/spec/uidmap.ts';

export const install = join(import.meta.dirname, '..', '..');

const nowhere = '/nonexistent/cofferdam';

/** A shipped profile as a host without any configuration resolves it. */
export function shippedProfile(name: string): Profile {
  const paths = {
    hostConfig: `${nowhere}/config.yaml`,
    config: `${nowhere}/user`,
    data: nowhere,
    state: nowhere,
    run: nowhere,
    imageStores: [],
    install,
  };
  return loadProfile({ profile: name, cwd: '/', paths, ceiling: loadHostConfig(paths.hostConfig), uid: 1000 }).profile;
}

const ids: HostIds = {
  callerUid: 1000,
  callerGid: 1000,
  subuids: { start: 100_000, count: 65_536 },
  subgids: { start: 100_000, count: 65_536 },
};

export function sampleRequest(profile: Profile): SpecRequest {
  const writableHostFolder = profile.workspace.mode === 'rw';
  return {
    profile,
    rootfs: '/var/lib/cofferdam/images/sample/rootfs',
    init: '/var/lib/cofferdam/init/tini',
    seccomp: compileSeccomp({ arch: 'x86_64', writableHostFolder }),
    ids: mapIds(ids, profile.user, slotIds(ids, 5), { kind: 'slot' }),
    callerIsRoot: false,
    workspace: { mode: 'scratch', source: '/home/user/project', guarded: ['.git/hooks'] },
    artifacts: undefined,
    wayOut: undefined,
    argv: ['/bin/true', 'a "b"\n'],
    runId: 'r0123456789abcdef',
    taskId: '',
    jobId: 'job-1',
  };
}
