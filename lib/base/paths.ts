// Owns where everything of ours lies: XDG folders for a user, /etc, /var/lib and /run for root. Nothing else builds these.
import { join } from 'node:path';
import { CofferdamError } from './errors.ts';

export interface Paths {
  /** Host ceiling, always system-wide: no user file raises it. */
  readonly hostConfig: string;
  /** Profiles of this user or host; shipped ones stand in `install`. */
  readonly config: string;
  /** Images and plans. */
  readonly data: string;
  /** Records, copies, audit: survives a reboot. */
  readonly state: string;
  /** Run directories, uid slots: gone after a reboot. */
  readonly run: string;
  /** Image stores in the order they are searched; the first is the one we write to. */
  readonly imageStores: readonly string[];
  /** The package: bin, dist, profiles, images. */
  readonly install: string;
}

export interface PathsInput {
  readonly uid: number;
  /** HOME and the XDG_* variables are read from here. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly install: string;
}

const systemStore = '/var/lib/cofferdam/images';

function absolute(value: string | undefined): string | undefined {
  // The XDG base directory specification tells to ignore relative values.
  return value?.startsWith('/') ? value : undefined;
}

/** All folders for this user. Root uses the system's; throws HOST_UNPREPARED for a user without HOME. */
export function resolvePaths({ uid, env, install }: PathsInput): Paths {
  const hostConfig = '/etc/cofferdam/config.yaml';
  if (uid === 0) {
    const data = '/var/lib/cofferdam';
    const config = '/etc/cofferdam';
    return {
      hostConfig,
      config,
      data,
      state: `${data}/state`,
      run: '/run/cofferdam',
      imageStores: [systemStore],
      install,
    };
  }
  const home = absolute(env['HOME']);
  if (home === undefined) {
    throw new CofferdamError('HOST_UNPREPARED', 'HOME is not set to an absolute path', { remedy: 'export HOME' });
  }
  const data = join(absolute(env['XDG_DATA_HOME']) ?? join(home, '.local/share'), 'cofferdam');
  const state = join(absolute(env['XDG_STATE_HOME']) ?? join(home, '.local/state'), 'cofferdam');
  const runtime = absolute(env['XDG_RUNTIME_DIR']);
  return {
    hostConfig,
    config: join(absolute(env['XDG_CONFIG_HOME']) ?? join(home, '.config'), 'cofferdam'),
    data,
    state,
    run: runtime === undefined ? join(state, 'run') : join(runtime, 'cofferdam'),
    imageStores: [join(data, 'images'), systemStore],
    install,
  };
}
