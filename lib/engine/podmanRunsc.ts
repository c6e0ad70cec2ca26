// Owns gVisor with podman: the bundle, filter and namespaces of runsc, whose sandbox podman's monitor keeps.
import { refuseImpossible } from './matrix.ts';
import { podmanStart } from './podman/gvisor.ts';
import { probeClient } from './podman.ts';
import { probeRunsc, runscCommand } from './runsc.ts';
import { requireTool } from './tools.ts';
import type { Engine, EngineCommand, EngineInput, EngineProbe } from './types.ts';

/** The path is runsc's, which is the boundary. */
async function probe(): Promise<EngineProbe> {
  const podman = await probeClient();
  const { path, version, weaknesses } = await probeRunsc();
  return { path, version: `${version}+podman.${podman.version}`, weaknesses };
}

function command(input: EngineInput): EngineCommand {
  const monitor = {
    podman: requireTool('podman', 'podman'),
    conmon: requireTool('conmon', 'conmon'),
  };
  return runscCommand(input, input.probe.version, (script) => podmanStart(script, monitor));
}

/** `isolation: gvisor` of the engine podman; no `engine:` of its own. One command each: what it keeps between them is not proven. */
export const podmanRunscEngine: Engine = {
  name: 'podman+runsc',
  probe,
  refuse: (profile, asking) => refuseImpossible('podman+runsc', profile, asking),
  command,
};
