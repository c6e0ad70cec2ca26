// Tests what counts as a virtual machine.
import { test } from 'tap';
import { findHypervisor } from '../../lib/run/verify/machine.ts';

const nothing = { cpuinfo: undefined, dmi: undefined, hypervisor: undefined };

test('the processor, the kernel or the firmware may say that this is a virtual machine', async (t) => {
  t.match(
    findHypervisor({ ...nothing, cpuinfo: 'model name : x\nflags\t\t: fpu vme hypervisor lahf_lm\n' }),
    'processor',
  );
  t.match(findHypervisor({ ...nothing, hypervisor: 'xen\n' }), 'xen');
  t.match(findHypervisor({ ...nothing, dmi: 'QEMU\nStandard PC' }), 'QEMU');
});

test('a plain machine is none, nor one that says nothing', async (t) => {
  t.equal(findHypervisor(nothing), undefined);
  t.equal(findHypervisor({ cpuinfo: 'flags : fpu vme\n', dmi: 'LENOVO\n20XW', hypervisor: '\n' }), undefined);
  t.equal(
    findHypervisor({ ...nothing, cpuinfo: 'model name : hypervisor\nflags : fpu\n' }),
    undefined,
    'a name is no flag',
  );
});
