// Owns the list of all checks, in the order in which they are shown.
import type { Check } from './check.ts';
import { deviceChecks } from './checks/devices.ts';
import { filesystemChecks } from './checks/filesystem.ts';
import { identityChecks } from './checks/identity.ts';
import { kernelFileChecks } from './checks/kernelFiles.ts';
import { leakChecks } from './checks/leaks.ts';
import { limitChecks } from './checks/limits.ts';
import { namespaceChecks } from './checks/namespaces.ts';
import { networkChecks } from './checks/network.ts';
import { placeChecks } from './checks/places.ts';
import { socketChecks } from './checks/sockets.ts';
import { syscallChecks } from './checks/syscalls.ts';

export const allChecks: readonly Check[] = [
  ...identityChecks,
  ...namespaceChecks,
  ...placeChecks,
  ...filesystemChecks,
  ...kernelFileChecks,
  ...syscallChecks,
  ...socketChecks,
  ...deviceChecks,
  ...networkChecks,
  ...limitChecks,
  ...leakChecks,
];
