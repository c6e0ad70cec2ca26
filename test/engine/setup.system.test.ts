// Owns the proof that setup and doctor agree about a prepared host, for root and for the plain user it was prepared for.
import { test } from 'tap';
import { sceneOf, testAsBoth } from '../system/scene.ts';

interface Report {
  readonly runs: boolean;
  readonly engine: string;
  readonly findings: readonly { readonly id: string; readonly level: string; readonly seen: string }[];
}

testAsBoth('the doctor finds that both engines can run', async (t, scene) => {
  for (const engine of ['crun', 'podman']) {
    const { status, stdout } = await scene.sandbox(['doctor', '--json', '--engine', engine]);
    const report = JSON.parse(stdout) as Report;
    t.same(
      report.findings.filter(({ level }) => level === 'fail'),
      [],
    );
    t.match(report, { runs: true, engine });
    t.equal(status, 0);
  }
});

test('nothing is missing on a host that was prepared, and a second time changes nothing', async (t) => {
  const scene = sceneOf('root');
  const { status, stdout } = await scene.sandbox(['setup', '--check', '--json']);
  t.equal(status, 0, stdout);
  const { steps } = JSON.parse(stdout) as { steps: { id: string; state: string }[] };
  t.same([...new Set(steps.map(({ state }) => state))], ['already']);
  t.ok(steps.length >= 8);
});

test('refuses to prepare a host for who is not root, and says how', async (t) => {
  const { status, stderr } = await sceneOf('plain user').sandbox(['setup', '--user', 'mia']);
  t.equal(status, 125);
  t.match(stderr, 'sudo bin/sandbox setup --user mia');
});

test('refuses a user and an engine that do not exist', async (t) => {
  const scene = sceneOf('root');
  const setup = await scene.sandbox(['setup', '--check', '--user', 'nobody-of-this-name']);
  t.equal(setup.status, 125);
  t.match(setup.stderr, 'no user called "nobody-of-this-name"');
  const doctor = await scene.sandbox(['doctor', '--engine', 'podmann']);
  t.equal(doctor.status, 2);
  t.match(doctor.stderr, 'did you mean "podman"');
});
