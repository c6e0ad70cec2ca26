// Owns the enforcement matrix: what each engine enforces, by whom; what it refuses; what it lacks. The only list of these.
import { CofferdamError } from '../base/errors.ts';
import type { Profile } from '../profile/schema.ts';
import { extraTargets } from './docker/lower.ts';
import { isGuestKernel } from './guestKernel.ts';
import { crunMatrix } from './matrix/crun.ts';
import { dockerMatrix } from './matrix/docker.ts';
import { nerdctlMatrix } from './matrix/nerdctl.ts';
import { podmanMatrix } from './matrix/podman.ts';
import { podmanRunscMatrix } from './matrix/podmanRunsc.ts';
import { type Cell, type EngineMatrix, fields, properties, type RowName } from './matrix/row.ts';
import { runscMatrix } from './matrix/runsc.ts';
import type { Asking } from './types.ts';

/** Engines with a matrix, best first. */
export const matrices = {
  crun: crunMatrix,
  podman: podmanMatrix,
  nerdctl: nerdctlMatrix,
  docker: dockerMatrix,
  runsc: runscMatrix,
  'podman+runsc': podmanRunscMatrix,
} as const satisfies Record<string, EngineMatrix>;

export type MatrixName = keyof typeof matrices;

function cellsOf(name: MatrixName): [RowName, Cell][] {
  return Object.entries(matrices[name]) as [RowName, Cell][];
}

interface Found {
  readonly field: string;
  readonly why: string;
}

/** The first thing that is asked for and that the engine cannot do. */
export function findRefusal(name: MatrixName, profile: Profile, asking: Asking): Found | undefined {
  for (const [, { refuses = [] }] of cellsOf(name)) {
    for (const { why, asked } of refuses) {
      const field = asked(profile, asking);
      if (field !== undefined) return { field, why };
    }
  }
  return undefined;
}

/** ENGINE_CANNOT: the field, the engine, why, and those that can. */
export function engineCannot(
  name: MatrixName,
  field: string,
  why: string,
  others: readonly MatrixName[],
): CofferdamError {
  const listed = [others.slice(0, -1).join(', '), ...others.slice(-1)].filter((part) => part !== '').join(' and ');
  const can = listed === '' ? '' : `; ${listed} can`;
  const remedy = others[0] === undefined ? 'see: sandbox engines' : `use --engine ${others[0]}`;
  return new CofferdamError('ENGINE_CANNOT', `${name} cannot enforce ${field}: ${why}${can}`, { remedy });
}

/** Throws ENGINE_CANNOT for the first thing that is asked for and that the engine cannot do. */
export function refuseImpossible(name: MatrixName, profile: Profile, asking: Asking): void {
  const found = findRefusal(name, profile, asking);
  if (found === undefined) return;
  const all = Object.keys(matrices) as MatrixName[];
  // Nobody is sent to gVisor for what it does not isolate, nor away from it to crun under that name.
  const able = all.filter((other) => !isGuestKernel(other) && findRefusal(other, profile, asking) === undefined);
  throw engineCannot(name, found.field, found.why, able);
}

/** What of the default boundary every sandbox of this engine lacks, a sentence each: weaknesses of its plans. */
export function lackingOf(name: MatrixName): string[] {
  return cellsOf(name).flatMap(([, { lacks = [] }]) => lacks.map(({ why }) => why));
}

export interface MatrixRow {
  readonly name: RowName;
  readonly means: string;
  readonly cells: Readonly<Record<MatrixName, Cell>>;
}

/** The matrix by rows: what a profile may ask for, then what every sandbox has. */
export function matrixRows(): MatrixRow[] {
  const means = Object.entries({ ...fields, ...properties }) as [RowName, string][];
  return means.map(([name, text]) => {
    const cells = Object.entries(matrices).map(([engine, matrix]) => [engine, matrix[name]]);
    return { name, means: text, cells: Object.fromEntries(cells) as Record<MatrixName, Cell> };
  });
}

/** `yes`: enforced. `part`: but for what is refused or lacking. `refused`, `no`: not possible; only asking for it is refused. */
export function cellWord({ by, refuses = [], lacks = [] }: Cell): 'yes' | 'part' | 'refused' | 'no' {
  if (by === undefined) return refuses.length > 0 ? 'refused' : 'no';
  return refuses.length + lacks.length === 0 ? 'yes' : 'part';
}

/** Where something read-only is mounted that the spec does not list. */
export function targetsBeside(name: string): readonly string[] {
  if (name === 'podman') return ['/etc/hostname'];
  return name === 'docker' ? extraTargets : [];
}

/** Whether an engine sets more flags of a folder's mount than `ro`. */
export function setsMountFlags(name: string): boolean {
  return name !== 'docker';
}

/** Whether its container is made of the bundle that crun gets (lib/engine/crun.ts). */
export function takesOurBundle(name: string): boolean {
  return ['crun', 'nerdctl'].includes(name);
}

/** Why a check of `sandbox verify` cannot hold with the engine `name`, or undefined. */
export function lacksCheck(name: string, check: string): string | undefined {
  if (!(name in matrices)) return undefined;
  const all = cellsOf(name as MatrixName).flatMap(([, { lacks = [] }]) => lacks);
  return all.find(({ checks }) => checks.includes(check))?.why;
}
