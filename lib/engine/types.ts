// Owns what every engine offers: probe, refuse, and the command that a launch script ends in.
import type { Digest } from '../image/schema.ts';
import type { HostConfig } from '../profile/hostConfig.ts';
import type { Profile } from '../profile/schema.ts';
import type { OciSpec } from '../spec/types.ts';
import type { CgroupParents } from './cgroup.ts';
import type { CommandWord, ShellWord } from './words.ts';

/** Where a profile asks for gVisor, runsc stands in crun's place, and podman is given it (select.ts). */
export type EngineName = 'crun' | 'podman' | 'nerdctl' | 'docker' | 'runsc' | 'podman+runsc';

/** Where the daemons of engines are: of the host's configuration. */
export type EngineSettings = HostConfig['engines'];

/** What a run asks of an engine beside its profile. */
export interface Asking {
  readonly callerUid: number;
  /** Whether artifacts are to be copied out. */
  readonly collectsArtifacts: boolean;
  /** Whether the program is to have a terminal. */
  readonly terminal?: boolean;
}

/** An image as it lies on this host. */
export interface EngineImage {
  readonly name: string;
  readonly digest: Digest;
  readonly rootfs: string;
}

/** Who makes the control groups of a daemon's containers: itself, or the host's systemd. */
export type CgroupDriver = 'cgroupfs' | 'systemd';

export interface EngineProbe {
  /** Absolute path of the runtime's or client's binary. */
  readonly path: string;
  readonly version: string;
  /** Of an engine whose daemon makes groups; part of the plan's digest. */
  readonly driver?: CgroupDriver;
  /** Known weaknesses of this version, one sentence each, with the CVE where there is one. */
  readonly weaknesses: readonly string[];
}

export interface EngineInput {
  readonly profile: Profile;
  /** The spec with placeholders (lib/spec/placeholders.ts knows them). */
  readonly spec: OciSpec;
  readonly probe: EngineProbe;
  readonly callerUid: number;
  /** Where the run's own control groups are. */
  readonly cgroups: CgroupParents;
  /** Folder in which every live run has its record; it tells our containers from those of others. */
  readonly records: string;
  readonly covers: Covers;
  /** What `import` gave. */
  readonly imported: string | undefined;
  /** A folder of the plan: files that `files` names are written there, read-only. */
  readonly planDirectory: string;
  /** Folder of our native helpers. */
  readonly helpers: string;
  /** Whether the run is started in a user namespace that maps all of a plain user's ids (lib/run/invoke.ts). */
  readonly inOuterIds: boolean;
}

/** Folders of ours that nobody writes to. */
export interface Covers {
  readonly empty: string;
  /** What /dev is there (lib/spec/dev.ts). */
  readonly dev: string;
  /** Empty folders alone, which have the shape of what is shown of /sys. */
  readonly sys: string;
}

export interface EngineCommand {
  /** Name of the file that goes into user and mount namespaces for a run with artifacts: `ENTER '' COMMAND…`. Without it new ones are made. */
  readonly enter?: string;
  /** Whether the ids of config.json are those of a user namespace in which the caller is 0 and its subordinate ids begin at 1. */
  readonly inOuterIds?: boolean;
  /** Whether the launch script writes `$run_dir/config.json`. */
  readonly writesConfig: boolean;
  /** What it writes there, where that is not the spec as it came. */
  readonly config?: OciSpec;
  /** Host uids of the runtime and of the program, and the program's gid, where they are not those of the slot. */
  readonly hostIds?: Readonly<Record<'runtime' | 'program' | 'group', ShellWord>>;
  /** Options of the supervisor for this engine alone (docs/decisions/0011-fewer-processes.md). */
  readonly supervision?: readonly ShellWord[];
  /** The runtime's command up to the guest's arguments. One without words for a terminal gives none. */
  readonly words: readonly CommandWord[];
  /** Whether the guest's arguments follow the command (podman), or stand in config.json (crun). */
  readonly appendsArguments: boolean;
  /** Folders of the host that the command relies on; without one of them the plan is compiled anew. */
  readonly folders?: readonly string[];
  /** Further read-only files of the plan: name → content. */
  readonly files: Readonly<Record<string, string>>;
  /** The same, and executable: for others to start. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Environment of the command beside PATH. */
  readonly env: readonly { readonly name: string; readonly value: ShellWord }[];
}

/** A run that lives, as an engine reaches it. */
export interface LiveRun {
  readonly id: string;
  /** `<runs>/ID`. */
  readonly runDirectory: string;
  /** Absolute path of the binary of runtime or client. */
  readonly path: string;
  /** Folder of our native helpers. */
  readonly helpers: string;
  /** Its control groups; none where a best effort goes without. */
  readonly leaves: readonly string[];
}

/** How a command is brought into a sandbox that lives. */
export interface EngineEnter {
  /**
   * Whether the first command in each run has to be ours: it reads from the kernel that it is confined as the sandbox's program is
   * (lib/run/life/proof.ts).
   */
  readonly proven: boolean;
  /** Words before our init, for what the engine does not do to a process that it brings in. */
  readonly before?: readonly string[];
  /** Once for each run, before the first command: gives the host's pid of the sandbox's program. Throws SANDBOX_STATE, ENGINE_CANNOT. */
  prepare(run: LiveRun): Promise<number>;
  /**
   * The command, for a process that `$run_dir/config.json` describes (OCI runtime-spec, "process"); `run_dir` is a folder of this
   * execution. With a terminal the engine hands its master out at the socket `$run_dir/tty`; undefined where it makes none.
   */
  command(run: LiveRun, terminal: boolean): Required<Pick<EngineCommand, 'supervision' | 'words'>> | undefined;
}

/** How a sandbox is reached while it lives. */
export interface EngineLife {
  /** Throws ENGINE_CANNOT for what suffices for one command alone. */
  refuse?(profile: Profile): void;
  /** Whether it can be reached: its program runs, or is about to under an init that does. */
  isReady(run: LiveRun): boolean;
  /** The command that sends a signal (`TERM`, `USR1`) to the program; undefined when it is not there. */
  signal(run: LiveRun, signal: string): readonly string[] | undefined;
  /** Absent where the engine brings nothing in. */
  readonly enter?: EngineEnter;
}

export interface Engine {
  readonly name: EngineName;
  /** Throws ENGINE_MISSING with the package to install. */
  probe(): Promise<EngineProbe>;
  /** Throws ENGINE_CANNOT naming the field, this engine, and one that can. */
  refuse(profile: Profile, asking: Asking): void;
  /** Brings the image to where this engine takes it from and gives its name there; `folder` takes what is written meanwhile. */
  import?(image: EngineImage, probe: EngineProbe, folder: string): Promise<string>;
  command(input: EngineInput): EngineCommand;
  /** Removes what the engine itself still keeps of runs that `isLive` does not know; gives their ids. */
  sweep?(probe: EngineProbe, records: string, isLive: (id: string) => boolean): Promise<string[]>;
  /** Absent where an engine keeps no sandbox between commands. */
  readonly life?: EngineLife;
}
