// Owns being attached to a sandbox that lives on: its log comes out as it is written, and what is typed goes in.
import type { Paths } from '../../base/paths.ts';
import { DetachKeys } from './detachKeys.ts';
import { readLog } from './logs.ts';
import { logsFolder, type Sandbox } from './sandbox.ts';
import { isLive, readState } from './state.ts';
import { type TerminalSize, Typing } from './typing.ts';

/** Whoever is attached. */
export interface AttachedStreams {
  /** A promise holds the next bytes back. */
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>;
  /** Told how many bytes were gone before they could be read: the log keeps the newest 64 MiB. */
  lost(bytes: number): void;
  /** Hands over what is typed, undefined at its end; gives how to stop. Absent: nothing is typed. */
  readonly read?: ((take: (bytes: Uint8Array | undefined) => Promise<void>) => () => void) | undefined;
  size(): TerminalSize | undefined;
  /** Gives how to stop. */
  onResize(tell: () => void): () => void;
}

export interface AttachRequest {
  /** Offset in the log from which on it is shown (logs.ts, endOfLog). */
  readonly offset: number;
  /** Bytes that, typed in this order, leave; none: nothing does. */
  readonly detachKeys: readonly number[];
  readonly streams: AttachedStreams;
  /** Aborting leaves. */
  readonly signal: AbortSignal;
}

/** `ended`: the sandbox has. `left`: by the keys. `aborted`: by the signal. It goes on in both. */
export type AttachEnd = 'ended' | 'left' | 'aborted';

function connect(typing: Typing, { detachKeys, streams }: AttachRequest, leave: () => void): () => void {
  const keys = new DetachKeys(detachKeys);
  const tellSize = () => {
    const size = streams.size();
    if (size !== undefined) void typing.resize(size);
  };
  tellSize();
  const stopTelling = streams.onResize(tellSize);
  const pass = async (bytes: Uint8Array | undefined) => {
    if (bytes === undefined) return typing.end();
    const { passed, left } = keys.take(bytes);
    if (passed.length > 0) await typing.type(passed);
    if (left) leave();
  };
  let last = Promise.resolve();
  // A stream can tell of its end while its last bytes are still on their way: they go first.
  const stopReading = streams.read?.((bytes) => {
    last = last.then(() => pass(bytes));
    return last;
  });
  return () => {
    stopTelling();
    stopReading?.();
    typing.close();
  };
}

/** Shows the output of a sandbox and passes on what is typed, until it ends or is left. Throws LOGS_DAMAGED. */
export async function attachSandbox(paths: Paths, sandbox: Sandbox, request: AttachRequest): Promise<AttachEnd> {
  const { offset, streams, signal } = request;
  const stopped = new AbortController();
  let end: AttachEnd = 'ended';
  const leave = (how: AttachEnd) => {
    end = how;
    stopped.abort();
  };
  const abort = () => leave('aborted');
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const typing = sandbox.tty || sandbox.interactive ? Typing.open(paths, sandbox) : undefined;
  const disconnect = typing === undefined ? () => undefined : connect(typing, request, () => leave('left'));
  try {
    const isRunning = () => isLive(readState(paths, sandbox));
    const log = { directory: logsFolder(paths, sandbox.id), offset, follow: true, isLive: isRunning };
    for await (const event of readLog({ ...log, signal: stopped.signal })) {
      if (event.kind === 'gap') streams.lost(event.to - event.from);
      else await streams.write(event.frame.stream, event.frame.bytes);
    }
    return end;
  } finally {
    signal.removeEventListener('abort', abort);
    disconnect();
  }
}
