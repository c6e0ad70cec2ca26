// Owns the proof of the life of docker's sandboxes, also when the daemon is killed: they end, states tell the truth, and rm needs no daemon.
import tap from 'tap';
import { makeLive } from '../system/live.ts';
import { declareNeeds } from '../system/needs.ts';
import { until } from '../system/scene.ts';
import { findProcesses, readSoft } from '../system/traces.ts';
import { startDocker } from './dockerScene.ts';
import { dockerStage } from './dockerStage.ts';
import { proveExec } from './lifeExec.ts';
import { proveMeddled } from './lifeMeddled.ts';
import { stateOf } from './lifeStage.ts';
import { proveVerbs } from './lifeVerbs.ts';

declareNeeds('crun', 'docker', 'base-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

const docker = await startDocker();
const { scene } = docker;

const stage = dockerStage(docker);

proveVerbs(stage);
proveExec(stage);
proveMeddled(stage);

// The last.
tap.test('a sandbox whose daemon is killed is ended, told as such, and removed', async (t) => {
  // Shims of containerd outlive whoever started them.
  tap.teardown(() => {
    for (const { pid } of findProcesses(docker.home)) process.kill(pid, 'SIGKILL');
  });
  const live = await makeLive(t, scene, ['--engine', 'docker']);
  const members = live.members();
  t.match(await live.exec([], ['echo', 'alive']), { status: 0, stdout: 'alive\n' });
  const pending = live.startExec([], ['sleep', '301']);
  t.ok(await until(() => live.members().length > members.length));
  await docker.killDaemon();
  t.ok(await until(() => members.every((pid) => /\) [ZX] |^$/.test(readSoft(`/proc/${pid}/stat`)))), 'nothing runs');
  t.not((await pending.ended).status, 0);
  t.match(await scene.sandbox(['wait', live.name]), { status: 0 });
  t.equal(await stateOf(scene, live), 'exited');
  t.match(await live.exec([], ['true']), { status: 125, stderr: /does not run: it is exited/ });
  const refused = await scene.sandbox(['start', live.name]);
  t.match(refused, { status: 125, stderr: /daemon does not answer/ });
  const created = await scene.sandbox(['create', '--engine', 'docker', '-p', 'base-tools', '--name', `${live.name}-2`]);
  t.match(created, { status: 125, stdout: '', stderr: /daemon does not answer/ });
  t.match(await scene.sandbox(['rm', live.name]), { status: 0, stdout: `${live.name}\n` });
  t.ok(await until(() => scene.traces(live.run).length === 0), scene.traces(live.run).join());
});
