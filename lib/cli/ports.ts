// Owns `sandbox ports`: who may listen at which port of this host.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { comparePorts } from '../policy/ports/compare.ts';
import { placeText } from '../policy/ports/place.ts';
import { overlap, type Registration } from '../policy/ports/registry.ts';
import { portNames, protocols } from '../policy/ports/schema.ts';
import { findHolders, holderText, readListeners } from '../run/ports/listeners.ts';
import {
  allocatePorts,
  type Permit,
  portsFileOf,
  readRegistries,
  registerPort,
  releasePort,
} from '../run/ports/registryFile.ts';
import type { CliContext } from './context.ts';
import { refuseWidening, yesFlag } from './firewall-permit.ts';
import { type Column, formatRows } from './format.ts';
import { printJson } from './print.ts';

interface Row extends Registration {
  /** What holds the port now, or nothing. */
  readonly holder: string;
}

const columns: readonly Column<Row>[] = [
  { name: 'Name', header: 'NAME', value: ({ name }) => name },
  { name: 'Address', header: 'ADDRESS', value: ({ address }) => address },
  { name: 'Port', header: 'PORT', value: ({ port }) => String(port), json: ({ port }) => port },
  { name: 'Protocol', header: 'PROTOCOL', value: ({ protocol }) => protocol },
  { name: 'Owner', header: 'OWNER', value: ({ owner }) => owner },
  { name: 'Kind', header: 'KIND', value: ({ kind }) => kind },
  { name: 'BoundBy', header: 'BOUND BY', value: ({ holder }) => holder },
  { name: 'About', header: 'ABOUT', value: ({ about }) => printable(about, 100) },
  { name: 'Where', header: 'SET IN', value: ({ where }) => printable(where, 300) },
];

const shown =
  'table {{.Name}}\\t{{.Address}}\\t{{.Port}}\\t{{.Protocol}}\\t{{.Owner}}\\t{{.Kind}}\\t{{.BoundBy}}\\t{{.Where}}';

function list(context: CliContext, format = shown): void {
  const { own, host, missing } = readRegistries(context);
  const listeners = readListeners();
  const holders = findHolders(new Set(listeners.map(({ inode }) => inode)));
  const rows = [...(host?.registrations ?? []), ...own.registrations].map((one): Row => {
    const listener = listeners.find((there) => overlap(there, one));
    const holder = listener === undefined ? '' : holderText(holders.get(listener.inode), listener.uid);
    return { ...one, holder };
  });
  context.terminal.out(formatRows(rows, columns, format === 'table' ? shown : format));
  if (missing)
    context.terminal.err(
      `sandbox: there is no ${printable(portsFileOf(context.paths), 300)}: no port is given to a sandbox\n`,
    );
}

const yesAbout = 'as root: register it although no person is at a terminal';
const permitHelp = `
A port of the ranges, on 127.0.0.1, is anybody's to ask for. --port, and making the file, need a person: stdin and
stderr must be a terminal, or root gives ${yesFlag}. docs/firewall.md says whom that holds.`;

function permitOpening(context: CliContext, yes: boolean): Permit {
  return (widening) => refuseWidening(context, yes, 'to give out more ports', widening);
}

interface AllocateFlags {
  readonly port?: string;
  readonly address?: string;
  readonly protocol?: string;
  readonly owner?: string;
  readonly yes?: true;
  readonly json?: true;
}

function checked(what: string, text: string, fault: string | undefined): string {
  if (fault === undefined) return text;
  throw new CofferdamError('VALUE_INVALID', `${what} "${printable(text, 80)}" ${fault}`, {
    remedy: 'see: sandbox ports allocate --help',
  });
}

function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  checked('--port', text, port >= 1 && port <= 65_535 ? undefined : 'is not between 1 and 65535');
  return port;
}

const faultOf = (kind: keyof typeof portNames, text: string) =>
  portNames[kind].safeParse(text).error?.issues[0]?.message.replace(/^not /, 'is not ');

async function allocate(context: CliContext, name: string, flags: AllocateFlags): Promise<void> {
  const { terminal } = context;
  const permit = permitOpening(context, flags.yes === true);
  checked('the name', name, faultOf('registration', name));
  const { port, address = '127.0.0.1', protocol = 'tcp', owner } = flags;
  if (port === undefined && (flags.address ?? flags.protocol ?? owner) !== undefined)
    throw new CofferdamError('USAGE', '--address, --protocol and --owner go with --port', {
      remedy: 'see: sandbox ports allocate --help',
    });
  checked('--address', address, faultOf('address', address));
  if (owner !== undefined) checked('--owner', owner, faultOf('account', owner));
  const known = protocols.find((one) => one === protocol);
  if (known === undefined) throw new CofferdamError('VALUE_INVALID', '--protocol is tcp or udp');
  const [made] =
    port === undefined
      ? await allocatePorts(context, [{ name, port: 0 }], permit)
      : [await registerPort(context, { name, port: readPort(port), address, protocol: known, owner }, permit)];
  if (made === undefined) throw new RangeError(name);
  if (flags.json === true) printJson(terminal, registrationJson(made));
  else terminal.out(`${made.port}\n`);
}

function registrationJson({ name, protocol, address, port, owner, kind, where }: Registration): object {
  return { name, protocol, address, port, owner, kind, where };
}

async function release(context: CliContext, name: string, flags: { yes?: true }): Promise<void> {
  const found = await releasePort(context, name, permitOpening(context, flags.yes === true));
  context.terminal.out(`${found.name} has ${placeText(found)} no longer\n`);
}

/** Lines about what is asked, and whether all of it is well. */
function judgeAsked(context: CliContext, asked: readonly string[]): { lines: string[]; well: boolean } {
  const { own, host } = readRegistries(context);
  const registrations = [...(host?.registrations ?? []), ...own.registrations];
  const findings = comparePorts({ registrations, listeners: [], uidOf: () => undefined });
  const conflicts = findings.filter(({ state }) => state === 'conflict').map(({ text }) => text);
  if (asked.length === 0) {
    const lines = [...conflicts, `${registrations.length} registered, ${conflicts.length} in another's way`];
    return { lines, well: conflicts.length === 0 };
  }
  const listeners = readListeners();
  const answers = asked.map(readPort).map((port) => {
    const whose = registrations
      .filter((one) => one.port === port)
      .map(({ name, owner }) => `registered for ${name}, owner ${owner}`);
    const bound = listeners.filter((one) => one.port === port);
    const holders = findHolders(new Set(bound.map(({ inode }) => inode)));
    const by = bound.map((one) => `bound at ${placeText(one)} by ${holderText(holders.get(one.inode), one.uid)}`);
    const said = [...new Set([...whose, ...by])];
    return { free: said.length === 0, line: `${port}: ${said.length === 0 ? 'free' : said.join('; ')}` };
  });
  return { lines: answers.map(({ line }) => line), well: answers.every(({ free }) => free) };
}

function check(context: CliContext, asked: readonly string[]): void {
  const { lines, well } = judgeAsked(context, asked);
  for (const line of lines) context.terminal.out(`${printable(line, 500)}\n`);
  if (!well) context.exit(1);
}

/** `sandbox ports list|allocate|release|check`. */
export function portsCommand(context: CliContext): Command {
  const ports = createCommand('ports')
    .description('Ports of this host: who may listen where')
    .addHelpText(
      'after',
      '\nExamples:\n  sandbox ports list\n  sandbox ports allocate web\n  sandbox ports check 8080',
    );
  ports
    .command('list', { isDefault: true })
    .description('Every registered port, whose it is, what holds it now, and where that is set')
    .option('--format <format>', 'json, table, or a template such as "{{.Name}} {{.Port}}"')
    .addHelpText('after', '\nExamples:\n  sandbox ports list\n  sandbox ports list --format json')
    .action(({ format }: { format?: string }) => list(context, format));
  ports
    .command('allocate')
    .description('Give a name its port, and print it: the same one each time')
    .argument('<name>', 'of a service; for a sandbox NAME.PORT-INSIDE, such as work.8000')
    .option('--port <port>', 'register this one, instead of one of the ranges')
    .option('--address <address>', 'with --port: where it may listen (default: 127.0.0.1)')
    .option('--protocol <name>', 'with --port: tcp (default) or udp')
    .option('--owner <account>', 'with --port: whose processes may bind it (default: yours)')
    .option(yesFlag, yesAbout)
    .option('--json', 'print the registration')
    .addHelpText(
      'after',
      `${permitHelp}\n\nExamples:\n  sandbox ports allocate work.8000\n  sandbox ports allocate web --port 8080\n  sudo sandbox ports allocate web --port 443 --address 0.0.0.0 --owner www-data`,
    )
    .action((name: string, flags: AllocateFlags) => allocate(context, name, flags));
  ports
    .command('release')
    .description('Take the port of a name back; a service needs a person, its port would be free for others')
    .argument('<name>', 'as `sandbox ports list` shows it')
    .option(yesFlag, yesAbout)
    .addHelpText('after', '\nExample:\n  sandbox ports release work.8000')
    .action((name: string, flags: { yes?: true }) => release(context, name, flags));
  ports
    .command('check')
    .description('Whether the registries are sound, or the ports that are named are free; exit 1 when not')
    .argument('[port...]', 'ports of this host')
    .addHelpText('after', '\nExamples:\n  sandbox ports check\n  sandbox ports check 8080 8443')
    .action((asked: string[]) => check(context, asked));
  return ports;
}
