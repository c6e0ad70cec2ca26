// Owns what a guest says of itself where its kernel is a process and the host's /proc knows nothing of it (gVisor).
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { AroundGuest, Facts } from './evidence.ts';
import { readFacts } from './facts.ts';

const names = ['status', 'environ', 'mountinfo', 'cgroup', 'cmdline'];

/** Shell that prints them, a line each, of the shell itself: ids, filter, mounts and descriptors are the probe's too. */
export const tellFacts = [
  'for of in $$ 1; do',
  `for name in ${names.join(' ')}; do`,
  'printf "fact %s/%s " "$of" "$name"; base64 -w0 <"/proc/$of/$name"; echo',
  'done; done',
  // Neither a pattern nor $(), which would open descriptors of their own.
  'fd=0; while [ $fd -lt 256 ]; do',
  '[ ! -L /proc/$$/fd/$fd ] || { printf "fd %s " $fd; readlink /proc/$$/fd/$fd; }',
  'fd=$((fd + 1)); done',
].join('\n');

const factPattern = /^fact (?<pid>[0-9]+)\/(?<name>[a-z]+) (?<text>[A-Za-z0-9+/=]*)$/;
const fdPattern = /^fd (?<number>[0-9]+) (?<target>[\x21-\x7e]+)$/;

type Guest = AroundGuest['guest'];

function factsOf(pid: number, texts: ReadonlyMap<string, string>, fds: ReadonlyMap<string, string>): Facts {
  return {
    ...readFacts(process.pid),
    pid,
    text: (name) => {
      const text = texts.get(name);
      if (text === undefined || text === '') throw new Error(`the guest does not say ${name}`);
      return text;
    },
    links: (folder) => {
      if (folder === 'ns' || fds.size === 0) throw new Error(`the guest does not say ${folder}`);
      return fds;
    },
  };
}

/** The facts at the beginning of `stdout`, and what follows them. Throws LAUNCH_FAILED for a line that is neither. */
export function readGuest(stdout: string): { guest: Guest; rest: string } {
  const texts = new Map<string, Map<string, string>>();
  const fds = new Map<string, string>();
  let at = 0;
  for (; /^(fact|fd) /.test(stdout.slice(at, at + 5)); at = stdout.indexOf('\n', at) + 1) {
    const line = stdout.slice(at, stdout.indexOf('\n', at));
    const [fact, fd] = [factPattern.exec(line)?.groups, fdPattern.exec(line)?.groups];
    if (fact === undefined && fd === undefined)
      throw new CofferdamError('LAUNCH_FAILED', `not a fact of the guest: ${printable(line)}`);
    if (fd !== undefined) fds.set(fd['number'] ?? '', fd['target'] ?? '');
    if (fact === undefined) continue;
    const of = texts.get(fact['pid'] ?? '') ?? new Map<string, string>();
    texts.set(
      fact['pid'] ?? '',
      of.set(fact['name'] ?? '', Buffer.from(fact['text'] ?? '', 'base64').toString('latin1')),
    );
  }
  const pid = [...texts.keys()].find((key) => key !== '1');
  if (pid === undefined) throw new CofferdamError('LAUNCH_FAILED', 'the guest says nothing of itself');
  const none = new Map<string, string>();
  return {
    guest: {
      program: factsOf(Number(pid), texts.get(pid) ?? none, fds),
      init: factsOf(1, texts.get('1') ?? none, none),
    },
    rest: stdout.slice(at),
  };
}
