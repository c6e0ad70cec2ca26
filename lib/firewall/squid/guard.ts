// Owns the second decision, after DNS: which addresses an allowed name may lead to, as lib/policy/address.ts says it.
import { metadataNetworks, specialNetworks } from '../../policy/address.ts';
import type { Policy } from '../../policy/policy.ts';
import { type Block, blockText, cutBlocks, holdsBlock, readBlock } from './blocks.ts';
import { renderNames } from './names.ts';
import type { PrincipalNumbers } from './numbers.ts';
import { scopeTerms } from './principals.ts';
import { portTerms, requestedHost } from './rules.ts';

export interface Guard {
  readonly acls: readonly string[];
  /** Terms of `http_access deny`, a line each: one answer that does not pass denies the name (a dst ACL looks at all of them). */
  readonly denials: readonly string[];
}

// Squid keeps IPv4 addresses as mapped ones: a block that holds these would stand for all of IPv4. A mapped answer is IPv4 to it.
const mapped = readBlock('::ffff:0:0/96');

const dst = (name: string, blocks: readonly Block[]) => blocks.map((block) => `acl ${name} dst ${blockText(block)}`);

/** Networks that exceptions name, each once. */
function exceptedBlocks({ exceptions }: Policy): Block[] {
  const texts = exceptions.flatMap(({ networks }) => networks.map(({ text }) => blockText(readBlock(text))));
  return [...new Set(texts)].map(readBlock).toSorted((a, b) => (blockText(a) < blockText(b) ? -1 : 1));
}

/**
 * An address of an excepted network passes when an exception for this principal, name and port names that network or one around it. The
 * part of a network that no smaller one takes has an ACL of its own, so that each address is judged once.
 */
export function renderGuard(policy: Policy, numbers: PrincipalNumbers): Guard {
  const excepted = exceptedBlocks(policy);
  const special = cutBlocks(specialNetworks.map(readBlock), [mapped, ...excepted]);
  const metadata = cutBlocks(metadataNetworks.map(readBlock), [mapped]);
  const names = policy.exceptions.map(({ pattern }, i) =>
    renderNames(`private_${i + 1}`, [pattern], requestedHost.type),
  );
  const parts = excepted.map((block, i) => {
    const smaller = excepted.filter((other) => other !== block && holdsBlock(block, other));
    const terms = policy.exceptions.flatMap(({ scope, pattern, networks }, at) =>
      networks.some(({ text }) => holdsBlock(readBlock(text), block))
        ? (names[at]?.alternatives ?? []).map((alternative) =>
            [...scopeTerms(scope, numbers), ...portTerms(pattern.port), ...alternative].join(' '),
          )
        : [],
    );
    const [network, passes] = [`network_${i + 1}`, `network_${i + 1}_passes`];
    const own = dst(network, cutBlocks([block], smaller));
    const acls = [...own, ...terms.map((term) => `acl ${passes} all-of ${term}`)];
    // All of a network that smaller ones take is judged by them.
    return { acls, denials: own.length === 0 ? [] : [`${network} !${passes}`] };
  });
  return {
    acls: [
      ...dst('metadata', metadata),
      ...dst('special', special),
      ...names.flatMap(({ lines }) => lines),
      ...parts.flatMap(({ acls }) => acls),
    ],
    denials: ['metadata', 'special', ...parts.flatMap(({ denials }) => denials)],
  };
}
