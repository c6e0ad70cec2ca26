// Owns who Squid runs as where root starts it: the account that set-up makes for it, else Debian's own for proxies. Never root.
import { readFileSync } from 'node:fs';
import { CofferdamError } from '../../base/errors.ts';
import { proxyUser } from '../../firewall/identities.ts';

/** In Debian's base system, and the user that its squid package would run as. */
const debianUser = 'proxy';

/** Uid and group of the first that the text of passwd(5) has; undefined for a caller who is not root. Throws PROXY_MISSING. */
export function squidIdentity(
  callerUid: number,
  passwd = readFileSync('/etc/passwd', 'utf8'),
): { readonly uid: number; readonly gid: number } | undefined {
  if (callerUid !== 0) return undefined;
  const accounts = passwd.split('\n').map((line) => line.split(':'));
  for (const name of [proxyUser, debianUser]) {
    const [, , uid, gid] = accounts.find(([found]) => found === name) ?? [];
    if (uid !== undefined && gid !== undefined && Number(uid) > 0 && Number(gid) > 0)
      return { uid: Number(uid), gid: Number(gid) };
  }
  throw new CofferdamError('PROXY_MISSING', `there is no account ${proxyUser} for the proxy`);
}
