// Owns our own diagnostics (never the guest's output): JSON lines on stderr, only when asked for. The only file that imports pino.
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** Keys whose values never reach a log, at the top and one level down. */
export const redactedKeys = ['authorization', 'cookie', 'env', 'token', 'password', 'secret', 'key'] as const;

/** A logger that writes to fd 2 at `level` ("silent" unless COFFERDAM_DEBUG asks otherwise; the CLI decides). */
export function createLogger(
  level: 'silent' | 'info' | 'debug',
  destination: DestinationStream = pino.destination({ fd: 2, sync: true }),
): Logger {
  const paths = redactedKeys.flatMap((key) => [key, `*.${key}`]);
  return pino({ level, base: null, redact: { paths, censor: '[redacted]' } }, destination);
}
