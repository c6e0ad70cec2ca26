// Owns `sandbox logs`: what a sandbox wrote, as it wrote it, with times, or as JSON that says where to resume.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable, printableJson } from '../base/printable.ts';
import { durationPattern, parseDuration } from '../base/units.ts';
import type { Frame } from '../run/life/frames.ts';
import { selectLog } from '../run/life/logSelection.ts';
import type { LogEvent } from '../run/life/logs.ts';
import { findSandbox, logsFolder } from '../run/life/sandbox.ts';
import { isLive, readState } from '../run/life/state.ts';
import type { CliContext } from './context.ts';
import { parseCount } from './count.ts';

interface LogFlags {
  readonly follow?: true;
  readonly since?: string;
  readonly until?: string;
  readonly tail?: string;
  readonly timestamps?: true;
  readonly offset?: string;
  readonly json?: true;
}

const datePattern =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$/;

/** Ms since the epoch of `10m` (that long before `now`), a date and time of ISO 8601, or seconds since the epoch. */
export function parseTime(text: string, now: number): number {
  if (durationPattern.test(text)) return now - parseDuration(text);
  if (/^[0-9]{1,11}(\.[0-9]{1,9})?$/.test(text)) return Math.round(Number(text) * 1000);
  const time = datePattern.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new CofferdamError('VALUE_INVALID', `"${printable(text, 40)}" is no time`, {
    remedy: 'give 10m (that long ago), 2026-01-31T12:00:00Z, or seconds since 1970',
  });
}

// Escapes, but keeps lines and tabs. What ends a line of a terminal inside ends one here.
function harmless(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .split(/([\n\t])/)
    .map((piece, i) => (i % 2 === 1 ? piece : printable(piece, piece.length + 1)))
    .join('');
}

class LogPrinter {
  readonly #context: CliContext;
  readonly #timestamps: boolean;
  readonly #begins = { stdout: true, stderr: true };
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  constructor(context: CliContext, timestamps: boolean) {
    this.#context = context;
    this.#timestamps = timestamps;
  }

  async print({ stream, at, bytes }: Frame): Promise<void> {
    const { terminal } = this.#context;
    const isTerminal = stream === 'stdout' ? terminal.outIsTerminal : terminal.errIsTerminal;
    const shown = isTerminal ? Buffer.from(harmless(this.#decoders[stream].decode(bytes, { stream: true }))) : bytes;
    await terminal.write(stream, this.#timestamps ? this.#stamp(stream, at, shown) : shown);
  }

  #stamp(stream: Frame['stream'], at: number, bytes: Buffer): Buffer {
    const stamp = Buffer.from(`${new Date(at).toISOString()} `);
    const pieces: Buffer[] = [];
    for (let begin = 0; begin < bytes.length; ) {
      const newline = bytes.indexOf(10, begin);
      const end = newline === -1 ? bytes.length : newline + 1;
      if (this.#begins[stream]) pieces.push(stamp);
      pieces.push(bytes.subarray(begin, end));
      this.#begins[stream] = newline !== -1;
      begin = end;
    }
    return Buffer.concat(pieces);
  }
}

function textOf(bytes: Buffer): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: bytes.toString('base64') };
  }
}

/** `offset` is where to resume after this line: everything before it was printed. */
function renderJson(event: LogEvent): string {
  if (event.kind === 'gap') return printableJson({ offset: event.to, lost: event.to - event.from }, 0);
  const { at, stream, bytes, next } = event.frame;
  return printableJson({ offset: next, time: new Date(at).toISOString(), stream, ...textOf(bytes) }, 0);
}

async function showLogs(context: CliContext, name: string, flags: LogFlags): Promise<void> {
  const { paths, signal, terminal } = context;
  const sandbox = findSandbox(paths, name);
  const now = Date.now();
  const time = (text: string | undefined) => (text === undefined ? undefined : parseTime(text, now));
  const selection = {
    since: time(flags.since),
    until: time(flags.until),
    tail: flags.tail === undefined || flags.tail === 'all' ? undefined : parseCount(flags.tail, '--tail'),
  };
  const request = {
    directory: logsFolder(paths, sandbox.id),
    offset: flags.offset === undefined ? undefined : parseCount(flags.offset, '--offset'),
    follow: flags.follow === true,
    isLive: () => isLive(readState(paths, sandbox)),
    signal,
  };
  const printer = new LogPrinter(context, flags.timestamps === true);
  for await (const event of selectLog(request, selection, now)) {
    if (flags.json === true) await terminal.write('stdout', Buffer.from(`${renderJson(event)}\n`));
    else if (event.kind === 'frame') await printer.print(event.frame);
    else
      terminal.err(
        `sandbox: ${event.to - event.from} bytes of the log before offset ${event.to} are gone (rotated away)\n`,
      );
  }
}

/** `sandbox logs [-f] [--since T] [--until T] [--tail N] [--timestamps] [--offset N] [--json] SANDBOX`. */
export function logsCommand(context: CliContext): Command {
  return createCommand('logs')
    .description('Print what a sandbox wrote: stdout to stdout, stderr to stderr')
    .argument('<sandbox>', 'name, id, or the beginning of an id')
    .option('-f, --follow', 'wait for more until the sandbox ends')
    .option('--since <time>', '10m (that long ago), 2026-01-31T12:00:00Z, or seconds since 1970')
    .option('--until <time>', 'as --since; following ends there')
    .option('-n, --tail <lines>', 'only the last lines, or all')
    .option('-t, --timestamps', 'put the time before each line')
    .option('--offset <n>', 'begin where an earlier --json ended')
    .option('--json', 'one {offset, time, stream, text|base64} a line; offset is where to resume')
    .addHelpText('after', '\nExamples:\n  sandbox logs -f --tail 20 build\n  sandbox logs --json --offset 4711 build')
    .action((name: string, flags: LogFlags) => showLogs(context, name, flags));
}
