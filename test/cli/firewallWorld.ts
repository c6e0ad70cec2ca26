// Owns the world of tests of `firewall`, and of what else a policy folder holds: folders of its own, streams that are or are not terminals.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { CliContext } from '../../lib/cli/context.ts';
import { createFirewall } from '../../lib/cli/firewall-program.ts';
import type { ProgramMaker } from '../../lib/cli/tree.ts';
import { captureStreams } from '../vmhost/guest/inProcess.ts';

export const self = process.getuid?.() ?? 0;

export interface Said {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

export interface Who {
  /** Whether stdin, stdout and stderr are terminals. */
  readonly terminals?: readonly [boolean, boolean, boolean];
  readonly uid?: number;
  readonly signal?: AbortSignal;
  /** Told of every piece of stdout. */
  readonly onOut?: (text: string) => void;
}

export const person: Who = { terminals: [true, true, true] };

/** A user with a policy folder of their own, and `firewall`, or `program`, run as whoever `who` says. */
export function makeWorld(
  t: Test,
  program: ProgramMaker = createFirewall,
): {
  file: string;
  /** Nothing stands there; its folder is not made. */
  hostConfig: string;
  /** Where requests are recorded. */
  egress: string;
  run: (who: Who, ...words: string[]) => Promise<Said>;
  read: () => string;
} {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-firewall-')));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const config = join(root, 'config');
  mkdirSync(config, { mode: 0o755 });
  const file = join(config, 'firewall.yaml');
  const hostConfig = join(root, 'host', 'config.yaml');
  const run = async (who: Who, ...words: string[]) => {
    const { terminals: [i, o, e] = [false, false, false], uid = self, signal, onOut } = who;
    const { terminal, said } = captureStreams(onOut);
    let status = 0;
    const context: CliContext = {
      paths: { hostConfig, config, data: root, state: root, run: root, imageStores: [], install: root },
      uid,
      gid: 0,
      cwd: root,
      env: {},
      version: '0.0.0',
      signal: signal ?? new AbortController().signal,
      exit: (code) => {
        status = code;
      },
      terminal: { ...terminal, inIsTerminal: i, outIsTerminal: o, errIsTerminal: e },
    };
    await (await program(context, words[0])).parseAsync(words, { from: 'user' });
    return { out: said.stdout, err: said.stderr, status };
  };
  return { file, hostConfig, egress: join(root, 'egress'), run, read: () => readFileSync(file, 'utf8') };
}
