// Owns gathering what the host firewall is made from: the host's policy, its accounts, its name servers, our static rules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTextIfPresent } from '../base/files.ts';
import { type Paths, resolvePaths } from '../base/paths.ts';
import { parseUsers } from '../engine/setup/unitStep.ts';
import { systemUser } from '../engine/subids.ts';
import { bridgeUser, findNameServers, findProxy, findSandboxUids, uidOf } from '../firewall/identities.ts';
import { checkReach, type FirewallModel } from '../firewall/model.ts';
import { type FirewallPlaces, firewallPlaces } from '../firewall/record.ts';
import type { StaticRules } from '../firewall/render.ts';
import { isLive, readClock } from '../policy/clock.ts';
import { loadPolicy, policyFileOf } from '../policy/load.ts';
import { webPorts } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import { readHostRegistry } from '../run/ports/registryFile.ts';
import type { CliContext } from './context.ts';

/** The wall is one for the whole host: root's files, whoever asks. */
export function hostPaths({ paths }: CliContext): Paths {
  return resolvePaths({ uid: 0, env: {}, install: paths.install });
}

/** Where the host firewall keeps its files. */
export function placesOf(context: CliContext): FirewallPlaces {
  return firewallPlaces(hostPaths(context));
}

const read = (file: string) => readTextIfPresent(file, 16 << 20) ?? '';

// Accounts of packages: what keeps a host alive (apt, time, leases, resolver). People and services of their own are listed ports.
const systemAccounts = { first: 0, last: 999 };

/** The model of this host; its ports are those of root's ports.yaml. Throws POLICY_MISSING without a policy of root's, FIREWALL_INPUT where the policy allows what nothing here could do. */
export function readModel(context: CliContext): FirewallModel {
  const paths = hostPaths(context);
  const policy = loadPolicy({ file: policyFileOf(paths), uid: 0 });
  const model = buildModel(policy, paths);
  checkReach(model, liveAllows(policy).length > 0);
  return model;
}

function liveAllows({ rules }: Policy) {
  const clock = readClock();
  return rules.filter(({ effect, end }) => effect === 'allow' && isLive(end, clock));
}

// A parent proxy is reached by its port; where its address is private, an exception of the policy has to name it.
function listOutPorts(policy: Policy): number[] {
  const ports = liveAllows(policy).flatMap(({ pattern }) => pattern.port ?? webPorts);
  return [...new Set([...ports, ...(policy.parentProxy === undefined ? [] : [policy.parentProxy.port])])];
}

function buildModel(policy: Policy, paths: Paths): FirewallModel {
  const passwd = read('/etc/passwd');
  const users = [systemUser, ...parseUsers(read(join(paths.config, 'users')))];
  const { mode, dnsServers, exceptions } = policy;
  return {
    mode,
    sandboxUids: findSandboxUids(passwd, read('/etc/subuid'), users),
    bridgeUid: uidOf(passwd, bridgeUser),
    bridgeEndpoints: [],
    proxy: findProxy(passwd),
    outPorts: listOutPorts(policy),
    privateNetworks: exceptions.flatMap(({ networks }) => networks),
    dnsServers: dnsServers.length > 0 ? dnsServers : findNameServers(read('/etc/resolv.conf')),
    sandboxInterfaces: [],
    ports: (readHostRegistry(paths)?.registrations ?? []).map(({ protocol, address, port }) => ({
      protocol,
      address,
      port,
    })),
    hostUids: [systemAccounts],
  };
}

/** The shipped rules. */
export function readStaticRules({ install }: Paths): StaticRules {
  const file = (name: string) => readFileSync(join(install, 'nftables', name), 'utf8');
  return { base: file('cofferdam.nft'), strict: file('strict.nft') };
}
