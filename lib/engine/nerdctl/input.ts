// Owns what the scripts of a nerdctl run are made of, and the lines that they share.
import type { ShellWord } from '../words.ts';
import { quoteLiteral } from '../words.ts';

type Tool =
  | 'nerdctl'
  | 'crun'
  | 'sh'
  | 'env'
  | 'setsid'
  | 'nsenter'
  | 'mkdir'
  | 'mkfifo'
  | 'ln'
  | 'sleep'
  | 'cat'
  | 'rm'
  | 'rmdir';

export interface NerdctlScript {
  /** Absolute paths. */
  readonly tools: Readonly<Record<Tool, string>>;
  readonly planDirectory: string;
  /** Options of nerdctl before its command. */
  readonly options: readonly string[];
  /** Folder of what nerdctl keeps of each container, by the container's name. */
  readonly containers: string;
  /** Flags of `nerdctl run`, but for those that name the run. */
  readonly flags: readonly ShellWord[];
  readonly rootfs: string;
  /** Folders of all runs' leaves, one for each controller. */
  readonly parents: readonly string[];
  /** Marks our containers: `NAME=VALUE`. */
  readonly label: string;
  /** Lines by which a script finds a plain user's containerd and sets `kit`, a pid in its mount namespace; '' for root's. */
  readonly findKit: string;
}

/** Where nerdctl makes its fifos, whatever else it is told (containerd's client, DefaultFIFODir). */
export const fifoFolder = '/run/containerd/fifo';

/** In the run's folder. */
export const ownFolder = 'nerdctl';

/** The annotation by which our runtime finds the run: `PID STARTED ID pipes|terminal RUN_DIR` of the script that called nerdctl. */
export const runAnnotation = 'cofferdam.run';

/** Folder of what nerdctl keeps, in a script that knows the container's name. */
export function dataRoot({ containers }: NerdctlScript): string {
  return `${quoteLiteral(containers)}/"$name"`;
}

/** The client's command up to its own, in a script that knows the container's name. */
export function client(input: NerdctlScript): string {
  return `${[input.tools.nerdctl, ...input.options].map(quoteLiteral).join(' ')} --data-root ${dataRoot(input)}`;
}

/** Words before what has to see containerd's own files, in a script that found it. */
export function inKit({ findKit, tools }: NerdctlScript): string {
  return findKit === '' ? '' : `${tools.nsenter} --mount="/proc/$kit/ns/mnt" -- `;
}

/** The option by which nerdctl leaves its id of the container in that folder. */
export function idFile(input: NerdctlScript): string {
  return `--cidfile ${dataRoot(input)}/cid`;
}

/** Takes that folder away; nerdctl that was killed leaves the fifos, too, that it would have read, named by its id of the container. */
export function tidy(input: NerdctlScript): string {
  const { rm, rmdir } = input.tools;
  return `cid=''
read -r cid <${dataRoot(input)}/cid || :
if [ -n "$cid" ]; then
	for fifo in ${fifoFolder}/*/"$cid"-std*; do
		[ -p "$fifo" ] || continue
		${rm} -f "$fifo"
		${rmdir} "\${fifo%/*}" 2>/dev/null || :
	done
fi
${rm} -rf ${dataRoot(input)}`;
}

/** Defines read_start: sets `started`, the start time of a process (proc(5), field 22). */
export const readStart = `# read_start PID
read_start() {
	read -r stat <"/proc/$1/stat" || return 1
	# shellcheck disable=SC2086 # the fields are numbers and one letter
	set -- \${stat##*) }
	shift 19
	started=$1
}`;
