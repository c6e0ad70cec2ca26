// Owns the list of all error codes: exit status, what happened, what to do next. docs/errors.md is generated from it.
import { firewallErrors } from './firewallErrors.ts';
import { portErrors } from './portErrors.ts';
import { sandboxErrors } from './sandboxErrors.ts';

export interface CatalogueEntry {
  /** Process exit status: 2 bad usage, 125 our failure, 126 cannot invoke, 127 not found (as `env`, `podman run`). */
  readonly exit: 2 | 125 | 126 | 127;
  readonly meaning: string;
  readonly remedy: string;
}

const entries = {
  USAGE: {
    exit: 2,
    meaning: 'The command line is not one we understand.',
    remedy: 'see: sandbox --help',
  },
  ID_INVALID: {
    exit: 2,
    meaning: 'A run, task or job id is not 1 to 64 characters of A-Z a-z 0-9 _ -.',
    remedy: 'use letters, digits, "_" and "-", at most 64 of them',
  },
  ID_IN_USE: {
    exit: 125,
    meaning: 'Another run with this id exists on this host.',
    remedy: 'leave the id out (one is made for you) or choose another',
  },
  ARGUMENT_INVALID: {
    exit: 2,
    meaning: 'An argument for the program cannot be passed on unchanged: it is not valid UTF-8, or too long.',
    remedy: 'write the bytes to a file in the workspace and pass its name',
  },
  VALUE_INVALID: {
    exit: 2,
    meaning: 'A size, duration or number has a unit or form we do not know.',
    remedy: 'sizes: 512k, 64m, 2g (powers of 1024); durations: 500ms, 30s, 5m, 1h',
  },
  ENV_SECRET: {
    exit: 2,
    meaning: 'An environment value looks like a secret. Sandboxes hold no long-lived secret.',
    remedy: 'use a service, which keeps the key on the host: docs/profile.md, "services"',
  },
  ENV_INVALID: {
    exit: 2,
    meaning: 'An environment variable has a bad name, or is one of those that we set ourselves.',
    remedy: 'choose another name; SANDBOX_* names are ours',
  },
  YAML_INVALID: {
    exit: 2,
    meaning: 'A file is not well-formed YAML.',
    remedy: 'mend the line that is named',
  },
  CONFIG_INVALID: {
    exit: 2,
    meaning: 'A profile, image or host configuration file has a key or value that its schema does not know.',
    remedy: 'mend the key that is named; `sandbox profile schema` prints the schema',
  },
  CONFIG_UNREADABLE: {
    exit: 125,
    meaning:
      'A configuration file exists but cannot be read, or others may write to it. It is never replaced by defaults.',
    remedy: 'check its owner and mode, and that it is a plain UTF-8 file of at most 1 MiB',
  },
  PROFILE_UNKNOWN: {
    exit: 2,
    meaning: 'No profile has this name.',
    remedy: 'see: sandbox profile ls',
  },
  PROFILE_AMBIGUOUS: {
    exit: 2,
    meaning: 'Two files claim one profile name. A name stands for one profile, so that none can pose as another.',
    remedy: 'rename or remove one of the files',
  },
  PROFILE_LOOSENS: {
    exit: 2,
    meaning: 'A profile that extends another would loosen it. `extends` may only tighten.',
    remedy: 'take the key out, or extend another profile',
  },
  PROFILE_CYCLE: {
    exit: 2,
    meaning: 'Profiles extend each other in a circle.',
    remedy: 'break the circle',
  },
  HOST_FORBIDS: {
    exit: 2,
    meaning: 'The host configuration does not permit what the profile or the command line asks for.',
    remedy: 'ask the administrator of this host; the ceiling is /etc/cofferdam/config.yaml',
  },
  NOT_YET_ENFORCED: {
    exit: 2,
    meaning: 'The profile asks for something this version cannot enforce. It is refused, never ignored.',
    remedy: 'take the key out of the profile, or use a version that enforces it',
  },
  ENGINE_UNKNOWN: {
    exit: 2,
    meaning: 'No engine has this name.',
    remedy: 'use one of: crun, podman, nerdctl, docker',
  },
  ENGINE_MISSING: {
    exit: 125,
    meaning: 'The engine is not installed, or does not answer.',
    remedy: 'see: sandbox doctor',
  },
  ENGINE_CANNOT: {
    exit: 125,
    meaning: 'The engine cannot enforce what the profile asks for.',
    remedy: 'use --engine crun',
  },
  HOST_UNPREPARED: {
    exit: 125,
    meaning: 'This host lacks something that a protection needs.',
    remedy: 'as root: sandbox setup --user "$USER"; then: sandbox doctor',
  },
  LIMIT_UNENFORCEABLE: {
    exit: 125,
    meaning: 'A limit could not be applied, or did not read back as it was written. The program was not started.',
    remedy: 'as root: sandbox setup --user "$USER"; then: sandbox doctor',
  },
  IMAGE_UNKNOWN: {
    exit: 2,
    meaning: 'No image definition or registry entry has this name.',
    remedy: 'see: sandbox image ls',
  },
  IMAGE_NOT_BUILT: {
    exit: 125,
    meaning: 'The image of the profile is not in the store.',
    remedy: 'build it: sandbox image build NAME',
  },
  IMAGE_DIGEST: {
    exit: 125,
    meaning: 'The image has another digest than the profile or the registry pins.',
    remedy: 'see: sandbox image inspect NAME; then build it again or change the pin',
  },
  IMAGE_NOT_ALLOWED: {
    exit: 125,
    meaning: 'The registry says that this image must not be used on this host.',
    remedy: 'see `allowed` in the registry: sandbox image ls',
  },
  IMAGE_UNSAFE: {
    exit: 125,
    meaning:
      'A root filesystem is not one a runtime may be given: /dev, /proc or /sys is a link, or a path leaves the tree.',
    remedy: 'build the image again: sandbox image build NAME',
  },
  IMAGE_BUILD: {
    exit: 125,
    meaning: 'Building the image failed. Nothing of it was kept.',
    remedy: 'read the last lines of the build above',
  },
  IMAGE_IN_USE: {
    exit: 125,
    meaning: 'A sandbox still runs on this image.',
    remedy: 'end it first; or: sandbox image rm --force NAME',
  },
  IMAGE_CONTRACT: {
    exit: 125,
    meaning: 'The image does not hold what its contract promises.',
    remedy: 'add the package to image.yaml and build it again',
  },
  WORKSPACE_INVALID: {
    exit: 2,
    meaning: 'The folder cannot be a workspace.',
    remedy: 'name a plain folder of your own; --workspace DIR:copy leaves the original alone',
  },
  WORKSPACE_IN_USE: {
    exit: 125,
    meaning:
      'Another sandbox may write to this folder, or to one around or below it, and could swap what we are about to mount.',
    remedy: 'wait until it has ended, or name a folder of its own for each',
  },
  ARTIFACTS_INVALID: {
    exit: 2,
    meaning: 'The artifacts cannot be copied to this folder.',
    remedy: 'name an empty or new folder of your own',
  },
  RUN_UNKNOWN: {
    exit: 2,
    meaning: 'No run with this id is recorded.',
    remedy: 'the id stands in the result of the run',
  },
  ...sandboxErrors,
  KEY_INVALID: {
    exit: 125,
    meaning:
      'The key that signs receipts is missing, damaged, of another kind, or not yours alone. It is never replaced silently.',
    remedy: 'bring it back from a backup; or make another, which the audit log records: sandbox key new',
  },
  AUDIT_DAMAGED: {
    exit: 125,
    meaning: 'The end of the audit log is not one that can be continued.',
    remedy: 'look at it: sandbox audit verify; then move the file away and keep it',
  },
  COPY_CONFLICT: {
    exit: 125,
    meaning: 'The folder has changed since the copy was made, or the change is one that is never applied.',
    remedy: 'review it: sandbox diff RUN',
  },
  DISK_FULL: {
    exit: 125,
    meaning: 'The host has less free disk space than its floor, or ran out of it.',
    remedy: 'free some space, or see limits.hostFreeDisk in the host configuration',
  },
  SPEC_INVALID: {
    exit: 125,
    meaning: 'The OCI spec that we built does not pass the official schema. This is a fault of ours.',
    remedy: 'report it with the profile',
  },
  LAUNCH_FAILED: {
    exit: 125,
    meaning: 'The sandbox could not be started.',
    remedy: 'see: sandbox doctor',
  },
  CANCELLED: {
    exit: 125,
    meaning:
      'It was cancelled (Ctrl-C, TERM) before it had an end of its own. The command line then ends with 128 and the number of the signal.',
    remedy: 'start it again',
  },
  RUN_LOST: {
    exit: 125,
    meaning: 'The supervisor of a run was killed. The program is dead; what it did before is not recorded.',
    remedy: 'run it again; what it left is freed: sandbox gc',
  },
  TOOL_FAILED: {
    exit: 125,
    meaning: 'A program of the host that we need is missing or failed.',
    remedy: 'see: sandbox doctor',
  },
  ...firewallErrors,
  ...portErrors,
  INTERNAL: {
    exit: 125,
    meaning: 'Something happened that we did not foresee.',
    remedy: 'run it again with COFFERDAM_DEBUG=1 and report what it prints',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof entries;
export const catalogue: Readonly<Record<ErrorCode, CatalogueEntry>> = entries;
