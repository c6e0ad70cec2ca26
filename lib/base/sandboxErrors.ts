// Owns the error codes of sandboxes that live on; catalogue.ts has all others, and their form.
import type { CatalogueEntry } from './catalogue.ts';

export const sandboxErrors = {
  SANDBOX_UNKNOWN: {
    exit: 125,
    meaning: 'No sandbox has this name or id, or the beginning of an id that is given is that of several.',
    remedy: 'see: sandbox ps -a',
  },
  SANDBOX_NAME: {
    exit: 125,
    meaning: 'The name of a sandbox is taken, or is not 1 to 63 characters of a-z 0-9 _ . -.',
    remedy: 'choose another name, or remove the sandbox that has it: sandbox rm NAME',
  },
  SANDBOX_STATE: {
    exit: 125,
    meaning: 'The sandbox is not in a state in which this can be done: it runs already, does not run, or is paused.',
    remedy: 'see: sandbox ps -a',
  },
  SANDBOX_CHANGED: {
    exit: 125,
    meaning:
      'The profile or image of a sandbox is another than when it was created, so that a start would make another one.',
    remedy: 'make it anew: sandbox rm NAME, sandbox create',
  },
  SANDBOX_NEWER: {
    exit: 125,
    meaning: 'A sandbox is kept in a form that only a newer version of Cofferdam knows. This one leaves it as it is.',
    remedy: 'use the version that made it; meanwhile the other sandboxes can be used',
  },
  LOGS_DAMAGED: {
    exit: 125,
    meaning: 'The log of a sandbox is not one that its supervisor wrote.',
    remedy: 'read what follows it: sandbox logs --offset N, with N the name of a later file in the folder',
  },
  CP_REFUSED: {
    exit: 125,
    meaning:
      'What was to be copied is no regular file or folder, is larger than the bounds, has a name that cannot be kept, or the place it goes to does not take it.',
    remedy: 'pack it into an archive inside the sandbox and copy that',
  },
} as const satisfies Record<string, CatalogueEntry>;
