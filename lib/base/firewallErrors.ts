// Owns the error codes of policy and firewall; catalogue.ts lists them with all others, and their form.
import type { CatalogueEntry } from './catalogue.ts';

export const firewallErrors = {
  POLICY_MISSING: {
    exit: 125,
    meaning: 'There is no firewall.yaml. Nothing may leave without one, and none is made up.',
    remedy: 'a person makes one by allowing a first host: firewall allow HOST',
  },
  PATTERN_INVALID: {
    exit: 2,
    meaning: 'A host pattern is not one: it is an address, a URL, stands for everybody’s names, or is no name at all.',
    remedy: 'write example.org, *.example.org (names below it) or .example.org (both), with :PORT if need be',
  },
  RULE_UNKNOWN: {
    exit: 2,
    meaning: 'No rule of the policy is the one that was named.',
    remedy: 'see: firewall list',
  },
  WIDENING_REFUSED: {
    exit: 2,
    meaning: 'Something would let more out, and it was not a person at a terminal who asked for it.',
    remedy: 'ask a person to type it at a terminal; for scripts of an administrator, as root: --yes',
  },
  POLICY_EDIT: {
    exit: 125,
    meaning: 'The policy is written in a form that we cannot edit without changing more than was asked for.',
    remedy: 'edit the file by hand, then: firewall list',
  },
  FIREWALL_INPUT: {
    exit: 125,
    meaning:
      'The host firewall cannot be made from what this host and its policy say: a uid, port or address is missing or wrong.',
    remedy: 'mend what is named, then: firewall plan',
  },
  FIREWALL_PENDING: {
    exit: 125,
    meaning: 'An apply of the host firewall waits for its confirmation, and undoes itself without one.',
    remedy: 'from a new connection: firewall confirm; or at once: firewall rollback',
  },
  FIREWALL_UNAPPLIED: {
    exit: 125,
    meaning: 'There is no apply of the host firewall that could be confirmed or undone.',
    remedy: 'firewall apply --confirm 60s',
  },
  FIREWALL_DRIFT: {
    exit: 125,
    meaning: 'Somebody changed the host firewall since it was applied.',
    remedy: 'see what differs: firewall status; then: firewall apply',
  },
  FIREWALL_NOT_HELD: {
    exit: 125,
    meaning: 'The kernel did not take the rules as they were loaded. What was before is in force again.',
    remedy: 'see whether another program changes them: firewall status',
  },
  PROXY_MISSING: {
    exit: 125,
    meaning: 'The proxy that `network: proxy` needs is not installed. Nothing leaves a sandbox in any other way.',
    remedy: 'as root: sandbox setup (Debian: apt-get install squid)',
  },
  PROXY_FAILED: {
    exit: 125,
    meaning: 'The proxy did not start, or did not take the configuration that was made from the policy.',
    remedy: 'see what it says above; then: sandbox doctor',
  },
  EGRESS_DOWN: {
    exit: 125,
    meaning:
      'The service that lets sandboxes out of this host does not run, or was not prepared for this user. No other is started.',
    remedy: 'as root: sandbox setup --egress --user NAME; then see: systemctl status cofferdam-egress',
  },
  FIREWALL_UNREADABLE: {
    exit: 125,
    meaning: 'What nft says about the host firewall cannot be understood, so nothing can be said about it.',
    remedy: 'see: nft -j list table inet cofferdam',
  },
  REQUEST_UNKNOWN: {
    exit: 2,
    meaning: 'No refused request that is still recorded has this id.',
    remedy: 'see: firewall denied',
  },
  APPROVAL_USELESS: {
    exit: 2,
    meaning:
      'An approval would not let the request through: a rule denies it, it is no host name, or it is allowed by now.',
    remedy: 'ask why: firewall explain HOST; a person may change the rule that is named',
  },
} as const satisfies Record<string, CatalogueEntry>;
