// Owns reading what the probe printed. It comes out of a sandbox: bounded, strict, and nothing of it is guessed.
import { constants } from 'node:os';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';

export interface Attempt {
  /** `ok`, an errno's name, a signal's name, or `absent`. */
  readonly name: string;
  readonly detail: string;
}

export interface Attempts {
  /** Throws when the probe said nothing of it. */
  get(id: string): Attempt;
}

/** The last line of a report. */
export const endLine = 'end ok 0 -\n';

const most = 512 * 1024;
const linePattern =
  /^([a-z0-9]+\.[a-z0-9_-]{1,48}|end|unknown) (ok|errno|signal|absent|unknown) ([0-9]{1,4}) ([\x21-\x7e]{1,4000})$/;

function nameOf(names: Readonly<Record<string, number>>, number: number): string | undefined {
  return Object.entries(names).find(([, value]) => value === number)?.[0];
}

function decode(text: string): string {
  if (text === '-') return '';
  return text.replaceAll(/\\x([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

function readLine(line: string): [string, Attempt] {
  const [, id = '', result = '', digits = '', detail = ''] = linePattern.exec(line) ?? [];
  const number = Number(digits);
  if (result === 'errno') {
    return [id, { name: nameOf(constants.errno, number) ?? `errno ${number}`, detail: decode(detail) }];
  }
  if (result === 'signal') {
    return [id, { name: nameOf(constants.signals, number) ?? `signal ${number}`, detail: decode(detail) }];
  }
  if (result === 'ok' || result === 'absent') return [id, { name: result, detail: decode(detail) }];
  throw new CofferdamError('LAUNCH_FAILED', `the probe could not make an attempt: ${printable(line)}`);
}

/**
 * The lines of the probe: one for each of `ids`, in their order, and the end; nothing else. Throws LAUNCH_FAILED otherwise,
 * so that a line more (somebody else wrote too) is as bad as one less.
 */
export function parseReport(text: string, ids: readonly string[]): Attempts {
  if (text.length > most) throw new CofferdamError('LAUNCH_FAILED', `the probe printed more than ${most} bytes`);
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new CofferdamError('LAUNCH_FAILED', 'the last line of the probe has no end');
  const wanted = [...ids, 'end'];
  const found = new Map<string, Attempt>();
  for (const [at, line] of lines.entries()) {
    const [id, attempt] = readLine(line);
    if (id !== wanted[at]) throw new CofferdamError('LAUNCH_FAILED', `not a line of the probe: ${printable(line)}`);
    found.set(id, attempt);
  }
  if (lines.length !== wanted.length) {
    throw new CofferdamError(
      'LAUNCH_FAILED',
      `the probe made ${lines.length} of ${wanted.length} attempts; the next was ${wanted[lines.length]}`,
    );
  }
  return {
    get(id) {
      const attempt = found.get(id);
      if (attempt === undefined) throw new Error('the probe was not asked for it');
      return attempt;
    },
  };
}
