// Owns what every command is given: folders, who we are, and the two streams. process.* is read in main.ts only.
import type { Paths } from '../base/paths.ts';

export interface Terminal {
  /** Writes to stdout; text of ours only, or text that went through printable(). */
  out(text: string): void;
  /** Writes to stderr: progress, warnings, errors. */
  err(text: string): void;
  /** Whether stdout / stderr may carry colours and redrawn lines: a terminal, and NO_COLOR unset. */
  readonly outColour: boolean;
  readonly errColour: boolean;
  /** Whether stdin / stdout / stderr is a terminal, whatever NO_COLOR says. */
  readonly inIsTerminal: boolean;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Writes bytes as they are, and settles when the stream takes more: for what a program inside wrote, never to a terminal. */
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>;
}

/** Shows nothing to nobody: for the trees of commands alone. */
export const silentTerminal: Terminal = {
  out: () => undefined,
  err: () => undefined,
  outColour: false,
  errColour: false,
  inIsTerminal: false,
  outIsTerminal: false,
  errIsTerminal: false,
  write: async () => undefined,
};

export interface CliContext {
  readonly paths: Paths;
  readonly uid: number;
  readonly gid: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  /** Our version, from package.json. */
  readonly version: string;
  /** Aborted on SIGINT or SIGTERM: long work stops and cleans up. */
  readonly signal: AbortSignal;
  /** Sets the exit status of the process; the last call wins. */
  exit(status: number): void;
}
