// Owns the same proof as killed-at.system.test.ts for the ways with Node above: --json, artifacts, copied and writable
// workspaces, `sandbox apply`, the library. Killed is the Node that the caller sees, before its first call of each kind in
// each folder. A later way has only the kinds that no earlier one had, and of each way's kinds every second is root's and the others
// are the plain user's. Then Node while the program sleeps, of every way, and with artifacts, where processes of ours stand in
// between, each of those. What the others do by themselves is the short way's.
import { dirname } from 'node:path';
import tap from 'tap';
import { runGauntlet, type Way, warmUp } from './gauntlet.ts';
import { places } from './hostCount.ts';
import {
  distinctSteps,
  type KillPoint,
  pointsMidRun,
  pointsOf,
  type Step,
  sandboxWords,
  traceSteps,
} from './killPoints.ts';
import { type LoneHost, makeLoneHost } from './loneHost.ts';
import { declareNeeds } from './needs.ts';
import { install } from './scene.ts';

// A busy machine takes several times what an idle one does.
tap.setTimeout(1_800_000);
declareNeeds('crun', 'unshare', 'ip', 'base-tools');

const workspace = '/tmp/home/workspace';
/** The last thing that it does before it sleeps is to change its workspace. */
const guest = (seconds: number) =>
  `echo new >/workspace/new; rm -f /workspace/old; (trap "" TERM; setsid sleep 300 >/dev/null 2>&1 &); sleep ${seconds}`;
const patience = (point?: KillPoint) => (point?.ends === true ? 12 : 0.05);

function runWay(...options: readonly string[]): Way {
  return {
    words: (id, point) => {
      const given = options.map((option) => option.replace('ID', id));
      return sandboxWords(install, [
        'run',
        '--id',
        id,
        '-p',
        'base-tools',
        ...given,
        '--',
        'sh',
        '-c',
        guest(patience(point)),
      ]);
    },
  };
}

/** As it was before any run; for root it belongs to somebody else, because a root-owned one is refused. */
async function resetWorkspace(host: LoneHost): Promise<void> {
  const owner = host.scene.uid === 0 ? '1000:1000' : `${host.scene.uid}:${host.scene.gid}`;
  const script = `rm -rf "$1"; mkdir "$1"; echo old >"$1/old"; chown -R "$2" "$1"`;
  const ended = await host.asRoot(['/bin/sh', '-ec', script, 'reset', workspace, owner]);
  if (ended.status !== 0) throw new Error(ended.stderr);
}

/** A killed run's copy is its caller's to look at, so it stays, whole, until told otherwise. */
async function discardCopy(host: LoneHost, id: string): Promise<void> {
  const listed = await host.call(['diff', '--list', '--json']);
  if (!listed.stdout.includes(`"${id}"`)) return;
  const ended = await host.call(['apply', '--discard', id]);
  if (ended.status !== 0) throw new Error(`discard: ${ended.stderr}`);
}

function copyWay(host: LoneHost): Way {
  const prepare = async () => resetWorkspace(host);
  return { ...runWay('--json', '-w', `${workspace}:copy`), prepare, settle: (id) => discardCopy(host, id) };
}

function applyWay(host: LoneHost): Way {
  return {
    prepare: async (id) => {
      await resetWorkspace(host);
      const words = ['-w', `${workspace}:copy`, '--', 'sh', '-c', guest(0)];
      const ended = await host.call(['run', '--json', '--id', id, '-p', 'base-tools', ...words]);
      if (ended.status !== 0) throw new Error(`the run to apply: ${ended.stderr}`);
    },
    words: (id) => sandboxWords(install, ['apply', id]),
    stuck: /\.cofferdam-apply-.*diff -r /,
    settle: async (id) => {
      await discardCopy(host, id);
      await resetWorkspace(host);
    },
  };
}

const library = `
const { run } = await import(process.argv[1]);
const [, , id, script] = process.argv;
await run({ profile: 'base-tools', id, command: ['sh', '-c', script], hostEnv: process.env, cwd: '/' });
`;

function ways(host: LoneHost): Readonly<Record<string, Way>> {
  const out = '/tmp/home/out-ID';
  return {
    '--json': runWay('--json'),
    '--artifacts': {
      ...runWay('--artifacts', out),
      // Where the caller wanted it: what a killed run had copied there is the caller's.
      settle: async (id) => void (await host.asRoot(['/bin/rm', '-rf', out.replace('ID', id)])),
    },
    'a copied workspace': copyWay(host),
    'a writable workspace': {
      ...runWay('-w', `${workspace}:rw`),
      prepare: async () => resetWorkspace(host),
      settle: async () => resetWorkspace(host),
    },
    'sandbox apply': applyWay(host),
    'the library': {
      words: (id, point) => {
        const script = ['--input-type=module', '-e', library, `${install}/dist/sdk/index.js`];
        return [process.execPath, ...script, id, guest(patience(point))];
      },
    },
  };
}

/** Ways in which other processes stand between Node and the program. */
const shapes = ['--artifacts'];

interface Choice {
  readonly name: string;
  /** Of the run that was traced. */
  readonly id: string;
  readonly steps: readonly Step[];
  /** What stood on the host before: making it again changes nothing. */
  readonly before: readonly string[];
  /** Which of two points is this caller's. */
  readonly half: 0 | 1;
  /** Kinds that an earlier way of the same caller went through; those of this one are added. */
  readonly seen: Set<string>;
}

/** Node itself before each kind of its calls. */
function choose({ name: way, id, steps, before, half, seen }: Choice): KillPoint[] {
  const changing = distinctSteps(steps).filter(
    ({ call, what, ofGuest }) =>
      !ofGuest && !(/^(mkdir|chmod)/.test(call) && (before.includes(`folder ${what}`) || places.includes(what))),
  );
  const chosen = changing.filter(({ process: name, call, what }) => {
    if (name !== '0') return false;
    // What a way does with the caller's own folders is its own, whatever others do there.
    const whose = /\/(claims|copies|set-aside|home)(\/|$)/.test(what) ? way : 'any';
    const kind = `${whose} ${call} ${dirname(what)}`.replaceAll(id, 'ID');
    const isNew = !seen.has(kind);
    seen.add(kind);
    return isNew;
  });
  return pointsOf(chosen).filter(({ victim }, at) => victim === '0' && at % 2 === half);
}

/** None of a command that starts no program. */
function chooseMidRun(way: string, steps: readonly Step[]): KillPoint[] {
  if (!steps.some(({ phase }) => phase === 'start')) return [];
  return pointsMidRun(steps).filter(({ victim }) => victim === '0' || shapes.includes(way));
}

/** Of a run that was seen to its program's start, where there is one: a busy machine can hide that from the tracer. */
async function trace(host: LoneHost, way: Way): Promise<Pick<Choice, 'id' | 'steps'>> {
  for (let tries = 1; ; tries++) {
    const id = host.newId();
    await way.prepare?.(id);
    const steps = await traceSteps(host, way.words(id));
    await way.settle?.(id);
    if (way.stuck !== undefined || tries === 3 || steps.some(({ phase }) => phase === 'start')) return { id, steps };
  }
}

// Each on a host of its own, so side by side.
tap.jobs = 2;

for (const caller of ['root', 'plain user'] as const) {
  tap.test(
    `a SIGKILL of Node at every step leaves nothing (${caller})`,
    { timeout: 1_200_000, buffered: true },
    async (t) => {
      const host = await makeLoneHost(caller);
      const seen = new Set<string>();
      await resetWorkspace(host);
      for (const [name, way] of Object.entries(ways(host))) {
        const before = await warmUp(host, way);
        const { id, steps } = await trace(host, way);
        const points = choose({ name, id, steps, before, half: caller === 'root' ? 0 : 1, seen });
        const begin = Date.now();
        const midRun = chooseMidRun(name, steps);
        const reached =
          (await runGauntlet(t, { host, way, points, before })) +
          (await runGauntlet(t, { host, way, points: midRun, before, atOnce: 1 }));
        const count = points.length + midRun.length;
        t.comment(`${name}: ${count} points, ${reached} reached, ${Date.now() - begin} ms`);
        t.ok(count > 0 && reached >= count * 0.8, `${reached} of ${count} points of ${name} were reached`);
      }
    },
  );
}
