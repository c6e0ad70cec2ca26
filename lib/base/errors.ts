// Owns the one error class of the product; what each code means stands in catalogue.ts.
import { catalogue, type ErrorCode } from './catalogue.ts';

export interface ErrorDetail {
  /** The next thing to do, as a command where one exists. Overrides the catalogue's general remedy. */
  remedy?: string;
  cause?: unknown;
  /** More findings of the same kind, one line each (`file:line:col  key: text`). */
  details?: readonly string[];
}

/**
 * Every failure of ours. `code` is stable API (docs/errors.md), `exit` is the process exit status it leads to
 * (2 bad usage, 125 our failure, 126 cannot invoke, 127 not found), `remedy` is what to do next.
 */
export class CofferdamError extends Error {
  override readonly name = 'CofferdamError';
  readonly code: ErrorCode;
  readonly exit: number;
  readonly remedy: string;
  readonly details: readonly string[];

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    const entry = catalogue[code];
    this.code = code;
    this.exit = entry.exit;
    this.remedy = detail.remedy ?? entry.remedy;
    this.details = detail.details ?? [];
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The errno name (`ENOENT`) of a thrown Node error, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') return thrown.code;
  return undefined;
}
