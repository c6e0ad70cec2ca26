import { test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { lowerSpec } from '../../../lib/engine/podman/lower.ts';
import { renderWord } from '../../../lib/engine/words.ts';
import type { OciSpec } from '../../../lib/spec/types.ts';
import { sampleTemplate } from './sample.ts';

const options = { cannot: (field: string, why: string) => new CofferdamError('ENGINE_CANNOT', `${field}: ${why}`) };

function flagsOf(spec: OciSpec): string[] {
  return lowerSpec(spec, options).flags.map(renderWord);
}

function valuesOf(flags: readonly string[], name: string): string[] {
  return flags.flatMap((flag, i) => (flag === name ? [flags[i + 1] ?? ''] : []));
}

test("every mount of the spec but the kernel's own is prepared and bound to its place", async (t) => {
  const spec = sampleTemplate();
  const { prepared, targets } = lowerSpec(spec, options);
  const kernel = ['/proc', '/dev', '/dev/pts', '/sys'];
  const wanted = spec.mounts.map(({ destination }) => destination).filter((path) => !kernel.includes(path));
  t.same(
    targets.map((target) => /^dst=([^,]+)/.exec(target)?.[1]),
    wanted,
  );
  t.equal(prepared.length, wanted.length);
});

test('a tmpfs keeps its size, its inodes and its owner, in ids of the host', async (t) => {
  const spec = sampleTemplate();
  const at = lowerSpec(spec, options).targets.findIndex((target) => target.startsWith('dst=/tmp,'));
  const options_ = renderWord(lowerSpec(spec, options).prepared[at]?.options ?? '');
  t.match(
    options_,
    /^nosuid,nodev,noexec,size=[0-9]+,nr_inodes=[0-9]+,mode=0700,uid="\$program_uid",gid="\$program_gid"$/,
  );
});

test('a writable host folder is bound with its flags, and guarded places read-only above it', async (t) => {
  const { prepared, targets } = lowerSpec(sampleTemplate('rw'), options);
  const find = (path: string) => prepared[targets.findIndex((target) => target.startsWith(`dst=${path},`))];
  t.same(find('/workspace'), { type: 'bind', source: [{ variable: 'workspace' }], options: 'nosuid,nodev,rw' });
  t.equal(renderWord(find('/workspace/.git/hooks')?.source ?? ''), '"$workspace"/.git/hooks');
  t.match(find('/workspace/.git/hooks')?.options, /,ro$/);
});

test("masked and read-only paths are at least the spec's, and what podman adds is masked too", async (t) => {
  const spec = sampleTemplate();
  const masks =
    valuesOf(flagsOf(spec), '--security-opt')
      .find((value) => value.startsWith('mask='))
      ?.slice(5)
      .split(':') ?? [];
  for (const path of spec.linux.maskedPaths) t.ok(masks.includes(path), path);
  const readonly = ['/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
  for (const path of spec.linux.readonlyPaths) t.ok(masks.includes(path) || readonly.includes(path), path);
  for (const path of ['/dev/mqueue', '/sys/fs/cgroup']) t.ok(masks.includes(path), path);
});

test('limits, ids, environment and the filter are passed', async (t) => {
  const spec = sampleTemplate();
  const flags = flagsOf(spec);
  t.same(valuesOf(flags, '--uidmap'), ['0:"$root_uid":1', '65532:"$program_uid":1']);
  t.same(valuesOf(flags, '--gidmap'), ['0:"$root_gid":1', '65532:"$program_gid":1']);
  t.equal(valuesOf(flags, '--env').length, spec.process.env.length);
  t.equal(valuesOf(flags, '--ulimit').length, spec.process.rlimits.length);
  t.ok(valuesOf(flags, '--ulimit').includes('core=1:1'));
  t.match(valuesOf(flags, '--annotation'), [/^run\.oci\.seccomp_bpf_data=/]);
  t.same(valuesOf(flags, '--network'), ['none']);
  t.same(valuesOf(flags, '--cap-drop'), ['all']);
});

test('without a bound of processes in the spec, podman is still told one', async (t) => {
  const spec = sampleTemplate();
  const others = spec.process.rlimits.filter(({ type }) => type !== 'RLIMIT_NPROC');
  const bound = { type: 'RLIMIT_NPROC', soft: 9, hard: 9 };
  const lower = (rlimits: typeof others) => lowerSpec({ ...spec, process: { ...spec.process, rlimits } }, options);
  t.equal(lower(others).boundsProcesses, false);
  t.equal(lower([...others, bound]).boundsProcesses, true);
  t.ok(valuesOf(lower([...others, bound]).flags.map(renderWord), '--ulimit').includes('nproc=9:9'));
});

test('refuses a spec that says what no flag can say', async (t) => {
  const spec = sampleTemplate();
  const bad: Record<string, OciSpec> = {
    'process.capabilities': {
      ...spec,
      process: { ...spec.process, capabilities: { ...spec.process.capabilities, bounding: ['CAP_CHOWN'] } },
    },
    'process.args': { ...spec, process: { ...spec.process, args: ['/bin/sh', '@@ARGV@@'] } },
    'linux.namespaces': { ...spec, linux: { ...spec.linux, namespaces: [{ type: 'pid' }] } },
    'linux.uidMappings': {
      ...spec,
      linux: { ...spec.linux, uidMappings: [{ containerID: 0, hostID: 0, size: 4_294_967_295 }] },
    },
    'root.path': { ...spec, root: { ...spec.root, path: '/srv/a:b' } },
  };
  for (const [field, changed] of Object.entries(bad)) {
    t.throws(() => lowerSpec(changed, options), { code: 'ENGINE_CANNOT', message: new RegExp(`^${field}`) });
  }
});
