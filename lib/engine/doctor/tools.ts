// Owns what the doctor says about programs: those we start, Node, and our own supervisor.
import { accessSync, constants } from 'node:fs';
import { hostPackages } from '../setup/packages.ts';
import { findTool } from '../tools.ts';
import { type Check, type DoctorInput, type Finding, fail, ok, setupCommandFor, warn } from './check.ts';

interface Wanted {
  readonly name: string;
  /** What cannot be done without it. */
  readonly for: string;
  /** fail: no sandbox runs without it. */
  readonly level: 'fail' | 'warn' | 'later';
}

const wanted: readonly Wanted[] = [
  { name: 'awk', for: 'arguments', level: 'fail' },
  { name: 'mount', for: 'artifacts', level: 'fail' },
  { name: 'setpriv', for: 'the podman engine', level: 'warn' },
  { name: 'tini-static', for: 'the first process of every sandbox', level: 'fail' },
  { name: 'unshare', for: 'artifacts, and the podman engine', level: 'fail' },
  { name: 'flock', for: 'image stores', level: 'warn' },
  { name: 'git', for: 'sandbox diff', level: 'warn' },
  { name: 'gpgv', for: 'building images', level: 'warn' },
  { name: 'mmdebstrap', for: 'building images', level: 'warn' },
  { name: 'nft', for: 'the firewall', level: 'later' },
  { name: 'squid', for: 'network mode proxy', level: 'warn' },
];

function checkTool({ name, for: purpose, level }: Wanted, input: DoctorInput): Finding {
  const id = `tools.${name}`;
  const path = findTool(name);
  if (path !== undefined) return ok(id, path);
  if (level === 'later') return ok(id, `not installed; ${purpose} will need it, this version does not`);
  return (level === 'fail' ? fail : warn)(id, `not installed: needed for ${purpose}`, setupCommandFor(input));
}

/** Maintained LTS lines that start fast. */
export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) return ok('tools.node', `Node.js ${version}`);
  return fail('tools.node', `Node.js ${version}; 22.12 or newer is needed`, 'bin/setup');
}

function checkSupervisor(file: string): Finding {
  try {
    accessSync(file, constants.X_OK);
    return ok('tools.supervise', file);
  } catch {
    return fail('tools.supervise', `${file} is not built`, 'bin/setup (or: make -C lib/run/native)');
  }
}

function checkKeyring(input: DoctorInput): Finding {
  const file = '/usr/share/keyrings/debian-archive-keyring.gpg';
  try {
    accessSync(file, constants.R_OK);
    return ok('tools.keyring', file);
  } catch {
    const found = hostPackages.find(({ name }) => name === 'debian-archive-keyring');
    return warn('tools.keyring', `${file} is missing: ${found?.for ?? ''}`, setupCommandFor(input));
  }
}

export const checkTools: Check = async (input) => [
  judgeNode(input.node),
  checkSupervisor(input.supervise),
  ...wanted.map((tool) => checkTool(tool, input)),
  checkKeyring(input),
];
