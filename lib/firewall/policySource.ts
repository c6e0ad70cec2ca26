// Owns whose firewall.yaml holds for a user: their own, or root's where the host configuration says so.
import { CofferdamError } from '../base/errors.ts';
import { type Paths, resolvePaths } from '../base/paths.ts';
import { type PolicySource, policyFileOf } from '../policy/load.ts';
import { type HostConfig, loadHostConfig } from '../profile/hostConfig.ts';

/** Whether `uid` is let out by the host's policy, or by their own. */
function isHostPolicy(uid: number, { allowUserPolicy, egress }: HostConfig): boolean {
  return uid === 0 || !allowUserPolicy || egress === 'system';
}

/**
 * The policy of `uid`. Where it is root's, neither HOME nor XDG_CONFIG_HOME chooses it: both it and the host configuration
 * stand at a fixed place. Throws what loadHostConfig() throws.
 */
export function policySourceOf(
  paths: Paths,
  uid: number,
  host: HostConfig = loadHostConfig(paths.hostConfig),
): PolicySource {
  if (uid === 0 || !isHostPolicy(uid, host)) return { file: policyFileOf(paths), uid };
  return { file: policyFileOf(resolvePaths({ uid: 0, env: {}, install: paths.install })), uid: 0 };
}

/** The same for who wants to change it. Throws HOST_FORBIDS when it is not theirs to change. */
export function ownPolicySource(
  paths: Paths,
  uid: number,
  host: HostConfig = loadHostConfig(paths.hostConfig),
): PolicySource {
  const source = policySourceOf(paths, uid, host);
  if (source.uid === uid) return source;
  throw new CofferdamError(
    'HOST_FORBIDS',
    `${host.where([host.egress === 'system' ? 'egress' : 'allowUserPolicy'])}: the policy here is that of root`,
    {
      remedy: 'ask the administrator of this host, who may: sudo firewall allow HOST',
    },
  );
}
