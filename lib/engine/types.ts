// Owns what every engine offers: probe, refuse, and the command that a launch script ends in.
import type { Profile } from '../profile/schema.ts';
import type { OciSpec } from '../spec/types.ts';
import type { ShellWord } from './words.ts';

export interface EngineProbe {
  /** Absolute path of the runtime's or client's binary. */
  readonly path: string;
  readonly version: string;
  /** Known weaknesses of this version, one sentence each, with the CVE where there is one. */
  readonly weaknesses: readonly string[];
}

export interface EngineInput {
  readonly profile: Profile;
  /** The spec with placeholders (lib/spec/placeholders.ts knows them). */
  readonly spec: OciSpec;
  readonly probe: EngineProbe;
  readonly callerUid: number;
  /** A folder of the plan: files that `files` names are written there, read-only. */
  readonly planDirectory: string;
}

export interface EngineCommand {
  /** Whether the launch script writes `$run_dir/config.json` from the spec. */
  readonly writesConfig: boolean;
  /** The runtime's command up to the guest's arguments. */
  readonly words: readonly ShellWord[];
  /** Whether the guest's arguments follow the command (podman), or stand in config.json (crun). */
  readonly appendsArguments: boolean;
  /** Further read-only files of the plan: name → content. */
  readonly files: Readonly<Record<string, string>>;
  /** Environment of the command beside PATH. */
  readonly env: readonly { readonly name: string; readonly value: ShellWord }[];
}

export interface Engine {
  readonly name: 'crun' | 'podman';
  /** Throws ENGINE_MISSING with the package to install. */
  probe(): Promise<EngineProbe>;
  /** Throws ENGINE_CANNOT naming the field, this engine, and one that can. */
  refuse(profile: Profile): void;
  command(input: EngineInput): EngineCommand;
}
