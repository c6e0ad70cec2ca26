// Owns cycles of a sandbox by the library, run as a program of its own by whoever's cycles they are: ENGINE NAME COUNT.
import { createSandbox } from '../../lib/sdk/sandbox.ts';

async function goRound(engine: 'podman' | 'nerdctl' | 'docker', name: string): Promise<string> {
  const made = await createSandbox({ profile: 'base-tools', name, engine, hostEnv: process.env, cwd: '/' });
  try {
    await made.start();
    const { exitCode, stdout, stderr } = await made.exec(['echo', name]);
    if (exitCode !== 0 || stdout !== `${name}\n`) throw new Error(`${exitCode} ${stdout} ${stderr}`);
    return made.id;
  } finally {
    await made.remove({ force: true });
  }
}

const [, , engine, base = '', count = ''] = process.argv;
if (engine !== 'podman' && engine !== 'nerdctl' && engine !== 'docker') throw new Error(`no cycles on ${engine}`);
for (let cycle = 0; cycle < Number(count); cycle++)
  process.stdout.write(`${await goRound(engine, `${base}-${cycle}`)}\n`);
