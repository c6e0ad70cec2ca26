import { test } from 'tap';
import { CofferdamError } from '../../../lib/base/errors.ts';
import { confineByDocker, extraTargets, lowerForDocker } from '../../../lib/engine/docker/lower.ts';
import { csvField } from '../../../lib/engine/flags/mounts.ts';
import { namedSeccomp } from '../../../lib/engine/flags/seccomp.ts';
import { renderWord } from '../../../lib/engine/words.ts';
import type { OciSpec } from '../../../lib/spec/types.ts';
import { sampleTemplate } from '../podman/sample.ts';

const cannot = (field: string, why: string) => new CofferdamError('ENGINE_CANNOT', `${field}: ${why}`);
const looks = { isFolder: (path: string) => path === '/sys/firmware', isFile: () => true };
const lower = (spec: OciSpec) => lowerForDocker(spec, cannot, looks);

function valuesOf(spec: OciSpec, name: string): string[] {
  const flags = lower(spec).flags.map(renderWord);
  return flags.flatMap((flag, i) => (flag === name ? [(flags[i + 1] ?? '').replaceAll("'", '')] : []));
}

test("every mount of the spec but the kernel's own has a flag, with its size, inodes, owner and flags", async (t) => {
  const spec = sampleTemplate();
  const tmpfs = valuesOf(spec, '--tmpfs');
  const mounts = valuesOf(spec, '--mount');
  const kernel = ['/proc', '/dev', '/dev/pts', '/sys'];
  for (const { destination, type } of spec.mounts.filter((mount) => !kernel.includes(mount.destination))) {
    const found =
      type === 'tmpfs'
        ? tmpfs.some((value) => value.startsWith(`${destination}:`))
        : mounts.join().includes(`dst=${destination},`);
    t.ok(found, destination);
  }
  t.match(
    tmpfs.find((value) => value.startsWith('/tmp:')),
    /^\/tmp:nosuid,nodev,noexec,size=\d+,nr_inodes=\d+,mode=0700,uid=65532,gid=65532$/,
  );
  // docker adds noexec to what does not say otherwise.
  t.match(
    tmpfs.find((value) => value.startsWith('/workspace:')),
    /,exec$/,
  );
});

test('what docker mounts beside the spec is hidden or replaced, and known to verify', async (t) => {
  const spec = sampleTemplate();
  const all = [...valuesOf(spec, '--tmpfs'), ...valuesOf(spec, '--mount')].join('\n');
  for (const target of extraTargets) t.match(all, target);
  t.match(all, '/sys/firmware:ro,');
  t.notMatch(all, '/proc/kcore');
});

test('a bound of processes by uid is left out, because containers share theirs', async (t) => {
  const spec = sampleTemplate();
  const rlimits = [...spec.process.rlimits, { type: 'RLIMIT_NPROC', soft: 9, hard: 9 }];
  const ulimits = valuesOf(confineByDocker({ ...spec, process: { ...spec.process, rlimits } }), '--ulimit');
  t.notMatch(ulimits.join(), 'nproc');
  t.ok(ulimits.includes('core=1:1'));
});

test('the program starts behind our init and the gate, with its arguments as they are', async (t) => {
  const { before } = lower(sampleTemplate());
  t.same(before.slice(0, 5), ['-p', 'SIGKILL', '-g', '--', '/bin/sh']);
  t.equal(before.at(-1), 'sh');
  t.match(before.at(-2), /exec "\$@"$/);
});

test('refuses an image without the files that docker would write, and a spec with a capability', async (t) => {
  const spec = sampleTemplate();
  t.throws(() => lowerForDocker(spec, cannot, { ...looks, isFile: () => false }), { message: /^\/etc\/hosts/ });
  const capabilities = { ...spec.process.capabilities, bounding: ['CAP_CHOWN'] };
  t.throws(() => lower({ ...spec, process: { ...spec.process, capabilities } }), { code: 'ENGINE_CANNOT' });
});

test('a path with commas or quotes is one field', async (t) => {
  t.equal(csvField('src=/srv/a'), 'src=/srv/a');
  t.equal(csvField('src=/srv/a,b "c"'), '"src=/srv/a,b ""c"""');
});

test('without a default errno every call that must look missing is named', async (t) => {
  const { defaultErrnoRet, syscalls } = namedSeccomp(sampleTemplate().linux.seccomp, 'x86_64');
  t.equal(defaultErrnoRet, 1);
  const missing = syscalls.filter(({ errnoRet }) => errnoRet === 38).flatMap(({ names }) => names);
  t.ok(missing.includes('clone3'));
  const elsewhere = new Set(syscalls.filter(({ errnoRet }) => errnoRet !== 38).flatMap(({ names }) => names));
  t.same(
    missing.filter((name) => elsewhere.has(name)),
    [],
  );
});
