// Owns mounts of a spec as the flags of docker's command line, which nerdctl has, too.
import { placeholders, templateVariables } from '../../spec/placeholders.ts';
import type { OciMount, OciSpec } from '../../spec/types.ts';
import type { ShellWord } from '../words.ts';
import { type Cannot, ownMounts } from './shape.ts';
import { join } from './template.ts';

/** A field of --mount, which is one record of CSV (RFC 4180). */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Both add noexec, nosuid and nodev to what they are given.
function tmpfsFlag({ destination, options }: OciMount, cannot: Cannot): ShellWord[] {
  if (destination.includes(':'))
    throw cannot(`the mount at ${destination}`, 'its options have no way to write the path');
  const access = options.includes('noexec') ? [] : ['exec'];
  return ['--tmpfs', `${destination}:${[...options, ...access].join(',')}`];
}

export interface MountOptions {
  readonly cannot: Cannot;
  /** The workspace's source: a path that is no list of anything, whatever the folder is called. */
  readonly workspace: ShellWord;
  /** The same for the folder of the way out. */
  readonly wayOut: ShellWord;
}

function bindFlag(
  { source, destination, options }: OciMount,
  { cannot, workspace, wayOut }: MountOptions,
): ShellWord[] {
  const bound = { [placeholders.workspace]: workspace, [placeholders.wayOut]: wayOut }[source];
  if (bound === undefined && Object.keys(templateVariables).some((token) => source.includes(token)))
    throw cannot(`the mount at ${destination}`, 'its options have no way to write what is filled in at launch');
  const from = bound === undefined ? csvField(`src=${source}`) : join('src=', bound);
  const access = options.includes('ro') ? ',readonly' : '';
  const rest = `,${csvField(`dst=${destination}`)}${access},bind-propagation=private,bind-nonrecursive`;
  return ['--mount', join('type=bind,', from, rest)];
}

/** Every mount of the spec but those that the engine makes by itself. Throws what `cannot` makes. */
export function mountFlags(spec: OciSpec, options: MountOptions): ShellWord[] {
  return ownMounts(spec).flatMap((mount) =>
    mount.type === 'tmpfs' ? tmpfsFlag(mount, options.cannot) : bindFlag(mount, options),
  );
}

/** An empty, read-only folder over each of `paths`. */
export function maskFlags(paths: readonly string[]): ShellWord[] {
  return paths.flatMap((path) => ['--tmpfs', `${path}:ro,nosuid,nodev,noexec,size=4k,mode=0755`]);
}
