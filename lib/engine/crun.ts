// Owns the default engine: crun, given our own bundle. Everything it enforces stands in the spec.
import { readFileSync, statSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { startTimeOf } from '../base/process.ts';
import { open, whole } from '../base/shape.ts';
import { outlineDev } from '../spec/dev.ts';
import { bind } from '../spec/mounts.ts';
import { sysFolders } from '../spec/sys.ts';
import type { OciSpec } from '../spec/types.ts';
import { type CheckFilter, crunEnter } from './enter.ts';
import { type FindInit, isInit } from './inits.ts';
import { findTool, requireTool } from './tools.ts';
import type { Covers, Engine, EngineCommand, EngineInput, EngineLife, EngineProbe, LiveRun } from './types.ts';
import { type ShellWord, variable } from './words.ts';

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
  const { stdout } = await runTool(path, ['--version'], { timeoutMs: 60_000 });
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

/** Where the supervisor hands the user namespace over (lib/run/native/child.h, USER_SPACE). */
const userSpace = '/proc/self/fd/4';

/**
 * The spec as crun gets it. The filter is the BPF of the annotation, which every crun that `probe` takes loads as it is; the
 * section is then never compiled, only parsed at every start. What stands in its place kills a program at its first
 * system call, so that a runtime which did not know the annotation would run nothing rather than run it unfiltered.
 */
export function lowerForCrun(spec: OciSpec, ownSpace: boolean, masks: Masks): OciSpec {
  const { linux } = spec;
  const { empty, dev, sys } = masks.covers;
  const shown = masks.shown.map((folder) => bind(folder, folder, ['ro', 'noexec']));
  const mounts = outlineDev(spec.mounts, dev).flatMap((mount) =>
    mount.destination === '/sys' ? [bind(sys, '/sys', ['ro', 'noexec']), ...shown] : [mount],
  );
  const namespaces = linux.namespaces.map((entry) =>
    ownSpace && entry.type === 'user' ? { type: 'user', path: userSpace } : entry,
  );
  return {
    ...spec,
    mounts: [...mounts, ...masks.hidden.map((folder) => bind(empty, folder, ['ro']))],
    linux: {
      ...linux,
      namespaces,
      maskedPaths: linux.maskedPaths.filter((path) => !isOfSys(path) && !masks.hidden.includes(path)),
      seccomp: { defaultAction: 'SCMP_ACT_KILL_PROCESS' },
    },
  };
}

/**
 * What stands in the place of file systems of a sandbox's own: the kernel walks all of the host for each control group that goes
 * (memcg_reparent_list_lrus), and all of /sys for each new one: with 500 sandboxes that was a third of a start (docs/decisions/0027, 0035, 0043).
 */
interface Masks {
  readonly covers: Covers;
  /** Folders of /proc that the empty one covers. */
  readonly hidden: readonly string[];
  /** Folders of the host's /sys that are shown; all else of it is not there. */
  readonly shown: readonly string[];
}

const isOfSys = (path: string) => path.startsWith('/sys/');

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

// crun would start the two tools one after the other; the supervisor starts both while it makes the rest ready.
function mapOptions({ process }: OciSpec): ShellWord[] {
  const map = (kind: 'uid' | 'gid'): ShellWord => [
    '0 ',
    variable(`root_${kind}`),
    ` 1 ${process.user[kind]} `,
    variable(`program_${kind}`),
    ' 1',
  ];
  return [
    '--map-uids',
    map('uid'),
    '--map-gids',
    map('gid'),
    '--newuidmap',
    requireTool('newuidmap', 'uidmap'),
    '--newgidmap',
    requireTool('newgidmap', 'uidmap'),
  ];
}

/** The bundle that crun gets, whoever starts it. */
export function bundleForCrun(
  { spec, covers }: Pick<EngineInput, 'spec' | 'covers'>,
  ownSpace: boolean,
): Required<Pick<EngineCommand, 'config' | 'folders'>> {
  const hidden = spec.linux.maskedPaths.filter((path) => !isOfSys(path) && isFolder(path));
  const shown = sysFolders.map((path) => `/sys/${path}`).filter(isFolder);
  const config = lowerForCrun(spec, ownSpace, { covers, hidden, shown });
  return { config, folders: [covers.empty, covers.dev, covers.sys, ...hidden, ...shown] };
}

const statusShape = open({ pid: whole(2), 'process-start-time': whole(0) });

// crun's own file says it, also of a run without control groups.
const findInit: FindInit = ({ id, runDirectory }) => {
  try {
    const text = readFileSync(`${runDirectory}/crun/${id}/status`, 'utf8');
    const { pid, 'process-start-time': time } = statusShape(JSON.parse(text));
    const started = String(time);
    return startTimeOf(pid) === started ? { pid, started } : undefined;
  } catch {
    // Not written yet, or ended already.
    return undefined;
  }
};

// It keeps its own filter where crun exec will look for ours.
const checkFilter: CheckFilter = ({ id, runDirectory }, filter) => {
  if (readFileSync(`${runDirectory}/crun/${id}/seccomp.bpf`).equals(filter)) return;
  throw new Error('its seccomp filter is not the one of its plan');
};

// crun writes its state while the process is still crun itself, inside a half-made sandbox.
function isReady(run: LiveRun): boolean {
  const init = findInit(run);
  return init !== undefined && isInit(init.pid);
}

/** Of every sandbox whose container is crun's, with its state at `<run>/crun`. */
export const crunLife = {
  isReady,
  signal: ({ id, runDirectory, path }, signal) => [path, '--root', `${runDirectory}/crun`, 'kill', id, signal],
  enter: crunEnter(findInit, checkFilter),
} satisfies EngineLife;

export const crunEngine: Engine = {
  name: 'crun',
  probe,
  refuse() {
    // Every key that this version enforces at all is enforced here; the others were refused when the profile was loaded.
  },
  command(input) {
    const { probe: found } = input;
    const ownSpace = input.callerUid !== 0 && !input.inOuterIds;
    return {
      writesConfig: true,
      ...bundleForCrun(input, ownSpace),
      supervision: ['--seal', ...(input.inOuterIds ? [] : ['--let-go']), ...(ownSpace ? mapOptions(input.spec) : [])],
      appendsArguments: false,
      files: {},
      // crun clones its own binary by way of a file in this folder, else in /tmp: what a kill leaves there goes with the run.
      env: [{ name: '_LIBCONTAINER_STATEDIR', value: [variable('run_dir')] }],
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
        { terminal: ['--console-socket', [variable('run_dir'), '/tty']] },
        '--bundle',
        [variable('run_dir')],
        [variable('id')],
      ],
    };
  },
  life: crunLife,
};
