// Owns cycles of a sandbox by the library, run as a program of its own by whoever's cycles they are: ENGINE NAME COUNT [PROFILE].
import { createSandbox } from '../../lib/sdk/sandbox.ts';

const engines = ['crun', 'podman', 'nerdctl', 'docker'] as const;

async function goRound(engine: (typeof engines)[number], profile: string, name: string): Promise<string> {
  const made = await createSandbox({ profile, name, engine, hostEnv: process.env, cwd: '/' });
  try {
    await made.start();
    const { exitCode, stdout, stderr } = await made.exec(['echo', name]);
    if (exitCode !== 0 || stdout !== `${name}\n`) throw new Error(`${exitCode} ${stdout} ${stderr}`);
    return made.id;
  } finally {
    await made.remove({ force: true });
  }
}

const [, , named, base = '', count = '', profile = 'base-tools'] = process.argv;
const engine = engines.find((name) => name === named);
if (engine === undefined) throw new Error(`no cycles on ${named}`);
for (let cycle = 0; cycle < Number(count); cycle++)
  process.stdout.write(`${await goRound(engine, profile, `${base}-${cycle}`)}\n`);
