// Owns finding Squid: Debian's plain one, or the one built with OpenSSL that `sni: strict` needs, unpacked beside it by set-up.
import { accessSync, constants, statSync } from 'node:fs';
import { CofferdamError } from '../../base/errors.ts';
import { systemPath } from '../../base/exec.ts';
import { strictSquidFolder } from '../../firewall/squid/places.ts';

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Absolute path of the Squid that can do `sni`. Throws PROXY_MISSING. */
export function findSquid(sni: 'off' | 'strict', strict = strictSquidFolder): string {
  const places =
    sni === 'strict' ? [`${strict}/usr/sbin/squid`] : systemPath.split(':').map((folder) => `${folder}/squid`);
  const found = places.find(isProgram);
  if (found !== undefined) return found;
  if (sni === 'off') throw new CofferdamError('PROXY_MISSING', 'squid is not installed');
  throw new CofferdamError('PROXY_MISSING', `squid-openssl is not unpacked in ${strict}, and sni: strict needs it`, {
    remedy: 'as root: sandbox setup',
  });
}
