// Owns judging and making, before a run, the host folder that artifacts are copied to, and taking it back.
import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import { isGuardedName } from './guardedPlaces.ts';
import { findPlaceFault, isWithin } from './hostPlaces.ts';

export interface ArtifactsRequest {
  /** As the caller wrote it. */
  readonly text: string;
  readonly cwd: string;
  readonly paths: Paths;
  readonly callerUid: number;
  readonly home: string | undefined;
  /** The folder that the guest may write to (a workspace in rw), or undefined. */
  readonly writable: string | undefined;
}

export interface PreparedArtifacts {
  /** Absolute, no link in it. */
  readonly folder: string;
  /** Whether it was made just now: dropArtifactsFolder removes it when nothing came of the run. */
  readonly created: boolean;
}

function invalid(message: string, remedy?: string): CofferdamError {
  return new CofferdamError('ARTIFACTS_INVALID', message, remedy === undefined ? {} : { remedy });
}

function findExisting(named: string): 'folder' | 'nothing' {
  let found: ReturnType<typeof lstatSync>;
  try {
    found = lstatSync(named);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return 'nothing';
    throw invalid(`${printable(named)} cannot be reached: ${messageOf(cause)}`);
  }
  if (found?.isSymbolicLink()) {
    const target = printable(resolve(dirname(named), readlinkSync(named)));
    throw invalid(`${printable(named)} is a symbolic link`, `name the folder itself: ${target}`);
  }
  if (!found?.isDirectory()) throw invalid(`${printable(named)} is not a folder`);
  return 'folder';
}

function realParent(named: string): string {
  try {
    return realpathSync(dirname(named));
  } catch (cause) {
    throw new CofferdamError('ARTIFACTS_INVALID', `the folder of ${printable(named)} does not exist`, {
      remedy: `make it: mkdir -p ${printable(dirname(named))}`,
      cause,
    });
  }
}

function checkUsable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK | constants.R_OK);
  } catch (cause) {
    throw new CofferdamError('ARTIFACTS_INVALID', `${printable(folder)} is not writable for you`, { cause });
  }
  if (readdirSync(folder).length > 0) throw invalid(`${printable(folder)} is not empty`);
}

/**
 * The folder to copy artifacts to: an empty one, or a new one in an existing folder, made 0700. Throws ARTIFACTS_INVALID with
 * the reason: a link, a file, not empty, not writable, the system's or ours, a place that runs code, or below what the guest
 * may write to, where it could put a link in its place while it runs.
 */
export async function prepareArtifactsFolder(request: ArtifactsRequest): Promise<PreparedArtifacts> {
  const { text, cwd, paths, callerUid, home, writable } = request;
  if (text === '' || /[\u0000-\u001f\u007f\ufffd]/.test(text)) {
    throw invalid(`"${printable(text)}" is no folder name, holds a control character, or is not UTF-8`);
  }
  const named = resolve(cwd, text);
  const existing = findExisting(named);
  const folder = named === '/' ? '/' : join(realParent(named), basename(named));
  const fault = await findPlaceFault({ path: folder, paths, home, uids: [callerUid] });
  if (fault !== undefined) throw invalid(`${printable(folder)} ${fault.why}`);
  if (folder.split('/').some((step) => step.toLowerCase() === '.git' || isGuardedName(step))) {
    throw invalid(`what stands in ${printable(folder)} may run on this host by itself`);
  }
  if (writable !== undefined && isWithin(folder, writable)) {
    throw invalid(
      `${printable(folder)} lies in the workspace, which the sandbox may write to`,
      'name a folder outside of it',
    );
  }
  if (existing === 'nothing') {
    try {
      mkdirSync(folder, { mode: 0o700 });
      chmodSync(folder, 0o700);
    } catch (cause) {
      if (['EACCES', 'EROFS', 'EPERM'].includes(errnoOf(cause) ?? '')) {
        throw new CofferdamError('ARTIFACTS_INVALID', `${printable(folder)} cannot be made: ${messageOf(cause)}`, {
          cause,
        });
      }
      throw diskError(cause, `cannot make ${printable(folder)}`);
    }
  }
  checkUsable(folder);
  return { folder, created: existing === 'nothing' };
}

/** Removes a folder that was made for a run that did not start; one that holds something stays. */
export function dropArtifactsFolder({ folder, created }: PreparedArtifacts): void {
  if (!created) return;
  try {
    rmdirSync(folder);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOTEMPTY' && errnoOf(cause) !== 'ENOENT')
      throw diskError(cause, `cannot remove ${printable(folder)}`);
  }
}
