// Owns models that the firewall's tests share.
import type { FirewallModel } from '../../lib/firewall/model.ts';
import { sampleModel } from './world.ts';

/** Named as their goldens. */
export const models: Readonly<Record<string, FirewallModel>> = {
  scoped: sampleModel,
  strict: { ...sampleModel, mode: 'strict' },
  'no-proxy': {
    ...sampleModel,
    ...{ bridgeUid: undefined, bridgeEndpoints: [], proxy: undefined, outPorts: [], privateNetworks: [] },
    ...{ dnsServers: [], sandboxInterfaces: [], ports: [], hostUids: [] },
  },
};

/** The sample with `count` private networks and as many registered ports as there can be. */
export function largeModel(count: number): FirewallModel {
  const privateNetworks = Array.from({ length: count }, (_, i) => {
    const address = `10.${(i >> 8) & 255}.${i & 255}.${(i >> 16) * 2}`;
    return { address, prefix: 32, family: 'ipv4' as const, text: `${address}/32` };
  });
  return { ...sampleModel, privateNetworks };
}
