// Owns turning a command's context into the Host that lib/run takes.
import type { Host } from '../run/prepare.ts';
import type { CliContext } from './context.ts';

export function hostOf({ paths, uid, gid, cwd, version, signal, env }: CliContext): Host {
  return { paths, uid, gid, cwd, version, signal, home: env['HOME'] };
}
