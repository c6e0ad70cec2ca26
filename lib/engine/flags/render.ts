// Owns writing flags into a script for people: an option and its value on one line.
import { renderWord, type ShellWord } from '../words.ts';

/** Options of docker, nerdctl and podman that take no value in the next word. */
const alone: readonly string[] = ['--read-only', '--unsetenv-all', '--rm', '--interactive', '--no-healthcheck'];

/** `flags` as shell text, a line for each option. */
export function renderFlags(flags: readonly ShellWord[]): string[] {
  const lines: string[] = [];
  for (const flag of flags) {
    const text = renderWord(flag);
    const previous = lines.at(-1);
    const takesValue = previous !== undefined && /^--[a-z-]+$/.test(previous) && !alone.includes(previous);
    if (takesValue) lines[lines.length - 1] = `${previous} ${text}`;
    else lines.push(text);
  }
  return lines;
}
