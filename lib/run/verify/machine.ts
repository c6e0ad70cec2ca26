// Owns the judgement whether this is a virtual machine: root's control runs are for those that can be thrown away. Pure.

export interface MachineTexts {
  /** /proc/cpuinfo. */
  readonly cpuinfo: string | undefined;
  /** /sys/class/dmi/id/sys_vendor and product_name, joined; not every virtual machine has them. */
  readonly dmi: string | undefined;
  /** /sys/hypervisor/type. */
  readonly hypervisor: string | undefined;
}

const virtualVendors =
  /\b(QEMU|KVM|Bochs|VMware|VirtualBox|innotek|Xen|Parallels|OpenStack|Firecracker|bhyve|Virtual Machine)\b/i;

/** What says that this is a virtual machine, or undefined. The processor's bit is set by hypervisors only (Intel SDM, CPUID.1:ECX.31). */
export function findHypervisor({ cpuinfo, dmi, hypervisor }: MachineTexts): string | undefined {
  if (/^flags\s*:.*\bhypervisor\b/m.test(cpuinfo ?? '')) return 'the processor says so (flag "hypervisor")';
  if (hypervisor !== undefined && hypervisor.trim() !== '') return `/sys/hypervisor/type is ${hypervisor.trim()}`;
  const vendor = virtualVendors.exec(dmi ?? '');
  return vendor === null ? undefined : `the firmware says ${vendor[0]}`;
}
