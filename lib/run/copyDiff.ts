// Owns the reviewable text of what a run changed in a copy: git's form of a unified diff, made by diff(1), always harmless
// to print. git itself is not used: a `.gitattributes` of the guest could make it hide lines (`-diff`, `ident`).
import { closeSync, readSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { streamTool, systemPath } from '../base/exec.ts';
import { printable } from '../base/printable.ts';
import { requireTool } from '../engine/tools.ts';
import { type BytePath, openRoot, toBytes } from './beneath.ts';
import type { Copy } from './copy.ts';
import { type Change, openFileBeneath, type Side } from './copyChanges.ts';

/** One line of diff(1), without control, bidirectional or invisible characters; tabs stay. */
export function printableLine(line: string): string {
  return line
    .split('\t')
    .map((part) => printable(part, Math.max(part.length, 1)))
    .join('\t');
}

// git's core.quotePath form, so that the text can be read back by git and patch.
function quotePath(path: BytePath): string {
  if (/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(path)) return path;
  const escapes: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r' };
  const octal = (character: string) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
  return `"${path.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, (character) => escapes[character] ?? octal(character))}"`;
}

function modeText(side: Side): string {
  if (side.type === 'link') return '120000';
  return (side.mode & 0o100) === 0 ? '100644' : '100755';
}

function header({ path, before, after }: Change): string[] {
  const lines = [`diff --git ${quotePath(`a/${path}`)} ${quotePath(`b/${path}`)}`];
  if (before === undefined && after !== undefined) lines.push(`new file mode ${modeText(after)}`);
  else if (after === undefined && before !== undefined) lines.push(`deleted file mode ${modeText(before)}`);
  else if (before !== undefined && after !== undefined && modeText(before) !== modeText(after)) {
    lines.push(`old mode ${modeText(before)}`, `new mode ${modeText(after)}`);
  }
  return lines;
}

function looksBinary(fd: number): boolean {
  const start = Buffer.alloc(8192);
  return start.subarray(0, readSync(fd, start, 0, start.length, 0)).includes(0);
}

function linkHunk({ before, after }: Change): string {
  const side = (target: BytePath, sign: string) =>
    `${sign}${printableLine(toBytes(target).toString('utf8'))}\n\\ No newline at end of file\n`;
  const [from, to] = [before?.target, after?.target];
  const range = `@@ -${from === undefined ? '0,0' : 1} +${to === undefined ? '0,0' : 1} @@\n`;
  return range + (from === undefined ? '' : side(from, '-')) + (to === undefined ? '' : side(to, '+'));
}

/** Of one file's diff; what is beyond it is said to be left out. */
const mostBytes = 8 << 20;
/** A longer line is printed in pieces, not held. */
const mostHeld = 1 << 16;

// diff(1) opens our descriptors: a name of the guest's is never in an argument list.
async function diffContent(
  from: number | undefined,
  to: number | undefined,
  print: (text: string) => void,
): Promise<void> {
  const pathOf = (fd: number | undefined) => (fd === undefined ? '/dev/null' : `/proc/${process.pid}/fd/${fd}`);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let [rest, headers, bytes] = ['', 2, 0];
  const take = (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    // The first two lines name the files, and ours stand already.
    for (const line of lines) {
      if (headers > 0) headers -= 1;
      else print(`${printableLine(line)}\n`);
    }
    if (rest.length <= mostHeld || headers > 0) return;
    print(printableLine(rest));
    rest = '';
  };
  const child = streamTool(requireTool('diff', 'diffutils'), ['-u', '-a', '--', pathOf(from), pathOf(to)], {
    env: { PATH: systemPath, LC_ALL: 'C' },
    stdin: 'ignore',
    stdout: (chunk) => {
      bytes += chunk.length;
      if (bytes <= mostBytes) take(decoder.decode(chunk, { stream: true }));
      else child.kill('SIGKILL');
    },
    stderr: () => undefined,
  });
  const ended = await child.ended;
  if (rest !== '') take('\n');
  // 1: they differ.
  if (bytes > mostBytes) print(`# more than ${mostBytes} bytes of differences; the rest is not shown\n`);
  else if (ended.exitCode !== 0 && ended.exitCode !== 1) throw new CofferdamError('TOOL_FAILED', 'diff failed');
}

async function renderOne(roots: Roots, change: Change, print: (text: string) => void): Promise<void> {
  const { path, before, after, kind } = change;
  if (kind === 'type') {
    await renderOne(roots, { ...change, after: undefined, kind: 'deleted' }, print);
    await renderOne(roots, { ...change, before: undefined, kind: 'added' }, print);
    return;
  }
  for (const line of header(change)) print(`${line}\n`);
  if (kind === 'mode') return;
  const [left, right] = [before ? `a/${path}` : '/dev/null', after ? `b/${path}` : '/dev/null'];
  const names = `--- ${quotePath(left)}\n+++ ${quotePath(right)}\n`;
  const type = (after ?? before)?.type;
  if (type === 'special' || type === 'link') {
    print(type === 'link' ? names + linkHunk(change) : '# neither a file nor a link: never applied\n');
    return;
  }
  const from = before && openFileBeneath(roots.base, path);
  const to = after && openFileBeneath(roots.work, path);
  try {
    if ([from, to].some((fd) => fd !== undefined && looksBinary(fd))) {
      const size = (side: Side | undefined) => `${side?.bytes ?? 0} bytes`;
      print(`Binary files ${quotePath(left)} (${size(before)}) and ${quotePath(right)} (${size(after)}) differ\n`);
    } else if ((before?.bytes ?? 0) + (after?.bytes ?? 0) > 0) {
      // Of an empty file git prints the header alone, too.
      print(names);
      await diffContent(from, to, print);
    }
  } finally {
    for (const fd of [from, to]) if (fd !== undefined) closeSync(fd);
  }
}

interface Roots {
  readonly base: number;
  readonly work: number;
}

/** Prints the diff of `changes` piece by piece: printable text, lines ended by newlines. Throws TOOL_FAILED. */
export async function renderDiff(copy: Copy, changes: readonly Change[], print: (text: string) => void): Promise<void> {
  const base = openRoot(copy.base);
  const work = openRoot(copy.work);
  try {
    for (const change of changes) await renderOne({ base, work }, change, print);
  } finally {
    closeSync(base);
    closeSync(work);
  }
}

/** Lines added and deleted by one change, as its diff shows them. */
export async function countLines(copy: Copy, change: Change): Promise<{ added: number; deleted: number }> {
  let [text, inHunk, added, deleted] = ['', false, 0, 0];
  await renderDiff(copy, [change], (piece) => {
    const lines = (text + piece).split('\n');
    text = (lines.pop() ?? '').slice(0, 4);
    for (const line of lines) {
      if (line.startsWith('diff --git ')) inHunk = false;
      else if (line.startsWith('@@')) inHunk = true;
      else if (inHunk && line.startsWith('+')) added += 1;
      else if (inHunk && line.startsWith('-')) deleted += 1;
    }
  });
  return { added, deleted };
}
