// Owns writing words into a POSIX script: literals quoted, the launcher's own variables by name. Nothing else makes shell text.

/** The variables of a launch script that a command may use; the script checks or makes each of them. */
export type LaunchVariable =
  | 'id'
  | 'run_dir'
  | 'root_uid'
  | 'root_gid'
  | 'program_uid'
  | 'program_gid'
  | 'task'
  | 'job'
  | 'workspace'
  | 'way_out'
  | 'timeout'
  /** `1` where the program gets a terminal, else empty. */
  | 'terminal';

/** One word of a command: text and variables, joined. */
export type ShellWord = string | readonly (string | { readonly variable: LaunchVariable })[];

/** What a command consists of: words, and those that it has only where the program gets a terminal. */
export type CommandWord = ShellWord | { readonly terminal: readonly ShellWord[] };

/** A variable inside a word. */
export function variable(name: LaunchVariable): { readonly variable: LaunchVariable } {
  return { variable: name };
}

/** `text` as one single-quoted word (POSIX 2.2.2); bare where nothing in it needs quoting. */
export function quoteLiteral(text: string): string {
  if (text !== '' && /^[A-Za-z0-9_./:=,@%+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A word as shell text. */
export function renderWord(word: ShellWord): string {
  if (typeof word === 'string') return quoteLiteral(word);
  return word.map((part) => (typeof part === 'string' ? quoteLiteral(part) : `"$${part.variable}"`)).join('');
}

function renderOptional(word: CommandWord): string {
  if (typeof word === 'string' || !('terminal' in word)) return renderWord(word);
  return `\${terminal:+${word.terminal.map(renderWord).join(' ')}}`;
}

/** Whether a command can give its program a terminal. */
export function givesTerminal(words: readonly CommandWord[]): boolean {
  return words.some((word) => {
    if (typeof word === 'string') return false;
    if ('terminal' in word) return true;
    return word.some((part) => typeof part !== 'string' && part.variable === 'terminal');
  });
}

/** A command over several lines, one word each, ended by `end` (a literal piece of shell, such as `"$@"`). */
export function renderCommand(words: readonly CommandWord[], end: string): string {
  const lines = words.map(renderOptional);
  return [...lines, ...(end === '' ? [] : [end])].join(' \\\n\t');
}

/**
 * Shell text that waits for the process in the variable `name` to its end and sets `status`. A trapped signal ends wait(1) early (POSIX
 * 2.11, "Signals and Error Handling"), hence once more while the process is there.
 */
export function renderWait(name: 'child' | 'client'): string {
  return `status=0
wait "$${name}" || status=$?
while kill -0 "$${name}" 2>/dev/null; do
	status=0
	wait "$${name}" || status=$?
done`;
}
