// Owns how commands print: aligned tables, JSON, progress lines.
import { printableJson } from '../base/printable.ts';
import type { Terminal } from './context.ts';

/** Rows as columns padded to the widest cell, two spaces apart, header in upper case. Cells must be printable already. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header.map((cell) => cell.toUpperCase()), ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const lines = all.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
  );
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

/** Prints such a table. */
export function printTable(terminal: Terminal, header: readonly string[], rows: readonly (readonly string[])[]): void {
  terminal.out(renderTable(header, rows));
}

/** One JSON document, two spaces indented, newline-ended; harmless on a terminal whatever its strings hold. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${printableJson(value)}\n`);
}

export interface Progress {
  /** What is being done now; on a terminal it replaces the line before, elsewhere it is a line of its own. */
  step(text: string): void;
  /** Ends it, with a last line. */
  done(text: string): void;
}

/** Progress on stderr with the seconds since the start. */
export function startProgress(terminal: Terminal, label: string): Progress {
  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  let last = '';
  return {
    step(text) {
      if (text === last) return;
      last = text;
      const line = `${label}: ${text} (${seconds()} s)`;
      terminal.err(terminal.errColour ? `\r\u001b[K${line.slice(0, 100)}` : `${line}\n`);
    },
    done(text) {
      const line = `${label}: ${text} (${seconds()} s)\n`;
      terminal.err(terminal.errColour ? `\r\u001b[K${line}` : line);
    },
  };
}
