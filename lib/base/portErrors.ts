// Owns the error codes of ports on the host; catalogue.ts lists them with all others, and their form.
import type { CatalogueEntry } from './catalogue.ts';

export const portErrors = {
  PORTS_MISSING: {
    exit: 125,
    meaning: 'There is no ports.yaml. No port of the host is given to a sandbox without one, and none is made up.',
    remedy: 'a person makes one: sandbox ports allocate NAME',
  },
  PORT_UNREGISTERED: {
    exit: 125,
    meaning: 'No registration in ports.yaml is the one that is meant, so nobody may listen there.',
    remedy: 'see: sandbox ports list; docs/ports.md says who registers one',
  },
  PORT_TAKEN: {
    exit: 125,
    meaning: 'The port of the host is registered for another name or owner.',
    remedy: 'choose another port or name; see: sandbox ports list',
  },
  PORT_IN_USE: {
    exit: 125,
    meaning: 'Something listens at the port of the host already.',
    remedy: 'see: sandbox doctor ports',
  },
  PORT_REFUSED: {
    exit: 125,
    meaning: 'The host does not let us listen at the port: it is below 1024, or the address is none of its own.',
    remedy: 'register another one: sandbox ports allocate --help',
  },
  PORTS_FULL: {
    exit: 125,
    meaning: 'No port of the ranges in ports.yaml is left, or there is no range.',
    remedy: 'release what is not used any more: sandbox ports list, sandbox ports release NAME',
  },
} as const satisfies Record<string, CatalogueEntry>;
