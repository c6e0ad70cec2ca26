// Owns what the scripts of a docker run are made of, and the lines that they share.
import { type LaunchVariable, quoteLiteral } from '../words.ts';
import type { DockerCommand } from './lower.ts';

/** One control group of the run, and where docker makes those of containers, in the same hierarchy. */
export interface DockerGroup {
  /** Folder of all runs' leaves. */
  readonly parent: string;
  /** What stands before and after docker's id of a container in the path of that container's group. */
  readonly container: readonly [string, string];
}

export interface DockerScript extends DockerCommand {
  /** Absolute paths. */
  readonly tools: Readonly<
    Record<'docker' | 'sh' | 'setpriv' | 'setsid' | 'mkdir' | 'mkfifo' | 'ln' | 'sleep', string>
  >;
  /** Folder of our native helpers. */
  readonly helpers: string;
  readonly socket: string;
  readonly planDirectory: string;
  /** What the launcher passes, in this order, before the program's arguments. */
  readonly variables: readonly LaunchVariable[];
  readonly groups: readonly DockerGroup[];
  readonly cgroupParent: string;
  /** Docker's id of the image. */
  readonly image: string;
  /** Marks our containers: `NAME=VALUE`. */
  readonly label: string;
  /** Whether our init has a child beside the program: the forwarder of the way out. */
  readonly forwards: boolean;
  /** The program's ids on the host, and those of root inside. */
  readonly ids: Readonly<Record<'uid' | 'gid' | 'rootUid' | 'rootGid', number>>;
}

/** Defines fail in a script that knows run_dir: the supervisor reads the log, and calls the start failed. */
export const sayError = `fail() {
	printf '{"level":"error","msg":"%s"}\\n' "$1" >>"$run_dir/log"
	exit 125
}`;

/** The client's command up to its own. */
export function client({ tools, socket }: DockerScript): string {
  return `${tools.docker} --host ${quoteLiteral(`unix://${socket}`)}`;
}
