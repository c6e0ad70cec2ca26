// Owns `firewall denied` and `firewall requests`: what wanted out and was refused, and what is held until somebody answers.
import { type Command, createCommand } from 'commander';
import { tailLines } from '../base/lineLog.ts';
import { printableJson } from '../base/printable.ts';
import { policySourceOf } from '../firewall/policySource.ts';
import { readClock } from '../policy/clock.ts';
import { parsePolicy, readPolicyText } from '../policy/load.ts';
import type { Policy } from '../policy/policy.ts';
import { egressLogs, type RecordOf } from '../service/egress/systemPlaces.ts';
import { type RequestLine, readRequestLine } from '../service/requests/line.ts';
import { addLine, type EgressRequest, type Requests } from '../service/requests/requests.ts';
import { requestLog } from '../service/requests/store.ts';
import type { CliContext } from './context.ts';
import { type FoundRequest, readAllRequests, recordsOf } from './firewall-records.ts';
import { isForPerson, requestJson, requestText, type ShownTo } from './firewall-request-text.ts';
import { parseTime } from './logs.ts';
import { printJson } from './print.ts';

interface DeniedFlags {
  readonly follow?: true;
  readonly run?: string;
  readonly since?: string;
  readonly json?: true;
}

/** Where what is refused is recorded. */
export function egressFolder({ paths, uid }: CliContext): string {
  return egressLogs(paths, uid).logs;
}

/** The policy in force for the caller, or undefined where there is none. */
export function readPolicyIfPresent({ paths, uid }: CliContext): Policy | undefined {
  const source = policySourceOf(paths, uid);
  const text = readPolicyText(source);
  return text === undefined ? undefined : parsePolicy(text, source.file);
}

type Wanted = (request: EgressRequest) => boolean;

function wantedBy({ run, since }: DeniedFlags, now: number): Wanted {
  const from = since === undefined ? 0 : parseTime(since, now);
  return (request) => request.last >= from && (run === undefined || request.run === run);
}

/** What a person at our terminal is shown beside a request of `caller`'s. */
export function shownTo(context: CliContext, caller: number): ShownTo {
  const { paths, uid, terminal } = context;
  return {
    person: isForPerson(terminal),
    policy: readPolicyIfPresent(context),
    policyIsTheirs: policySourceOf(paths, uid).uid === uid,
    clock: readClock(),
    caller: caller === uid ? undefined : caller,
  };
}

function asJson({ request, record: { caller, served } }: FoundRequest): object {
  return served ? { caller, ...requestJson(request) } : requestJson(request);
}

function show(context: CliContext, found: FoundRequest, json: boolean): void {
  const { terminal } = context;
  if (json) terminal.out(`${printableJson(asJson(found), 0)}\n`);
  else terminal.out(requestText(found.request, shownTo(context, found.record.caller)));
}

const mostShown = 50;

async function list(context: CliContext, flags: DeniedFlags, wanted: Wanted, none: string): Promise<void> {
  const { terminal } = context;
  const { found: all, unkept, unreadable } = await readAllRequests(context);
  const found = all.filter(({ request }) => wanted(request));
  const beyond = [...unkept].filter(([run]) => flags.run === undefined || flags.run === run);
  const more = beyond.reduce((sum, [, count]) => sum + count, 0);
  if (flags.json === true) {
    printJson(terminal, { requests: found.map(asJson), unkept: more, unreadable });
    return;
  }
  if (found.length === 0) terminal.err(`firewall: ${none}\n`);
  if (found.length > mostShown) terminal.err(`firewall: the last ${mostShown} of ${found.length}; all: --json\n`);
  for (const one of found.slice(-mostShown)) show(context, one, false);
  if (more > 0) terminal.err(`firewall: ${more} more, of runs that asked for too many different hosts\n`);
  if (unreadable > 0) terminal.err(`firewall: ${unreadable} lines of the record are none of ours\n`);
}

interface Following {
  readonly event: RequestLine['event'];
  readonly wanted: Wanted;
  readonly json: boolean;
}

async function followOne(context: CliContext, record: RecordOf, { event, wanted, json }: Following): Promise<void> {
  const requests: Requests = { byId: new Map(), unkept: new Map(), unreadable: 0 };
  for await (const text of tailLines(requestLog(record.folder), context.signal)) {
    const line = readRequestLine(text);
    if (line === undefined) continue;
    addLine(requests, line);
    const request = line.event === event && 'id' in line ? requests.byId.get(line.id) : undefined;
    if (request !== undefined && wanted(request)) show(context, { request, record }, json);
  }
}

async function follow(context: CliContext, following: Following): Promise<void> {
  await Promise.all(recordsOf(context).map((record) => followOne(context, record, following)));
}

function addFlags(command: Command): Command {
  return command
    .option('-f, --follow', 'go on with what comes, until you stop it')
    .option('--run <id>', 'of one run')
    .option('--since <time>', '10m (that long ago), 2026-01-31T12:00:00Z, or seconds since 1970')
    .option('--json', 'one JSON document; with --follow one object a line');
}

const forPeople = 'The command that allows a request is shown at a terminal only; JSON and pipes carry its id.';

/** `firewall denied` and `firewall requests`. */
export function deniedCommands(context: CliContext): Command[] {
  const denied = createCommand('denied')
    .description('What sandboxes asked for and did not get: each host once for a run, why, and how often')
    .addHelpText(
      'after',
      `\n${forPeople}\n\nExamples:\n  firewall denied --since 10m\n  firewall denied --follow --run build-17`,
    )
    .action(async (flags: DeniedFlags) => {
      const wanted = wantedBy(flags, Date.now());
      if (flags.follow === true) await follow(context, { event: 'request.denied', wanted, json: flags.json === true });
      else await list(context, flags, wanted, 'nothing was denied');
    });
  const requests = createCommand('requests')
    .description('Requests that are held until somebody answers (network.onDeny: ask)')
    .addHelpText(
      'after',
      `\n${forPeople} No answer is a no.\n\nExamples:\n  firewall requests\n  firewall requests --follow`,
    )
    .action(async (flags: DeniedFlags) => {
      const asked = wantedBy(flags, Date.now());
      const wanted: Wanted = (request) =>
        asked(request) && request.state === 'waiting' && (request.until ?? 0) > Date.now();
      if (flags.follow === true)
        await follow(context, { event: 'approval.requested', wanted, json: flags.json === true });
      else await list(context, flags, wanted, 'nothing waits for an answer');
    });
  return [addFlags(denied), addFlags(requests)];
}
