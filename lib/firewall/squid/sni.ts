// Owns `sni: strict`: a tunnel begins with TLS whose server name is allowed, or ends. Nothing is decrypted.
import type { SquidInput } from './render.ts';
import type { RuleAcls } from './rules.ts';

export interface SniParts {
  /** What is added to http_port. */
  readonly listener: string;
  readonly lines: readonly string[];
}

const serverName = { type: 'ssl::server_name --client-requested', suffix: '_sni' } as const;

/**
 * Squid reads the first message of a tunnel and passes it on, or ends the connection: what is no TLS has no name. Where the message
 * has none, the name is that of the tunnel.
 */
export function renderSni({ sni, certificate }: SquidInput, rules: RuleAcls): SniParts {
  if (sni === 'off') return { listener: '', lines: [] };
  return {
    listener: ` ssl-bump generate-host-certificates=off tls-cert=${certificate}`,
    lines: [
      ...rules.again(serverName),
      'acl before_hello at_step SslBump1',
      'acl hello at_step SslBump2',
      'ssl_bump peek before_hello',
      ...(rules.denies ? ['ssl_bump terminate denied_sni is_sni'] : []),
      ...(rules.allows ? ['ssl_bump splice hello allowed_sni'] : []),
      'ssl_bump terminate all is_sni',
      'on_unsupported_protocol respond all',
    ],
  };
}
