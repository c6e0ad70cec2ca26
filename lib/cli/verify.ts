// Owns `sandbox verify`: looks at one sandbox from outside and inside, and says what holds.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import { printable } from '../base/printable.ts';
import type { Level } from '../run/verify/check.ts';
import { allChecks } from '../run/verify/list.ts';
import { findHypervisor } from '../run/verify/machine.ts';
import { type Judged, type Verified, verifyControls, verifySandbox } from '../run/verify/verify.ts';
import type { CliContext, Terminal } from './context.ts';
import { hostOf } from './host.ts';
import { printJson, printTable } from './print.ts';

interface VerifyFlags {
  profile: string;
  engine?: string;
  isolation?: string;
  network?: string;
  pids?: string;
  workspace?: string;
  json?: true;
  list?: true;
  unconfined?: true;
  throwAwayMachine?: true;
}

const colours: Readonly<Record<Level, string>> = { PASS: '32', FAIL: '31', SKIP: '33' };

function printList(terminal: Terminal, json: boolean): void {
  const rows = allChecks.map(({ id, says, control }) => ({
    id,
    says,
    control: control.harmless,
    why: control.harmless ? null : control.why,
  }));
  if (json) {
    printJson(terminal, rows);
    return;
  }
  printTable(
    terminal,
    ['id', 'control', 'what holds'],
    rows.map(({ id, says, control }) => [id, control ? 'yes' : 'no', says]),
  );
  const controlled = rows.filter(({ control }) => control).length;
  terminal.out(`${rows.length} checks, ${controlled} of them with a control (--unconfined)\n`);
}

/** Outside a FAIL is what must be; a person should see what is wrong in red either way. */
function formatJudged({ level, id, seen }: Judged, unconfined: boolean, colour: boolean): string {
  const good = unconfined ? level === 'FAIL' : level === 'PASS';
  const tint = level === 'SKIP' ? colours.SKIP : good ? colours.PASS : colours.FAIL;
  return `${colour ? `\u001b[${tint}m${level}\u001b[0m` : level} ${id} ${printable(seen, 300)}\n`;
}

function printVerified(terminal: Terminal, { checks, counts, unconfined }: Verified): void {
  for (const judged of checks) terminal.out(formatJudged(judged, unconfined, terminal.outColour));
  const { passed, failed, skipped } = counts;
  terminal.out(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  if (!unconfined) return;
  terminal.out(
    passed === 0
      ? `every control failed, as it must: these ${failed} checks can fail\n`
      : `these did not fail outside, so they prove nothing here: ${checks
          .filter(({ level }) => level === 'PASS')
          .map(({ id }) => id)
          .join(' ')}\n`,
  );
}

/** Root's act outside touches the machine itself: only on one that says it is virtual, and that somebody says can go. */
function refuseRoot({ uid }: CliContext, flags: VerifyFlags): void {
  if (uid !== 0) return;
  const dmi = ['sys_vendor', 'product_name']
    .map((name) => readTextIfPresent(`/sys/class/dmi/id/${name}`) ?? '')
    .join(' ');
  const found = findHypervisor({
    cpuinfo: readTextIfPresent('/proc/cpuinfo', 16 << 20),
    hypervisor: readTextIfPresent('/sys/hypervisor/type'),
    dmi,
  });
  if (flags.throwAwayMachine === true && found !== undefined) return;
  throw new CofferdamError(
    'USAGE',
    found === undefined
      ? '--unconfined is not for root on a machine that is not virtual'
      : '--unconfined is not for root, but on a machine that can be thrown away',
    { remedy: 'run it as a plain user; or in a virtual machine that can go: --throw-away-machine' },
  );
}

export function verifyCommand(context: CliContext): Command {
  return createCommand('verify')
    .description('Start one sandbox, look at it from outside and inside, and say check by check what holds')
    .option('-p, --profile <name>', 'profile name, or a path to a file', 'default')
    .option('--engine <name>', 'crun, podman, nerdctl or docker')
    .option('--isolation <tier>', 'as in sandbox run')
    .option('--network <mode>', 'as in sandbox run')
    .option('--pids <number>', "as in sandbox run; gVisor's own threads are counted, too")
    .option('-w, --workspace <dir[:mode]>', 'as in sandbox run, for profiles that need a folder')
    .option('--json', 'print {profile, engine, unconfined, ok, counts, checks}')
    .option('--unconfined', 'run the checks that have a control without any sandbox: each must fail')
    .option('--list', 'print the checks; start nothing')
    .option('--throw-away-machine', 'as root: this virtual machine may be harmed by --unconfined')
    .addHelpText(
      'after',
      '\nExamples:\n  sandbox verify --profile python-tools\n  sandbox verify --unconfined   # the proof that the checks can fail\n\nExit status: 0 all passed (with --unconfined: all failed), 1 not so.',
    )
    .action(async (flags: VerifyFlags) => {
      const { terminal } = context;
      if (flags.list === true) {
        printList(terminal, flags.json === true);
        return;
      }
      const { profile, engine, isolation, network, pids, workspace } = flags;
      const wish = { profile, overrides: { engine, isolation, network, pids }, workspace };
      if (flags.unconfined === true) refuseRoot(context, flags);
      const verify = flags.unconfined === true ? verifyControls : verifySandbox;
      const verified = await verify(wish, hostOf(context));
      if (flags.json === true) printJson(terminal, verified);
      else printVerified(terminal, verified);
      if (!verified.ok) context.exit(1);
    });
}
