// Owns seeing that the policy is another one: its file was changed, or one of its grants has ended.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { CofferdamError } from '../../base/errors.ts';
import { type Clock, readClock } from '../../policy/clock.ts';
import { followPolicyLink, type PolicySource, parsePolicy, readPolicyText } from '../../policy/load.ts';
import { type Enforced, liveGrants } from '../../policy/tightened.ts';

export interface Adopted extends Enforced {
  readonly text: string;
  /** `sha256:` and 64 hex digits over its text. */
  readonly digest: string;
}

function stampOf(file: string): string {
  const found = statSync(followPolicyLink(file), { bigint: true, throwIfNoEntry: false });
  return found === undefined ? 'none' : [found.mtimeNs, found.ctimeNs, found.ino, found.size].join(':');
}

export class PolicyWatch {
  private readonly source: () => PolicySource;
  private readonly clock: () => Clock;
  private stamp = '';
  private live = '';
  private digest = '';

  constructor(source: () => PolicySource, clock: () => Clock = readClock) {
    this.source = source;
    this.clock = clock;
  }

  /** Whether somebody has touched the file, or the clock an end, since the last read. Cheap: a stat, and one look at the grants. */
  hasNews(adopted: Adopted | undefined): boolean {
    const { file } = this.source();
    if (stampOf(file) !== this.stamp) return true;
    return adopted !== undefined && liveGrants({ ...adopted, clock: this.clock() }) !== this.live;
  }

  /**
   * The policy as it is now, and whether it is another one than at the last read. Throws POLICY_MISSING, CONFIG_UNREADABLE,
   * YAML_INVALID, CONFIG_INVALID: then nothing may leave.
   */
  read(): { readonly adopted: Adopted; readonly changed: boolean } {
    const source = this.source();
    // Before the text: what is written in between is news the next time.
    this.stamp = stampOf(source.file);
    const before = `${this.digest} ${this.live}`;
    this.digest = '';
    const text = readPolicyText(source);
    if (text === undefined) throw new CofferdamError('POLICY_MISSING', `there is no policy: ${source.file}`);
    const adopted = {
      text,
      policy: parsePolicy(text, source.file),
      clock: this.clock(),
      digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
    };
    this.digest = adopted.digest;
    this.live = liveGrants(adopted);
    return { adopted, changed: `${this.digest} ${this.live}` !== before };
  }
}
