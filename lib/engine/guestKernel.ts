// Owns which engines give a sandbox gVisor's kernel.
import type { EngineName } from './types.ts';

const names: readonly EngineName[] = ['runsc', 'podman+runsc'];

/** Such an engine is chosen by `isolation`, not by its name. */
export function isGuestKernel(name: string): boolean {
  return names.some((one) => one === name);
}
