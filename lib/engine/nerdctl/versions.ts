// Owns judging nerdctl and containerd by the versions that they say they are.
import { z } from 'zod';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';

// Loose: other versions say more.
const component = z.object({ Name: z.string(), Version: z.string() });
const versionSchema = z.object({
  Client: z.object({ Version: z.string() }),
  Server: z.object({ Components: z.array(component) }),
});

export interface Versions {
  readonly nerdctl: string;
  readonly containerd: string;
}

type Pair = readonly [number, number];

/** `v2.2.1` and `1.6.20~ds1` → [2, 2] and [1, 6]; undefined when the text is another. */
export function parsePair(text: string): Pair | undefined {
  const match = /^v?([0-9]+)\.([0-9]+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function requireLeast(name: string, is: string, least: Pair): void {
  const [major, minor] = parsePair(is) ?? [0, 0];
  if (major > least[0] || (major === least[0] && minor >= least[1])) return;
  throw new CofferdamError('ENGINE_MISSING', `${name} is ${printable(is, 60)}; ${least.join('.')} or newer is needed`, {
    remedy: 'use --engine crun',
  });
}

/** What `nerdctl version --format '{{json .}}'` said. Throws ENGINE_MISSING for what is too old or unreadable. */
export function judgeVersions(said: unknown): Versions {
  const read = versionSchema.safeParse(said);
  const containerd = read.data?.Server.Components.find(({ Name }) => Name === 'containerd')?.Version;
  if (read.data === undefined || containerd === undefined) {
    throw new CofferdamError('ENGINE_MISSING', 'containerd does not say which version it is', {
      remedy: 'use --engine crun',
    });
  }
  const nerdctl = read.data.Client.Version;
  requireLeast('nerdctl', nerdctl, [2, 0]);
  requireLeast('containerd', containerd, [1, 6]);
  return { nerdctl: nerdctl.replace(/^v/, ''), containerd };
}
