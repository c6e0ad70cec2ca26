// Owns the promise that each verb is found under its name, alone as well as among all.
import { test } from 'tap';
import { sandboxVerbs } from '../../lib/cli/commands.ts';
import type { CliContext } from '../../lib/cli/context.ts';
import { createFirewall, firewallVerbs } from '../../lib/cli/firewall-program.ts';
import { createProgram } from '../../lib/cli/program.ts';
import { quietContext } from './quietContext.ts';

const programs = [
  { name: 'sandbox', create: createProgram, verbs: (context: CliContext) => sandboxVerbs(context, createProgram) },
  { name: 'firewall', create: createFirewall, verbs: firewallVerbs },
];

for (const { name, create, verbs } of programs) {
  test(`every verb of ${name} is loaded by its own name, with those it stands with`, async (t) => {
    const context = quietContext();
    const groups = Object.keys(verbs(context)).map((names) => names.split(' '));
    const namesOf = async (verb?: string) => (await create(context, verb)).commands.map((command) => command.name());
    t.strictSame(await namesOf(), groups.flat());
    for (const group of groups) for (const verb of group) t.strictSame(await namesOf(verb), group, verb);
    for (const none of ['', '--help', 'no-verb', 'constructor']) t.strictSame(await namesOf(none), groups.flat(), none);
  });
}
