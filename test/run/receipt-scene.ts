// Owns the stage of receipt tests: a state folder of its own, a plan whose digest is right, and lines as supervisors write them.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { leafWrites } from '../../lib/engine/cgroup.ts';
import { readAudit } from '../../lib/run/audit/find.ts';
import { readKey } from '../../lib/run/key.ts';
import { renderLaunch } from '../../lib/run/launch.ts';
import type { RunDetails } from '../../lib/run/receipt/build.ts';
import type { CompleteHost } from '../../lib/run/receipt/complete.ts';
import { digestPlan } from '../../lib/run/receipt/planFacts.ts';
import type { Predicate } from '../../lib/run/receipt/statement.ts';
import { findReceipts, readReceipt } from '../../lib/run/receipt/store.ts';
import { verifyReceipt } from '../../lib/run/receipt/verify.ts';
import { parseRecord } from '../../lib/run/result.ts';
import { shippedProfile } from '../spec/samples.ts';

const hex = (digit: string) => digit.repeat(64);

export const profile = shippedProfile('base-tools');

/** The launch script of a plan, made by the product itself. */
export function launchText(version: 1 | 2, enforce: 'strict' | 'best-effort' = 'strict'): string {
  const controllers = ['memory', 'pids', 'cpu'] as const;
  const folders =
    version === 2
      ? [{ controllers: [...controllers], path: '/sys/fs/cgroup/cofferdam/1000' }]
      : controllers.map((name) => ({ controllers: [name], path: `/sys/fs/cgroup/${name}/cofferdam/1000` }));
  return renderLaunch({
    title: 'test',
    planDigest: hex('0'),
    profile: { ...profile, limits: { ...profile.limits, enforce } },
    ids: {
      callerUid: 1000,
      callerGid: 1000,
      subuids: { start: 1, count: 65_536 },
      subgids: { start: 1, count: 65_536 },
    },
    program: { kind: 'slot' },
    cgroups: { version, folders },
    command: { writesConfig: true, words: ['/usr/bin/crun'], appendsArguments: false, files: {}, env: [] },
    configTemplate: '{}',
    tools: {
      awk: '/a',
      sandbox: '/b',
      rm: '/c',
      mount: '/e',
      supervise: '/f',
      node: '/g',
      collect: '/h',
    },
    folders: { runs: '/r', records: '/s', slots: '/t', log: '/u', collect: '/v' },
    mostTimeout: 1000,
    shell: { encode: '', launch: '' },
  });
}

export function expectedLimits(version: 1 | 2): string[] {
  return leafWrites(version, profile.limits).map(({ file, value }) => `${file}=${value}`);
}

const config = {
  process: {
    capabilities: { bounding: [], effective: [] },
    rlimits: [{ type: 'RLIMIT_CORE', soft: 1, hard: 1 }],
    noNewPrivileges: true,
  },
  root: { readonly: true },
  linux: { namespaces: [{ type: 'pid' }, { type: 'network' }] },
};

function planFiles(enforce: 'strict' | 'best-effort'): Map<string, string> {
  const inputs = {
    version: '0.1.0',
    profile: { name: 'base-tools', resolved: { ...profile, limits: { ...profile.limits, enforce } } },
    image: { name: 'base-tools', version: '1', digest: `sha256:${hex('a')}` },
    engine: { name: 'crun', path: '/usr/bin/crun', version: '1.8.1' },
    kernel: '6.1.0',
    seccomp: `sha256:${hex('b')}`,
    cgroups: { version: 2 },
    program: { kind: 'slot' },
    artifacts: false,
  };
  return new Map([
    ['inputs.json', JSON.stringify(inputs)],
    ['config.json', JSON.stringify(config)],
    ['launch', launchText(2, enforce)],
  ]);
}

export interface ReceiptScene {
  readonly host: CompleteHost;
  readonly state: string;
  readonly log: string;
  readonly plans: string;
  readonly records: string;
  readonly awaited: string;
  /** 64 hex digits. */
  readonly plan: string;
  line(id: string, rest?: string): string;
  append(...lines: string[]): void;
  details(line: string, more?: Partial<RunDetails>): RunDetails;
}

export const now = Date.UTC(2026, 10, 20, 12);

export function receiptScene(t: Test, enforce: 'strict' | 'best-effort' = 'strict'): ReceiptScene {
  const root = t.testdir({});
  const paths = {
    hostConfig: join(root, 'none'),
    config: root,
    data: join(root, 'data'),
    state: join(root, 'state'),
    run: join(root, 'run'),
    imageStores: [],
    install: root,
  };
  const [plans, records, awaited] = [join(paths.data, 'plans'), join(paths.run, 'records'), join(paths.run, 'awaited')];
  for (const folder of [plans, paths.state, records, awaited]) mkdirSync(folder, { recursive: true });
  const files = planFiles(enforce);
  const plan = digestPlan('/no/folder', 'no digest', files);
  mkdirSync(join(plans, plan));
  for (const [name, text] of files) writeFileSync(join(plans, plan, name), text);
  const log = join(paths.state, 'runs.log');
  return {
    host: { paths, uid: process.getuid?.() ?? -1, version: '0.1.0' },
    state: paths.state,
    log,
    plans,
    records,
    awaited,
    plan,
    line: (id, rest = `${now - 100} ${now - 50} 0 exited 3 0 -`) => `1 ${id} ${plan} - - ${rest}`,
    append: (...lines) => appendFileSync(log, lines.map((line) => `${line}\n`).join('')),
    details: (line, more = {}) => ({
      record: parseRecord(line),
      argv: ['true'],
      labels: { team: 'a' },
      timeoutMs: 1000,
      artifacts: undefined,
      artifactsRefused: 0,
      workspaceMode: 'scratch',
      setAside: [],
      egress: undefined,
      ports: [],
      weaknesses: [],
      ...more,
    }),
  };
}

/** What the audit log holds, in order: the event, and its run. */
export function events({ state }: ReceiptScene): string[] {
  return [...readAudit(state)].map(({ event, run }) => (run === null ? event : `${event} ${run}`));
}

/** Its newest receipt, verified. */
export function receiptOf({ state, host }: ReceiptScene, id: string): Predicate {
  const key = readKey(state, host.uid);
  if (key === undefined) throw new Error('there is no key');
  const [file = ''] = findReceipts(state, id);
  const verdict = verifyReceipt({ bytes: readReceipt(file), key, run: id, state });
  if (!verdict.ok || verdict.statement === undefined) throw new Error(`${id}: ${verdict.fault?.text}`);
  return verdict.statement.predicate;
}
