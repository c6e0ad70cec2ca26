// Owns what becomes of an engine's sandboxes when somebody meddles with them: states tell the truth, and rm frees the rest.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../system/scene.ts';
import { readSoft } from '../system/traces.ts';
import { type LifeStage, makeOn, stateOf, supervisorOf, testOn } from './lifeStage.ts';

const gone = (pid: number) => /\) [ZX] |^$/.test(readSoft(`/proc/${pid}/stat`));

/** On every caller of the stage. */
export function proveMeddled(stage: LifeStage): void {
  testOn(stage, 'what enters has the filter, and a container removed behind our back has exited', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    t.equal((await live.exec([], ['true'])).status, 0, 'the control');
    // As crun has it that finds none.
    rmSync(join(live.runFolder, 'enter', live.run, 'seccomp.bpf'));
    rmSync(join(live.runFolder, 'entrance'));
    const refused = await live.exec([], ['true']);
    t.match(refused, { status: 125, stderr: /would lack its protections: Seccomp\n/ }, refused.stderr);
    t.strictSame([...live.entries(), ...live.groups()], []);
    const members = live.members();
    await stage.removeBehindOurBack(scene, live.run);
    t.ok(await until(() => members.every(gone)), 'nothing of it runs');
    t.match(await scene.sandbox(['wait', live.name]), { status: 0, stdout: '137\n' });
    t.equal(await stateOf(scene, live), 'exited');
    t.match(await live.exec([], ['true']), { status: 125, stderr: /does not run: it is exited/ });
    t.strictSame(await stage.listLeft(scene, live.run), []);
    t.match(await scene.sandbox(['start', live.name]), { status: 0, stderr: '' });
    t.match(await live.exec([], ['echo', 'again']), { status: 0, stdout: 'again\n' });
  });
  testOn(stage, 'its supervisor killed, it is lost, all of it is dead, and rm frees the rest', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    await live.exec([], ['sh', '-c', 'sleep 307 >/dev/null 2>&1 &']);
    const members = live.members();
    t.ok(members.length > 2, 'there was a guest');
    process.kill(supervisorOf(scene, live.run), 'SIGKILL');
    t.ok(await until(() => members.every(gone)), 'nothing of it runs');
    t.equal(await stateOf(scene, live), 'lost');
    t.match(await live.exec([], ['true']), { status: 125, stderr: /it is lost\n {2}free what it left: sandbox gc/ });
    t.match(await scene.sandbox(['rm', live.name]), { status: 0, stdout: `${live.name}\n` });
    t.strictSame(await stage.listLeft(scene, live.run), []);
  });
  testOn(stage, 'refuses what it cannot have, and leaves nothing of one that has no program', async (t, scene) => {
    const create = ['create', '-p', 'base-tools', '--engine', stage.engine, '--start'];
    const refused = await scene.sandbox([...create, '--memory', '900t']);
    t.match(refused, { stdout: '', stderr: /./ });
    t.not(refused.status, 0);
    const id = (await scene.sandbox([...create, '--', '/no/such'])).stdout.trim();
    t.match((await scene.sandbox(['wait', id])).stdout, '127\n', 'a program that is not there has ended by itself');
    t.equal((await scene.sandbox(['rm', id])).status, 0);
    t.strictSame(await stage.listLeft(scene, `${id}-1`), []);
  });
}
