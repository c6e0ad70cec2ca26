// Owns docs/engines.md: the matrix as a document. Pure.
import { cellWord, lackingOf, type MatrixName, matrices, matrixRows } from '../matrix.ts';
import { fields } from './row.ts';

const names = Object.keys(matrices) as MatrixName[];

const head = `# Engines

The same profile means the same on each engine, or is refused by name before anything starts (\`ENGINE_CANNOT\`: the field, the
engine, why, and an engine that can). This table is what decides it; \`sandbox engines\` prints it, and says which of them this
host has. Which engine: \`--engine\`, else the profile's \`engine\`, else the host configuration's, else the first of these that
answers.

*yes*: enforced, by whom stands beside it. *part*: enforced, but for what is listed below. *refused*: not possible, and a profile
that asks for it is refused. *no*: not possible; every run with this engine lacks it, its plan and receipt say so, and
\`sandbox verify\` skips those checks with the sentence.
`;

function table(title: string, rows: ReturnType<typeof matrixRows>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    `## ${title}\n`,
    line(['', 'what', ...names]),
    line(['---', '---', ...names.map(() => '---')]),
    ...rows.map(({ name, means, cells }) =>
      line([
        name,
        means,
        ...names.map((engine) => {
          const { by } = cells[engine];
          return by === undefined ? cellWord(cells[engine]) : `${cellWord(cells[engine])}: ${by}`;
        }),
      ]),
    ),
    '',
  ].join('\n');
}

function refusals(engine: MatrixName): string[] {
  return matrixRows().flatMap(({ name, cells }) =>
    (cells[engine].refuses ?? []).map(({ what, why }) => `- refused: ${name} (${what}): ${why}`),
  );
}

function sections(): string[] {
  return names.flatMap((engine) => {
    const lines = [...refusals(engine), ...lackingOf(engine).map((why) => `- lacking: ${why}`)];
    return lines.length === 0 ? [] : [`## What differs with ${engine}\n`, ...lines, ''];
  });
}

const life = `## Sandboxes that live on

\`create\`, \`start\`, \`exec\`, \`ps\`, \`inspect\`, \`logs\`, \`cp\`, \`wait\`, \`stop\`, \`kill\`, \`pause\`, \`unpause\`, \`stats\`, \`rm\` and \`prune\` do on
podman, nerdctl and docker what they do on crun. What enters a sandbox does so by our own crun and filter, and asks neither engine nor
daemon ([0020](decisions/0020-one-way-in.md)). What differs:

| | crun | podman | nerdctl | docker |
| --- | --- | --- | --- | --- |
| callers | all | all | all, each with a containerd of their own | root |
| without control groups (best effort) | all verbs | no \`exec\`, \`cp\`, \`kill\`, \`pause\` | refused | refused |
| counted by \`stats\` | the sandbox | with podman's client and monitor, about 12 MB and 13 threads | the sandbox | the sandbox |
| its daemon is killed | - | - | its sandboxes end | its sandboxes end |
| removed by the engine's own command line | - | exited, 137 | exited, 125 or 137 | exited, 137 |
`;

const notes = `## nerdctl

nerdctl 2.x (in no Debian release) with containerd 1.6 or newer. A container is made as ever: nerdctl tells
containerd, which starts its shim, and the shim a runtime. That runtime is ours (\`--runtime\`, a file of the plan, nothing in containerd's
configuration): crun with the bundle that it gets without containerd, so what crun enforces is enforced. Containers are in
the namespace \`cofferdam\` (\`nerdctl --namespace cofferdam ps\`), by the folder of an image that is installed, never pulled.
\`engines.nerdctl\` of the host configuration says where client and socket are. \`sandbox exec\` and signals go to crun without
the daemon; \`nerdctl exec\` is refused.

A plain user's containerd is their own, in rootlesskit (\`containerd-rootless-setuptool.sh install\`), found by
\`/run/user/UID/containerd-rootless/child_pid\` (\`engines.nerdctl.rootlesskit\`). Folder, process and socket must be the caller's alone, the
map of ids the one of /etc/subuid, and \`--pidns\` and \`--cgroupns\` off; else the engine is refused
([0033](decisions/0033-rootless-nerdctl.md)). Limits stand in the control groups that \`sandbox setup --user\` made:
on v1, while v2 is refused.

## docker

The daemon must be one of its own for sandboxes, or shared knowingly: \`dockerd --userns-remap=cofferdam\` (Engine 20.10 or newer;
on cgroup v2 with either driver, on v1 with cgroupfs). Its socket is \`engines.docker.socket\` of the host configuration; \`DOCKER_HOST\` and the
client's own configuration are not read. An image goes in by its canonical tar, without any registry; the id of its layer is
our digest and is compared. The program waits until our gate has moved the container into the run's own control groups
and has read back from the kernel that user, maps, capabilities, filter, namespaces and root are as asked.

## runsc

\`isolation: gvisor\`, with the engine crun (*runsc*) or podman (*podman+runsc*). With crun a sandbox that lives on is created, executed into, copied from, paused and ended as on crun,
with \`--pids 512\` or more; \`exec\` gives no terminal. What is executed bears a supplementary group of its own, by which it is ended as
a whole. With podman it is one command: its monitor keeps what runsc runs, from our bundle, in our namespaces; \`create\` is refused
([0036](decisions/0036-gvisor-below-podman.md)).

Every cell that says *yes* or *part* is shown on the real engine by \`test/engine/matrix-cells.system.test.ts\`: by an act, or by checks of
\`sandbox verify\`.
`;

/** The document, without the line that says that it is generated. */
export function renderEnginesDoc(): string {
  const isField = (name: string) => name in fields;
  const rows = matrixRows();
  return [
    head,
    table(
      'What a profile may ask for',
      rows.filter(({ name }) => isField(name)),
    ),
    table(
      'What every sandbox has',
      rows.filter(({ name }) => !isField(name)),
    ),
    ...sections(),
    life,
    notes,
  ].join('\n');
}
