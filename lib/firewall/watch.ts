// Owns noticing that the host's table is not as it was applied: by nft's own monitor, and by a look now and then.
import { type Streamed, streamTool, systemPath } from '../base/exec.ts';
import { underLock } from './apply.ts';
import { learnState } from './nft.ts';
import type { FirewallPlaces } from './record.ts';
import type { TableState } from './state.ts';
import { examineFirewall, type FirewallStatus } from './status.ts';

export interface WatchOptions {
  readonly places: FirewallPlaces;
  readonly signal: AbortSignal;
  /** Ms between two looks when nothing happens. Default 10,000. */
  readonly everyMs?: number;
  /** Told after each look, also when nothing changed. */
  readonly onState: (state: FirewallStatus['state']) => void;
}

const usualMs = 10_000;
/** Before a monitor that ended is started again. */
const restartMs = 1000;
const ours = 'cofferdam';

/** A new script is learnt once, not at every look. */
function learnOnce(): (script: string) => Promise<TableState> {
  let last: { readonly script: string; readonly state: TableState } | undefined;
  return async (script) => {
    if (last?.script !== script) last = { script, state: await learnState(script) };
    return last.state;
  };
}

/** Calls back when an event names our table. A flush of everything is told table by table. */
function startMonitor(onEvent: () => void): Streamed {
  let tail = '';
  return streamTool('nft', ['monitor'], {
    env: { PATH: systemPath, LANG: 'C.UTF-8' },
    stdin: 'ignore',
    stdout: (chunk) => {
      // The name may come in two pieces.
      const text = tail + Buffer.from(chunk).toString('latin1');
      tail = text.slice(-ours.length + 1);
      if (text.includes(ours)) onEvent();
    },
    stderr: () => undefined,
  });
}

/** One wait at a time, ended early by wake(); a wake() between two waits ends the next one. */
class Alarm {
  #rung = false;
  #ring: () => void = () => undefined;

  wake(): void {
    this.#rung = true;
    this.#ring();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((done) => {
        const timer = setTimeout(done, ms);
        this.#ring = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
    this.#rung = false;
  }
}

/**
 * Looks at the table until the signal is aborted: at once, after every event about it, and every `everyMs`. It waits while an
 * apply is under way, which is no drift. Throws HOST_UNPREPARED without root, TOOL_FAILED, FIREWALL_UNREADABLE: what cannot
 * be looked at is for the caller to treat as drifted.
 */
export async function watchFirewall({ places, signal, everyMs = usualMs, onState }: WatchOptions): Promise<void> {
  const alarm = new Alarm();
  const learn = learnOnce();
  let monitor: Streamed | undefined;
  const follow = () => {
    if (signal.aborted) return;
    monitor = startMonitor(() => alarm.wake());
    // It ends when the kernel was too fast for it (ENOBUFS): what it missed, a look finds.
    monitor.ended.then(() => {
      alarm.wake();
      setTimeout(follow, restartMs).unref();
    });
  };
  const stop = () => {
    monitor?.kill('SIGKILL');
    alarm.wake();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    follow();
    while (!signal.aborted) {
      const { state } = await underLock(places, () => examineFirewall(places, learn));
      if (signal.aborted) return;
      onState(state);
      await alarm.wait(everyMs);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}
