// Owns the mode of the caller's terminal while it is attached to a sandbox's: changed, and given back whatever becomes of us.
import { CofferdamError } from '../../base/errors.ts';
import { streamTool, systemPath } from '../../base/exec.ts';
import { requireTool } from '../../engine/tools.ts';

export interface HeldTerminal {
  /** Gives the terminal its mode back. */
  release(): Promise<void>;
}

// In a session of its own, where no signal of the terminal reaches it; its stdin ends when we release it, or die. The terminal
// becomes 3, what it says to us 1: a $( ) has another 1.
const script = `exec 4>&3 3>&1 >&4 4>&-
saved=$("$1" -g <&3)
trap '' HUP INT QUIT TERM TSTP
"$1" $2 <&3
echo held
while read -r _; do :; done
"$1" "$saved" <&3`;

/** With input all is for the sandbox's terminal to interpret. Without it its output is finished, and Ctrl-C is for us (terminal.c). */
const modes = { typed: 'raw -echo', shown: '-opost susp undef' } as const;

/** Changes the mode of the terminal that is our stdout. Throws TOOL_FAILED, and it has its own mode then. */
export async function holdTerminal(mode: keyof typeof modes): Promise<HeldTerminal> {
  const words = ['-euc', script, 'sh', requireTool('stty', 'coreutils'), modes[mode]];
  let isHeld: () => void = () => undefined;
  const held = new Promise<true>((done) => {
    isHeld = () => done(true);
  });
  const child = streamTool(requireTool('sh', 'dash'), words, {
    env: { PATH: systemPath },
    stdin: 'hold',
    stdout: 'inherit',
    stderr: 'inherit',
    result: () => isHeld(),
    detached: 'alone',
  });
  if ((await Promise.race([held, child.ended])) !== true)
    throw new CofferdamError('TOOL_FAILED', 'the mode of the terminal could not be changed');
  return {
    release: async () => {
      child.release();
      await child.ended;
    },
  };
}
