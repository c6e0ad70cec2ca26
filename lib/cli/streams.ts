// Owns our own three streams as commands are given them.
import type { Terminal } from './context.ts';

/** Hands over what comes on stdin, undefined at its end, one piece after the other; gives how to stop, for good. */
export function readInput(take: (bytes: Uint8Array | undefined) => Promise<void>): () => void {
  const { stdin } = process;
  const onData = (chunk: Uint8Array) => {
    stdin.pause();
    void take(chunk).then(() => stdin.resume());
  };
  const onEnd = () => void take(undefined);
  stdin.on('data', onData);
  stdin.once('end', onEnd);
  stdin.once('error', onEnd);
  return () => {
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.destroy();
  };
}

/** The streams of this process. NO_COLOR of the environment is heeded (no-color.org). */
export function openTerminal(): Terminal {
  const { stdout, stderr } = process;
  const colour = (stream: NodeJS.WriteStream) => stream.isTTY === true && !process.env['NO_COLOR'];
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    outColour: colour(stdout),
    errColour: colour(stderr),
    // Few ask, and opening a stdin that nobody reads takes time.
    get inIsTerminal() {
      return process.stdin.isTTY === true;
    },
    outIsTerminal: stdout.isTTY === true,
    errIsTerminal: stderr.isTTY === true,
    write: (stream, bytes) =>
      new Promise((done) => {
        if (process[stream].write(bytes)) done();
        else process[stream].once('drain', done);
      }),
  };
}

/** Of stdout, where it is a terminal. */
export function terminalSize(): { readonly rows: number; readonly columns: number } | undefined {
  const { stdout } = process;
  return stdout.isTTY === true ? { rows: stdout.rows, columns: stdout.columns } : undefined;
}

/** Tells when that has changed; gives how to stop. */
export function onResize(tell: () => void): () => void {
  process.stdout.on('resize', tell);
  return () => process.stdout.off('resize', tell);
}
