// Owns the cases of the way out as services of the virtual worker host: set up, used, broken, behind the wall; and after a reboot.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { call, env, quickNode, readSoft, report, sandbox, until, who } from './caller.ts';

const firewall = '/opt/cofferdam/bin/firewall';
const [bridge, proxy] = ['cofferdam-egress.service', 'cofferdam-proxy.service'];
const policy = 'dns: {servers: ["45.45.45.10"]}\nglobal: {allow: [one.example.org]}\n';
const fetch = (host: string) => `curl -sS --max-time 60 http://${host}.example.org/`;

function show(unit: string, ...names: string[]): Record<string, string> {
  const { stdout } = call('systemctl', ['show', '-p', names.join(), unit]);
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=', 2)),
  ) as Record<string, string>;
}

const words = (script: string) => ['run', '-p', 'base-tools', '--network', 'proxy', '--', 'sh', '-c', `'${script}'`];
const quick = Object.entries(quickNode('/home/plain')).map(([name, value]) => `${name}=${value}`);

/** A run of a plain user, in a session of theirs. */
function runPlain(script: string) {
  return call('su', ['-', 'plain', '-c', [...quick, sandbox, ...words(script)].join(' ')]);
}

const squids = () => call('pgrep', ['-x', 'squid']).stdout.split('\n').filter(Boolean);

/** What becomes of a connection to the port that Squid has, by uid. */
function knock(user: string): string {
  const script = `import socket
said = 'nobody listens'
for port in 3129, 3130:
    if f':{port:04X} 00000000:0000 0A' not in open('/proc/net/tcp').read(): continue
    try: socket.create_connection(('127.0.0.1', port), 10); said = 'reached'
    except OSError as fault: said = type(fault).__name__
print(said)`;
  return call('setpriv', [`--reuid=${user}`, '--clear-groups', 'python3', '-c', script]).stdout.trim();
}

function useIt(): void {
  const setup = call(sandbox, ['setup', '--user', 'plain', '--egress']);
  report('setup', { ...setup, stdout: setup.stdout.split('\n').filter((line) => !line.startsWith('already')) });
  report(
    'again',
    call(sandbox, ['setup', '--user', 'plain'])
      .stdout.split('\n')
      .filter((line) => !/^(already|$)/.test(line)),
  );
  report('units', {
    bridge: show(bridge, 'ActiveState', 'UnitFileState', 'User'),
    debian: show('squid.service', 'ActiveState', 'LoadState'),
    squids: squids(),
  });
  report('plain', runPlain(`${fetch('one')}; ${fetch('two')}`));
  report('root', call(sandbox, ['run', '-p', 'base-tools', '--network', 'proxy', '--', 'sh', '-c', fetch('one')]));
  report('who', call('ps', ['-o', 'user:20=,comm=', '-C', 'squid']).stdout.trim());
}

async function breakIt(): Promise<void> {
  const before = squids();
  call('kill', ['-9', ...before]);
  const again = runPlain(fetch('one'));
  report('squid-killed', { ...again, before, after: squids() });

  const pid = show(bridge, 'MainPID')['MainPID'] ?? '0';
  call('kill', ['-9', pid]);
  await until(() => {
    const { MainPID, ActiveState } = show(bridge, 'MainPID', 'ActiveState');
    return MainPID !== pid && ActiveState === 'active';
  });
  report('bridge-killed', runPlain(fetch('one')));

  call('systemctl', ['stop', bridge]);
  const stopped = runPlain(`echo ran; ${fetch('one')}`);
  await until(() => squids().length === 0);
  report('stopped', { ...stopped, squids: squids() });
  call('systemctl', ['start', bridge]);
  report('started', runPlain(fetch('one')));
}

const status = () => call(firewall, ['status']);
const published = () => /"state":"([a-z]+)"/.exec(readSoft('/run/cofferdam/firewall.state'))?.[1];

/** What the live run has said. */
const live = '/tmp/live';

async function said(child: ChildProcess, text: string): Promise<boolean> {
  return until(() => readSoft(live).includes(text) || child.exitCode !== null);
}

async function wallIt(): Promise<void> {
  const control = knock('plain');
  const apply = call(firewall, ['apply']);
  report('walled', {
    control,
    apply,
    plain: knock('plain'),
    nobody: knock('nobody'),
    root: knock('root'),
    bridge: knock('cofferdam-bridge'),
  });
  const confirm = call(firewall, ['confirm']);
  await until(() => published() === 'verified');
  report('watched', { confirm, state: published(), run: runPlain(fetch('one')) });

  const reach = `${fetch('one')} | grep -q reached`;
  const script = `${reach} && echo up; while ${reach}; do sleep 1; done; echo cut; until ${reach}; do sleep 1; done; echo back`;
  const child = spawn('su', ['-', 'plain', '-c', `${[...quick, sandbox, ...words(script)].join(' ')} >${live} 2>&1`], {
    env,
    stdio: 'ignore',
  });
  await said(child, 'up');
  call('nft', ['flush', 'ruleset']);
  await until(() => published() === 'drifted');
  const refused = runPlain('echo ran');
  await said(child, 'cut');
  report('flushed', { state: published(), refused, status: status().status });
  child.kill('SIGKILL');
}

process.on('uncaughtException', (error) => {
  report('failed', String(error.stack));
  process.exit(1);
});
if (who === 'egress') {
  report('internet', call('sh', ['/opt/guest/internet.sh']));
  writeFileSync('/etc/cofferdam/firewall.yaml', policy, { mode: 0o644 });
  appendFileSync('/etc/cofferdam/config.yaml', 'egress: system\n');
  useIt();
  await breakIt();
  await wallIt();
} else {
  // Before anything of ours runs: what the boot alone has made.
  const loader = show('cofferdam-firewall.service', 'ActiveState', 'Result', 'ActiveEnterTimestampMonotonic');
  const service = show(bridge, 'ActiveState', 'ActiveEnterTimestampMonotonic', 'UnitFileState');
  report('wall', {
    loader,
    service,
    table: call('nft', ['list', 'table', 'inet', 'cofferdam']).status,
    status: status().status,
  });
  await until(() => published() === 'verified');
  report('internet', call('sh', ['/opt/guest/internet.sh']));
  report('plain', runPlain(`${fetch('one')}; ${fetch('two')}`));
  report('knock', { plain: knock('plain'), bridge: knock('cofferdam-bridge') });
  report('debian', show('squid.service', 'ActiveState', 'LoadState'));
  report(
    'security',
    call('systemd-analyze', ['security', bridge, proxy])
      .stdout.trim()
      .split('\n')
      .filter((line) => line.includes('Overall')),
  );
}
