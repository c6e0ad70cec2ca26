// Owns what the doctor says about engines: which can run, with which known weaknesses.
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { listEngines } from '../select.ts';
import type { Engine } from '../types.ts';
import { type Check, type DoctorInput, type Finding, fail, ok, warn } from './check.ts';

const newer = "install a newer version, from Debian's next release or backports";

/** Two engines with one runtime have one weakness. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  return findings.filter(
    ({ level, seen }, i) => level !== 'warn' || findings.findIndex((other) => other.seen === seen) === i,
  );
}

async function checkEngine(engine: Engine, { engine: wanted }: DoctorInput): Promise<Finding[]> {
  const id = `engine.${engine.name}`;
  const report = engine.name === wanted ? fail : warn;
  try {
    const { path, version, weaknesses } = await engine.probe();
    const note = engine.name === wanted ? ' (used here)' : '';
    return [
      ok(id, `${path} ${version}${note}`),
      ...weaknesses.map((text, i) => warn(`${id}.weakness${i === 0 ? '' : i + 1}`, text, newer)),
    ];
  } catch (cause) {
    const remedy = cause instanceof CofferdamError ? cause.remedy : 'see the message';
    return [report(id, printable(messageOf(cause), 300), remedy)];
  }
}

export const checkEngines: Check = async (input) => {
  const ours = await Promise.all((await listEngines(input.settings)).map((engine) => checkEngine(engine, input)));
  return withoutRepeats(ours.flat());
};
