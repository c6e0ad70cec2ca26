// Owns the cases of the way out as services of the virtual worker host: set up, used, broken, behind the wall; and after a reboot.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ask, askRun, unfold } from './ask.ts';
import { call, env, quickNode, readSoft, report, sandbox, until, who } from './caller.ts';

const [bridge, proxy] = ['cofferdam-egress.service', 'cofferdam-proxy.service'];
const policy = 'dns: {servers: ["45.45.45.10"]}\nglobal: {allow: [one.example.org]}\n';
const fetch = (host: string) => `curl -sS --max-time 300 http://${host}.example.org/`;

function show(unit: string, ...names: string[]): Record<string, string> {
  const { stdout } = call('systemctl', ['show', '-p', names.join(), unit]);
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=', 2)),
  ) as Record<string, string>;
}

const words = (script: string) => ['run', '-p', 'base-tools', '--network', 'proxy', '--', 'sh', '-c', script];
const quick = Object.entries(quickNode('/home/plain')).map(([name, value]) => `${name}=${value}`);
const inWords = (script: string) => [...quick, sandbox, ...words(`'${script}'`)].join(' ');

/** A run of a plain user, in a session of theirs. */
const runPlain = (script: string) => call('su', ['-', 'plain', '-c', inWords(script)]);

/** The same without a session and a process for each. */
class Plain {
  private readonly child = spawn(
    'su',
    ['-', 'plain', '-c', `${quick.join(' ')} ${process.execPath} /opt/guest/asker.mjs`],
    {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  private readonly lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();

  async run(script: string, ...options: string[]): Promise<Awaited<ReturnType<typeof ask>>> {
    const [verb = '', ...rest] = words(script);
    this.child.stdin.write(`${JSON.stringify([verb, ...options, ...rest])}\n`);
    const { value } = await this.lines.next();
    return unfold(JSON.parse(String(value)));
  }

  fetch(host: string) {
    return this.run(fetch(host), '--json');
  }

  end(): void {
    this.child.stdin.end();
  }
}

const squids = () => call('pgrep', ['-x', 'squid']).stdout.split('\n').filter(Boolean);

/** What becomes of a connection to the port that Squid has, by uid. */
function knock(user: string): string {
  const script = `import socket
said = 'nobody listens'
for port in 3129, 3130:
    if f':{port:04X} 00000000:0000 0A' not in open('/proc/net/tcp').read(): continue
    try: socket.create_connection(('127.0.0.1', port), 120); said = 'reached'
    except OSError as fault: said = type(fault).__name__
print(said)`;
  return call('setpriv', [`--reuid=${user}`, '--clear-groups', 'python3', '-c', script]).stdout.trim();
}

async function useIt(): Promise<void> {
  const setup = call(sandbox, ['setup', '--user', 'plain', '--egress']);
  report('setup', { ...setup, stdout: setup.stdout.split('\n').filter((line) => !line.startsWith('already')) });
  const again = await ask('sandbox', ['setup', '--user', 'plain']);
  report(
    'again',
    [again.stderr, ...again.stdout.split('\n')].filter((line) => !/^(already|$)/.test(line)),
  );
  report('units', {
    bridge: show(bridge, 'ActiveState', 'UnitFileState', 'User'),
    debian: show('squid.service', 'ActiveState', 'LoadState'),
    squids: squids(),
  });
  report('plain', runPlain(`${fetch('one')}; ${fetch('two')}`));
  report('root', await askRun('root', words(fetch('one')).slice(1)));
  report('who', call('ps', ['-o', 'user:20=,comm=', '-C', 'squid']).stdout.trim());
}

async function breakIt(plain: Plain): Promise<void> {
  const before = squids();
  call('kill', ['-9', ...before]);
  const again = await plain.fetch('one');
  report('squid-killed', { ...again, before, after: squids() });

  const pid = show(bridge, 'MainPID')['MainPID'] ?? '0';
  call('kill', ['-9', pid]);
  await until(() => {
    const { MainPID, ActiveState } = show(bridge, 'MainPID', 'ActiveState');
    return MainPID !== pid && ActiveState === 'active';
  });
  report('bridge-killed', await plain.fetch('one'));

  call('systemctl', ['stop', bridge]);
  const stopped = await plain.run(`echo ran; ${fetch('one')}`);
  await until(() => squids().length === 0);
  report('stopped', { ...stopped, squids: squids() });
  // That it serves again is seen behind the wall.
  call('systemctl', ['start', bridge]);
}

const status = () => ask('firewall', ['status']);
const published = () => /"state":"([a-z]+)"/.exec(readSoft('/run/cofferdam/firewall.state'))?.[1];

/** What the live run has said. */
const live = '/tmp/live';

async function said(child: ChildProcess, text: string): Promise<boolean> {
  return until(() => readSoft(live).includes(text) || child.exitCode !== null);
}

async function wallIt(plain: Plain): Promise<void> {
  const control = knock('plain');
  const apply = await ask('firewall', ['apply']);
  report('walled', {
    control,
    apply,
    plain: knock('plain'),
    nobody: knock('nobody'),
    root: knock('root'),
    bridge: knock('cofferdam-bridge'),
  });
  const confirm = await ask('firewall', ['confirm']);
  await until(() => published() === 'verified');
  report('watched', { confirm, state: published(), run: await plain.fetch('one') });

  const reach = `${fetch('one')} | grep -q reached`;
  const script = `${reach} && echo up; while ${reach}; do sleep 1; done; echo cut; until ${reach}; do sleep 1; done; echo back`;
  const child = spawn('su', ['-', 'plain', '-c', `${inWords(script)} >${live} 2>&1`], {
    env,
    stdio: 'ignore',
  });
  await said(child, 'up');
  call('nft', ['flush', 'ruleset']);
  await until(() => published() === 'drifted');
  const refused = await plain.run('echo ran');
  await said(child, 'cut');
  report('flushed', { state: published(), refused, status: (await status()).status });
  child.kill('SIGKILL');
}

process.on('uncaughtException', (error) => {
  report('failed', String(error.stack));
  process.exit(1);
});
if (who === 'egress') {
  report('internet', call('sh', ['/opt/guest/internet.sh']));
  mkdirSync('/etc/cofferdam', { recursive: true });
  writeFileSync('/etc/cofferdam/firewall.yaml', policy, { mode: 0o644 });
  appendFileSync('/etc/cofferdam/config.yaml', 'egress: system\n');
  await useIt();
  const plain = new Plain();
  await breakIt(plain);
  await wallIt(plain);
  plain.end();
} else {
  // Before anything of ours runs: what the boot alone has made.
  const loader = show('cofferdam-firewall.service', 'ActiveState', 'Result', 'ActiveEnterTimestampMonotonic');
  const service = show(bridge, 'ActiveState', 'ActiveEnterTimestampMonotonic', 'UnitFileState');
  report('wall', {
    loader,
    service,
    table: call('nft', ['list', 'table', 'inet', 'cofferdam']).status,
    status: (await status()).status,
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
