// Owns the points at which a run is killed: found by tracing one, so that no step of the code is named here.
import { dirname, join } from 'node:path';
import { type LoneHost, readInside } from './loneHost.ts';
import type { Ended } from './scene.ts';

/** One call that changes the host, about to be made by one process of the run. */
export interface Step {
  /** By birth: `0` is what the caller started, `0.2` its second child. */
  readonly process: string;
  /** From 1, within the process. */
  readonly number: number;
  readonly command: string;
  readonly call: string;
  /** The path that it names, or what its descriptor is. */
  readonly what: string;
  /** Until the program runs, and its own; or what may come only when it has ended. */
  readonly phase: 'start' | 'end';
  /** Whether the sandbox's init, once there, is this process or a descendant. */
  readonly holdsInit: boolean;
  /** Whether this is the program or what it started. */
  readonly ofGuest: boolean;
}

/** A step, and who gets the SIGKILL just before it. */
export interface KillPoint extends Step {
  readonly victim: string;
  /** Whether it is the end of the run; that of a tool or of a guest's process need not be. */
  readonly ends: boolean;
}

// On a file system of their own, which is not counted.
const program = '/tmp/killAt/killAt';
const log = '/tmp/killAt/log';
/** lib/spec mounts it there. */
const initInside = '/.cofferdam/init';

function readSteps(host: LoneHost): Step[] {
  const steps = readInside(host, log)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [process = '', number = '', command = '', call = '', what = ''] = line.split('\t');
      return { process, number: Number(number), command, call, what };
    });
  // Only there the program of a sandbox is started: its parent is the init that we mount.
  const init = steps.find(({ call, what }) => call === 'execve' && what === initInside)?.process ?? 'none';
  const started = steps.findIndex(({ process, call }) => process.startsWith(`${init}.`) && call === 'execve');
  return steps.map((step, at) => {
    const early = step.call !== 'exit_group' && (at <= started || isBelow(step.process, init));
    const ofGuest = step.process !== init && isBelow(step.process, init);
    return { ...step, phase: early ? 'start' : 'end', holdsInit: isBelow(init, step.process), ofGuest };
  });
}

async function follow(host: LoneHost, aim: readonly string[], words: readonly string[]): Promise<Ended> {
  const ended = await host.asRoot([program, log, ...aim, '--', ...host.asCaller(words)]);
  if (ended.status !== 0 && ended.status !== 3) throw new Error(`killAt: ${ended.status} ${ended.stderr}`);
  return ended;
}

/** Runs a command to its end and gives its steps, in order of time. What drops root's rights before it is left out. */
export async function traceSteps(host: LoneHost, words: readonly string[]): Promise<Step[]> {
  const ended = await follow(host, ['-', '0', '-'], words);
  const steps = readSteps(host);
  if (steps.length === 0) throw new Error(`nothing was traced: ${ended.stderr}`);
  return steps.filter(({ command }) => command !== 'setpriv' && command !== 'env');
}

/** Runs a command and kills there; false when everything had ended before. */
export async function killThere(host: LoneHost, { process, number, victim }: KillPoint, words: readonly string[]) {
  return (await follow(host, [process, String(number), victim], words)).status === 0;
}

/** Of steps of one kind in a row (one call, in one folder) the first. */
function isNew(step: Step, at: number, steps: readonly Step[]): boolean {
  const before = steps[at - 1];
  return before === undefined || before.call !== step.call || dirname(before.what) !== dirname(step.what);
}

/** Steps of each process, without those that repeat the one before. */
export function distinctSteps(steps: readonly Step[]): Step[] {
  const names = [...new Set(steps.map(({ process }) => process))];
  return names.flatMap((name) => steps.filter(({ process }) => process === name).filter(isNew));
}

/** Everybody's own death, and that of the first process while others go on. */
export function pointsOf(steps: readonly Step[]): KillPoint[] {
  return steps.flatMap((step): KillPoint[] => {
    const early = step.phase === 'start';
    const own = { ...step, victim: step.process, ends: early && step.holdsInit };
    return step.process === '0' ? [own] : [own, { ...step, victim: '0', ends: early }];
  });
}

/**
 * One of two callers' share: of a step that has two victims each takes one, in turn, so that together they have both of every step.
 */
export function shareOf(points: readonly KillPoint[], half: 0 | 1): KillPoint[] {
  const steps = [...new Set(points.map(({ process, number }) => `${process} ${number}`))];
  return points.filter(({ process, number, victim }) => {
    const own = victim === process;
    return process === '0' || own === (steps.indexOf(`${process} ${number}`) % 2 === half);
  });
}

/** Everybody who lives while the program sleeps, each as the last of its processes begins: later steps are not always as many. */
export function pointsMidRun(steps: readonly Step[]): KillPoint[] {
  const last = steps.findLastIndex(({ phase, number }) => phase === 'start' && number === 1);
  const step = steps[last];
  if (step === undefined) throw new RangeError('the program was not started');
  const before = steps.slice(0, last + 1);
  const ended = before.filter(({ call }) => call === 'exit_group').map(({ process }) => process);
  const alive = before.filter(({ process }, at) => before.findIndex((found) => found.process === process) === at);
  return alive
    .filter(({ process }) => !ended.includes(process))
    .map(({ process, holdsInit }) => ({ ...step, victim: process, ends: process === '0' || holdsInit }));
}

/**
 * The steps by which init changes hands while the program runs: the signals of the supervisor, and what init asks for at a parent's death.
 * Each with those whose end ends the run then: at the last signal the runtime's end is what is wanted.
 */
export function pointsOfHandover(steps: readonly Step[]): KillPoint[] {
  const holders = [...new Set(steps.filter(({ holdsInit }) => holdsInit).map(({ process }) => process))];
  const runtime = holders.find((name) => name.split('.').length === 2);
  const init = holders.toSorted((a, b) => a.length - b.length).at(-1);
  if (runtime === undefined || init === undefined) throw new RangeError('no init was started');
  const signals = steps.filter(({ process, call }) => process === '0' && call === 'pidfd_send_signal');
  const asks = steps.filter(({ process, call }) => process === init && call === 'prctl').slice(1);
  const at = (step: Step, victims: readonly string[]) => victims.map((victim) => ({ ...step, victim, ends: true }));
  return [
    ...signals.flatMap((step, i) => at(step, i < 2 ? ['0', runtime, init] : ['0', init])),
    ...asks.flatMap((step) => at(step, ['0', init])),
  ];
}

/** Whether `name` is `ancestor` or below it. */
function isBelow(name: string, ancestor: string): boolean {
  return name === ancestor || name.startsWith(`${ancestor}.`);
}

export function describePoint({ process, number, command, call, what, victim }: KillPoint): string {
  return `${victim} killed before step ${number} of ${process} (${command}): ${call} ${what}`;
}

/** What the caller's shell would run for `sandbox ARGUMENTS`. */
export function sandboxWords(install: string, args: readonly string[]): string[] {
  return [join(install, 'bin/sandbox'), ...args];
}

/** A run for `seconds`. The daemon would outlive the program, in a session of its own and deaf to TERM; both would outlive our patience. */
export function lastingWords(install: string, id: string, seconds: number): string[] {
  const guest = `(trap "" TERM; setsid sleep 300 >/dev/null 2>&1 &); sleep ${seconds}`;
  return sandboxWords(install, ['run', '--id', id, '-p', 'base-tools', '--', 'sh', '-c', guest]);
}
