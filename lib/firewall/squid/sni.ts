// Owns `sni: strict`: a tunnel begins with TLS whose server name is allowed, or ends. Nothing is decrypted.
import type { SquidInput } from './render.ts';
import type { RuleAcls } from './rules.ts';

export interface SniParts {
  /** What is added to http_port. */
  readonly listener: string;
  readonly lines: readonly string[];
}

export function renderSni({ sni, certificate }: SquidInput, _rules: RuleAcls): SniParts {
  if (sni === 'off') return { listener: '', lines: [] };
  return {
    listener: ` ssl-bump generate-host-certificates=off tls-cert=${certificate}`,
    lines: ['acl hello at_step SslBump1', 'ssl_bump peek hello', 'ssl_bump terminate all'],
  };
}
