// Owns the runs in which an engine does its acts: one asks for all that go together, one for nothing, and some for one thing each.
import type { Test } from 'tap';
import type { JsonResult } from '../../system/scene.ts';
import type { CellEngine } from './engines.ts';
import { type Act, openPlace, type Place } from './proof.ts';

interface Done {
  readonly result: JsonResult;
  readonly place: Place;
  /** What an act printed. */
  part(act: Act): string;
}

/** What the runs of an engine told. */
export interface Told {
  /** The run in which it was asked for. */
  of(act: Act): Done;
  /** The run in which nothing was. */
  readonly control: Done;
}

const mark = (at: number) => `== part ${at} ==`;

/** One run that asks for all of it, or for nothing; each act has its part of the output. */
async function runTogether(engine: CellEngine, acts: readonly Act[], more: readonly string[] | 'asked'): Promise<Done> {
  const place = openPlace(engine);
  const asked = more === 'asked' ? acts.map((act) => act.asked) : [];
  const profile = place.profile(asked.flatMap(({ lines }) => lines?.(place) ?? []).join('\n'));
  const flags = more === 'asked' ? asked.flatMap((one) => one.flags?.(place) ?? []) : more;
  const script = acts.map((act, at) => `echo '${mark(at)}'\n{ ${act.script}\n}`).join('\n');
  const result = await engine.runUnder(`mountRoots: ['${place.folder}']\n`, [
    ...['--profile', profile, ...flags],
    ...['--', 'sh', '-c', script],
  ]);
  const part = (act: Act) => {
    const at = acts.indexOf(act);
    const [, after = ''] = result.stdout.split(`${mark(at)}\n`);
    return after.split(`${mark(at + 1)}\n`)[0] ?? '';
  };
  return { result, place, part };
}

async function inTurn<A, B>(items: readonly A[], act: (item: A) => Promise<B>): Promise<B[]> {
  const done: B[] = [];
  for (const item of items) done.push(await act(item));
  return done;
}

/** Does the acts, some of them side by side: what ends by the clock waits beside the others. */
export async function tell(engine: CellEngine, acts: readonly Act[]): Promise<Told> {
  const together = acts.filter(({ alone }) => alone === undefined);
  const controlled = acts.filter(({ control }) => control !== undefined);
  const single = acts.filter(({ alone }) => alone === true);
  const bothRuns = async () => ({
    asked: await runTogether(engine, together, 'asked'),
    control: await runTogether(engine, controlled, ['--pids', '3000']),
  });
  const runAlone = async (act: Act) => [act, await runTogether(engine, [act], 'asked')] as const;
  const [{ asked, control }, ...lanes] = await Promise.all([
    bothRuns(),
    ...[0, 1].map((lane) =>
      inTurn(
        single.filter((_, at) => at % 2 === lane),
        runAlone,
      ),
    ),
  ]);
  const own = new Map(lanes.flat());
  return { of: (act) => own.get(act) ?? asked, control };
}

/** Judges one act by what was told. */
export function judgeAct(t: Test, act: Act, told: Told): void {
  const { result, place, part } = told.of(act);
  const seen = JSON.stringify(result).slice(0, 2000);
  if (act.part !== undefined) t.match(part(act), act.part, seen);
  if (act.result !== undefined) t.match(result, act.result, seen);
  for (const [name, content] of Object.entries(act.left ?? {})) t.equal(place.read(name), content, name);
  if (act.control === undefined) return;
  const { control } = told;
  const without = `control: ${JSON.stringify(control.result).slice(0, 2000)}`;
  if (act.control.part !== undefined) t.match(control.part(act), act.control.part, without);
  if (act.control.result !== undefined) t.match(control.result, act.control.result, without);
}
