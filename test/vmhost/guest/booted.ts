// Owns what is looked at after a reboot of the virtual worker host: what the unit of `sandbox setup` made of it.
import { readdirSync } from 'node:fs';
import { ask } from './ask.ts';
import { call, readSoft, report, sandbox } from './caller.ts';

const unit = 'cofferdam-host.service';
const system = '/etc/systemd/system';

/** How its latest start ended, and what it said. */
function unitState(): object {
  const names = ['ActiveState', 'Result', 'UnitFileState', 'ExecMainStatus', 'InvocationID'];
  const { stdout } = call('systemctl', ['show', '-p', names.join(), unit]);
  const state = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')),
  ) as Record<string, string>;
  call('journalctl', ['--sync']);
  const said = call('journalctl', ['-o', 'cat', `_SYSTEMD_INVOCATION_ID=${state['InvocationID']}`]).stdout;
  return { ...state, said: said.trim().split('\n') };
}

function verifyUnits(): unknown {
  const units = readdirSync(system).filter((name) => name.startsWith('cofferdam-'));
  const ours = call('systemd-analyze', ['verify', ...units.map((name) => `${system}/${name}`)]);
  const user = 'cofferdam-runs.service';
  const asUser = ['-', 'plain', '-c', `systemd-analyze --user verify /etc/systemd/user/${user}`];
  return { units, ours, user: call('su', asUser) };
}

report('unit', unitState());
report('favordynmods', /[ ,]favordynmods(,|\n|$)/.test(readSoft('/proc/self/mountinfo')));
const check = await ask('sandbox', ['setup', '--check', '--user', 'plain']);
report('check', { ...check, said: check.stdout.trim().split('\n') });
const restart = call('systemctl', ['restart', unit]);
report('restart', { ...restart, ...unitState() });
const { status, stdout } = await ask('sandbox', ['doctor', '--json']);
const { runs, findings } = JSON.parse(stdout) as { runs: boolean; findings: { id: string; level: string }[] };
report('doctor', { status, runs, others: findings.filter(({ level }) => level !== 'ok') });
report('verify', verifyUnits());
const words = ['run', '-p', 'base-tools', '--', 'echo', 'hi'];
report('run-root', call(sandbox, words));
report('run-plain', call('su', ['-', 'plain', '-c', [sandbox, ...words].join(' ')]));
// Last: as root it touches the machine itself.
const control = await ask('sandbox', ['verify', '--unconfined', '--throw-away-machine', '--json', '-p', 'base-tools']);
const { counts, checks } = JSON.parse(control.stdout) as { counts: unknown; checks: { level: string }[] };
report('unconfined', { ...control, stdout: '', counts, others: checks.filter(({ level }) => level !== 'FAIL') });
