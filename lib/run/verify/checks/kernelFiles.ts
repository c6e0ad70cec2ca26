// Owns the checks of /proc and /sys: what is hidden, what is read-only, what cannot be had of PID 1.
import { maskedPaths, readonlyPaths } from '../../../spec/build.ts';
import {
  type Check,
  harmless,
  harmlessIf,
  noControl,
  nothingOf,
  outside,
  refusedAnyway,
  refuses,
  verdict,
} from '../check.ts';
import { mountAt } from '../procfs.ts';

const needsPath = (path: string) => harmlessIf((host) => (host.hostHas(path) ? undefined : `this host has no ${path}`));
// A user's keyrings go some time after his last process.
const needsContent = (path: string) =>
  harmlessIf((host) => (host.hostFills(path) ? undefined : `there is nothing for us in ${path} outside either`));
const rootOnly = noControl('outside only root can read it');

function gives(id: string, path: string, control: Check['control']): Check {
  return {
    id,
    says: `${path} gives nothing away`,
    control,
    inside: true,
    judge: ({ attempts }) => {
      const { name, detail } = attempts.get(id);
      const nothing = name === 'ok' ? detail === '0' || detail === '' : ['ENOENT', 'EACCES', 'EPERM'].includes(name);
      return verdict(nothing, name === 'ok' ? (detail === '' ? 'empty' : detail) : name);
    },
  };
}

const reads: Check[] = [
  gives('proc.read-kallsyms', '/proc/kallsyms', needsPath('/proc/kallsyms')),
  gives('proc.read-cmdline', '/proc/cmdline', harmless),
  gives('proc.read-interrupts', '/proc/interrupts', harmless),
  gives('proc.read-modules', '/proc/modules', needsPath('/proc/modules')),
  gives('proc.read-keys', '/proc/keys', needsContent('/proc/keys')),
  gives('proc.read-key-users', '/proc/key-users', needsPath('/proc/key-users')),
  gives('proc.read-kcore', '/proc/kcore', rootOnly),
  gives('proc.read-kmsg', '/proc/kmsg', rootOnly),
  gives('proc.read-timers', '/proc/timer_list', rootOnly),
  gives('proc.read-slabs', '/proc/slabinfo', rootOnly),
  gives('proc.list-bus', '/proc/bus', needsPath('/proc/bus')),
  gives('proc.list-firmware', '/sys/firmware', needsPath('/sys/firmware')),
  gives('proc.list-dmi', '/sys/class/dmi/id', needsPath('/sys/class/dmi/id')),
  gives('proc.list-acpi', '/proc/acpi', needsContent('/proc/acpi')),
  gives('proc.list-bpf', '/sys/fs/bpf', needsContent('/sys/fs/bpf')),
  gives('proc.list-debug', '/sys/kernel/debug', needsContent('/sys/kernel/debug')),
  gives('proc.list-security', '/sys/kernel/security', needsContent('/sys/kernel/security')),
  gives('proc.list-tracing', '/sys/kernel/tracing', needsContent('/sys/kernel/tracing')),
];

const isKernels = (type: string) => ['proc', 'sysfs'].includes(type);

const mounts: Check[] = [
  outside(
    'proc.masked',
    'every path on the list that this kernel has is hidden by an empty mount',
    harmless,
    ({ program }) => {
      const here = maskedPaths.filter((path) => program.hostHas(path));
      const sys = mountAt(program, '/sys');
      // A folder of ours holds none of them; what it does hold is seen by fs.no-other-mounts.
      const isOurs = sys !== undefined && !isKernels(sys.type) && /\/sys-[0-9a-f]{8}$/.test(sys.root);
      const bare = here.filter((path) => {
        if (isOurs && path.startsWith('/sys/')) return false;
        const mount = mountAt(program, path);
        if (mount === undefined) return true;
        // What the folder of ours holds is seen from inside: proc.list-…
        const isEmpty = mount.type === 'tmpfs' || (!isKernels(mount.type) && mount.root.endsWith('/empty'));
        return !(isEmpty ? mount.options.includes('ro') : mount.root.endsWith('/null'));
      });
      return nothingOf(bare, `${here.length} hidden`);
    },
  ),
  outside(
    'proc.read-only',
    'every path on the list that this kernel has is mounted read-only',
    harmless,
    ({ program }) => {
      const here = readonlyPaths.filter((path) => program.hostHas(path));
      return nothingOf(
        here.filter((path) => mountAt(program, path)?.options.includes('ro') !== true),
        here.join(' '),
      );
    },
  ),
  outside('proc.sys-read-only', '/sys is mounted read-only', harmless, ({ program }) => {
    const options = mountAt(program, '/sys')?.options ?? [];
    return verdict(options.includes('ro'), options.join(','));
  }),
  outside(
    'proc.flags',
    '/proc and /sys: nosuid, nodev, noexec',
    noControl('most hosts mount them so, too'),
    ({ program }) => {
      const missing = ['/proc', '/sys'].flatMap((target) => {
        const options = mountAt(program, target)?.options ?? [];
        return ['nosuid', 'nodev', 'noexec']
          .filter((option) => !options.includes(option))
          .map((option) => `${target} lacks ${option}`);
      });
      return nothingOf(missing, 'all set');
    },
  ),
];

const initHidden = ['EACCES', 'EPERM'];
const acts: Check[] = [
  refuses('proc.write-sysctl', 'no kernel setting can be written', ['EACCES', 'EROFS'], refusedAnyway),
  refuses('proc.write-sysrq', 'no system request can be made', ['EACCES', 'EROFS', 'ENOENT'], refusedAnyway),
  refuses('proc.write-uevent', 'no helper for device events can be set', ['EACCES', 'EROFS', 'ENOENT'], refusedAnyway),
  refuses('proc.init-memory', 'the memory of PID 1 cannot be opened', initHidden, refusedAnyway),
  refuses('proc.init-environment', 'the environment of PID 1 cannot be opened', initHidden, refusedAnyway),
  refuses('proc.init-root', 'the root of PID 1 cannot be entered', initHidden, refusedAnyway),
  refuses('proc.init-descriptors', 'the descriptors of PID 1 cannot be listed', initHidden, refusedAnyway),
  refuses('proc.init-namespace', 'a namespace of PID 1 cannot be opened', initHidden, refusedAnyway),
];

export const kernelFileChecks: readonly Check[] = [...reads, ...mounts, ...acts];
