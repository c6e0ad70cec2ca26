// Owns the default engine: crun, given our own bundle. Everything it enforces stands in the spec.
import { CofferdamError } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { findTool } from './tools.ts';
import type { Engine, EngineProbe } from './types.ts';
import { variable } from './words.ts';

/** Fixed in the version named; older ones have it. */
const fixes: readonly { readonly in: readonly [number, number, number]; readonly text: string }[] = [
  { in: [1, 27, 0], text: 'CVE-2026-30892 is open before crun 1.27' },
  {
    in: [1, 28, 0],
    text: 'CVE-2026-47766 is open before crun 1.28 (a link at /dev, /proc or /sys; we refuse such images ourselves)',
  },
];

/** `crun version 1.8.1` → [1, 8, 1]; undefined when the text is another. */
export function parseCrunVersion(text: string): [number, number, number] | undefined {
  const match = /^crun version ([0-9]+)\.([0-9]+)(?:\.([0-9]+))?/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((part, i) => part !== b[i]);
  return at !== -1 && (a[at] ?? 0) < (b[at] ?? 0);
}

async function probe(): Promise<EngineProbe> {
  const path = findTool('crun');
  const remedy = 'as root: sandbox setup (or: apt-get install crun)';
  if (path === undefined) throw new CofferdamError('ENGINE_MISSING', 'crun is not installed', { remedy });
  const { stdout } = await runTool(path, ['--version'], { timeoutMs: 10_000 });
  const version = parseCrunVersion(stdout);
  if (version === undefined) throw new CofferdamError('ENGINE_MISSING', `${path} does not say its version`, { remedy });
  if (isBefore(version, [1, 8, 0])) {
    throw new CofferdamError('ENGINE_MISSING', `${path} is ${version.join('.')}; 1.8 or newer is needed`, { remedy });
  }
  return {
    path,
    version: version.join('.'),
    weaknesses: fixes.filter((fix) => isBefore(version, fix.in)).map((fix) => fix.text),
  };
}

export const crunEngine: Engine = {
  name: 'crun',
  probe,
  refuse() {
    // Every key that this version enforces at all is enforced here; the others were refused when the profile was loaded.
  },
  command({ probe: found }) {
    return {
      writesConfig: true,
      appendsArguments: false,
      files: {},
      env: [],
      words: [
        found.path,
        // State beside the run, so that removing the run's folder removes it too.
        '--root',
        [variable('run_dir'), '/crun'],
        // Limits are in the leaf we made and joined; crun applies none silently in some cases (DESIGN.md, Limits).
        '--cgroup-manager=disabled',
        '--log',
        [variable('run_dir'), '/log'],
        '--log-format=json',
        'run',
        // A session keyring each exhausts the user's quota at the 198th sandbox.
        '--no-new-keyring',
        '--bundle',
        [variable('run_dir')],
        [variable('id')],
      ],
    };
  },
};
