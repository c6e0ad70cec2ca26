// Owns `sandbox doctor ports`: what is registered beside what is really bound.
import { type Command, createCommand } from 'commander';
import { readTextIfPresent } from '../base/files.ts';
import type { Level } from '../engine/doctor/check.ts';
import { uidOf } from '../firewall/identities.ts';
import { comparePorts, type PortFinding, type PortState } from '../policy/ports/compare.ts';
import { findHolders, type Holder, holderText, readListeners } from '../run/ports/listeners.ts';
import { readRegistries } from '../run/ports/registryFile.ts';
import type { CliContext } from './context.ts';
import { formatFinding } from './finding.ts';
import { printJson } from './print.ts';

const levels: Readonly<Record<PortState, Level>> = {
  bound: 'ok',
  free: 'ok',
  stranger: 'warn',
  wide: 'fail',
  owner: 'fail',
  conflict: 'fail',
};

const remedies: Readonly<Partial<Record<PortState, string>>> = {
  stranger: 'register it: sandbox ports allocate NAME --port PORT; or stop the process',
  wide: 'let the program listen where it is registered; docs/ports.md',
  owner: 'stop the process, or register the port for its account',
  conflict: 'take one of them out: sandbox ports release NAME',
};

function findingJson({ state, registration, listener, text }: PortFinding, holders: readonly Holder[]): object {
  const place = listener ?? registration;
  return {
    state,
    level: levels[state],
    text,
    protocol: place?.protocol,
    address: place?.address,
    port: place?.port,
    uid: listener?.uid ?? null,
    processes: holders,
    name: registration?.name ?? null,
    owner: registration?.owner ?? null,
    where: registration?.where ?? null,
  };
}

function doctorPorts(
  context: CliContext,
  { strict = false, json = false }: { strict?: boolean; json?: boolean },
): void {
  const { terminal } = context;
  const { own, host } = readRegistries(context);
  const listeners = readListeners();
  const passwd = readTextIfPresent('/etc/passwd', 16 << 20) ?? '';
  const findings = comparePorts({
    registrations: [...(host?.registrations ?? []), ...own.registrations],
    listeners,
    uidOf: (account) => uidOf(passwd, account),
  });
  const holders = findHolders(new Set(listeners.map(({ inode }) => inode)));
  const holdersOf = ({ listener }: PortFinding) => (listener === undefined ? [] : (holders.get(listener.inode) ?? []));
  const wrong = findings.filter(({ state }) => levels[state] !== 'ok');
  if (json)
    printJson(terminal, { ok: wrong.length === 0, findings: findings.map((one) => findingJson(one, holdersOf(one))) });
  else {
    for (const finding of findings) {
      const { state, listener, text } = finding;
      const by = listener === undefined ? '' : `: ${holderText(holdersOf(finding), listener.uid)}`;
      const remedy = remedies[state];
      const said = { level: levels[state], id: `ports.${state}`, seen: `${text}${by}` };
      terminal.out(formatFinding(remedy === undefined ? said : { ...said, remedy }, terminal.outColour));
    }
    terminal.out(`${findings.length - wrong.length} as registered or free, ${wrong.length} not\n`);
  }
  if (strict && wrong.length > 0) context.exit(1);
}

/** The `doctor ports` command. */
export function doctorPortsCommand(context: CliContext): Command {
  return createCommand('ports')
    .description('Compare registered ports with what really listens: conflicts, strangers, what other hosts reach')
    .option('--strict', 'exit 1 when anything is not as registered')
    .option('--json', 'print {ok, findings}')
    .addHelpText(
      'after',
      '\nProcesses of other users are named when root asks.\n\nExamples:\n  sandbox doctor ports\n  sudo sandbox doctor ports --strict --json',
    )
    .action((flags: { strict?: boolean; json?: boolean }) => doctorPorts(context, flags));
}
