// Owns holding refused requests until a person answers: `network.onDeny: ask`. It decides early what the proxy decides again.
import { tailLines } from '../../base/lineLog.ts';
import type { Clock } from '../../policy/clock.ts';
import { decide } from '../../policy/decide.ts';
import type { Approvals, Policy } from '../../policy/policy.ts';
import { readRequestLine } from './line.ts';
import { explainDenial } from './recorder.ts';
import { type RequestStore, requestLog } from './store.ts';

export interface GateOptions {
  readonly store: RequestStore;
  /** `<paths.state>/egress`, where answers arrive. */
  readonly folder: string;
  /** The policy that the proxy enforces now. */
  readonly policy: () => Policy;
  readonly clock: () => Clock;
  /** What the policy asks for under the ceiling of the host: leastApprovals(). */
  readonly approvals: () => Approvals;
  /** approve_all: makes the grant, in firewall.yaml as everybody does. A rejection leaves the request held. */
  readonly grant: (id: string, asked: Asked) => Promise<void>;
  /** How long a request is held, ms. Default 60,000. */
  readonly patienceMs?: number;
}

export interface Asked {
  readonly run: string;
  readonly tool: string | undefined;
  readonly profile: string | undefined;
  readonly host: string;
  readonly port: number;
  /** Aborted when the guest hangs up or the run ends. */
  readonly signal: AbortSignal;
}

/** allow: the policy allows it (by now); deny: it does not, and nobody changed that in time. */
export type Verdict = 'allow' | 'deny';

export interface Gate {
  /** Settles at once unless an approval could let the request pass. Never rejects: a fault is a denial. */
  ask(asked: Asked): Promise<Verdict>;
  /** To be called when the proxy enforces another policy: what it allows goes on. */
  policyChanged(): void;
  /** Denies what is held. */
  close(): void;
}

/** Held at the same time: a held request keeps a connection and a person's attention. */
export const mostHeld = { all: 64, ofRun: 8 } as const;

interface Held {
  readonly id: string;
  readonly asked: Asked;
  settle(verdict: Verdict): void;
}

const defaultPatienceMs = 60_000;

/** Opens the gate of one daemon. */
export function openGate(options: GateOptions): Gate {
  const { store, folder, policy, clock, approvals, grant, patienceMs = defaultPatienceMs } = options;
  const held = new Set<Held>();
  const rejected = new Set<string>();
  const judge = ({ tool, profile, host, port }: Asked) => decide(policy(), { tool, profile }, host, port, clock());
  let watching: AbortController | undefined;

  // Rejections come by the log alone; an approval is a change of the policy, and `policyChanged` tells of it.
  async function watchAnswers(signal: AbortSignal): Promise<void> {
    for await (const text of tailLines(requestLog(folder), signal)) {
      const line = readRequestLine(text);
      if (line?.event !== 'approval.resolved' || line.answer !== 'rejected') continue;
      rejected.add(line.id);
      for (const one of held) if (one.id === line.id) one.settle('deny');
    }
  }

  function startWatching(): void {
    if (watching !== undefined) return;
    const controller = new AbortController();
    watching = controller;
    // An unreadable log means no rejection is seen: the requests time out, which is a no as well.
    watchAnswers(controller.signal).catch(() => undefined);
  }

  function stopWatching(): void {
    watching?.abort();
    watching = undefined;
  }

  function hold(id: string, asked: Asked): Promise<Verdict> {
    return new Promise((done) => {
      const timer = setTimeout(() => {
        one.settle('deny');
        try {
          store.expire(id);
        } catch {
          // The time it was held until stands in the log already.
        }
      }, patienceMs);
      const hangUp = () => one.settle('deny');
      const one: Held = {
        id,
        asked,
        settle(verdict) {
          clearTimeout(timer);
          asked.signal.removeEventListener('abort', hangUp);
          held.delete(one);
          if (held.size === 0) stopWatching();
          done(verdict);
        },
      };
      asked.signal.addEventListener('abort', hangUp, { once: true });
      held.add(one);
      startWatching();
    });
  }

  function isFull({ run }: Asked): boolean {
    const ofRun = [...held].filter(({ asked }) => asked.run === run).length;
    return held.size >= mostHeld.all || ofRun >= mostHeld.ofRun;
  }

  async function ask(asked: Asked): Promise<Verdict> {
    const { result, reason } = judge(asked);
    if (result === 'allow') return 'allow';
    if (reason !== 'unlisted' && reason !== 'port' && reason !== 'ended') return 'deny';
    if (asked.signal.aborted || isFull(asked) || approvals() === 'reject_all') return 'deny';
    const id = store.note(explainDenial(asked.run, { ...asked, result }, policy(), clock()));
    if (id === undefined || rejected.has(id)) return 'deny';
    store.hold(id, clock().wallMs + patienceMs);
    const verdict = hold(id, asked);
    if (approvals() === 'approve_all') grant(id, asked).catch(() => undefined);
    return verdict;
  }

  return {
    ask: (asked) => ask(asked).catch((): Verdict => 'deny'),
    policyChanged() {
      for (const one of held) if (judge(one.asked).result === 'allow') one.settle('allow');
    },
    close() {
      for (const one of held) one.settle('deny');
      stopWatching();
    },
  };
}
