// Owns the text of docs/profile.md: every key of a profile and of the host configuration, from the schemas.
import { unenforced } from './enforced.ts';
import { hostConfigSchema } from './hostConfig.ts';
import { type JsonSchema, listKeys, type SchemaKey, toJsonSchema } from './jsonSchema.ts';
import { profileSchema } from './schema.ts';

const profileIntro = `# Profiles

A profile is a YAML file that says what a sandbox is. Every key has a default, so a profile names only what it changes:

\`\`\`yaml
# yaml-language-server: $schema=./profile.schema.json
extends: python-tools
description: Lints one package
limits:
  memory: 512m
  timeout: 1m
\`\`\`

- **Where it is looked for.** A name is searched in \`~/.config/cofferdam/profiles\`, \`/etc/cofferdam/profiles\` and the
  package's \`profiles\`; something with a \`/\` is a path. A name stands for one profile: found twice, it is refused.
- **Who may write it.** A profile of a user belongs to that user or to root, and nobody else may write to it.
- **Units.** Sizes are \`512k\`, \`64m\`, \`2g\` (powers of 1024) and at least 4k; durations are \`500ms\`, \`30s\`, \`5m\`,
  \`1h\`. Zero never means "no limit".
- **YAML.** One document of YAML 1.2, at most 1 MiB, without anchors, aliases and tags. An unknown key, a key that stands
  twice and a key without a value are errors with their line.
- **\`extends\` may only tighten.** Maps merge; lists and single values replace. Numbers, sizes and durations may become
  smaller; \`limits.idle\`, \`network.allow\` and a digest pin may be added, never taken away; lists of mounts, hosts, services, ports and
  artifact paths may lose entries; a mount may go from rw to ro; \`workspace.mode\` may go from rw towards ro, copy,
  scratch; \`isolation\` from process to gvisor; \`network.mode\` towards none. Image name, engine, user, workdir, env, labels
  and description are free.
- **The host's ceiling** stands above all of it, the command line included; see below.
- **Environment.** Names starting with \`SANDBOX_\` or \`TINI_\` are ours. What looks like a secret, by name or by value, is
  refused: a sandbox holds no long-lived secret.

`;

const hostIntro = `
## The host's ceiling: /etc/cofferdam/config.yaml

Only root may write to it and to its folder. Where there is no file, these defaults hold. A profile of a user, a flag or
an option that asks for more is refused; a default of ours that is more is lowered. It has the same YAML rules.

`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function bounds({ minimum, maximum }: JsonSchema): string {
  return minimum === undefined || maximum === undefined ? '' : ` ${minimum} to ${maximum}.`;
}

function defaultText({ default: value, properties }: JsonSchema, required: boolean): string {
  if (required) return 'required';
  if (value === undefined || properties !== undefined) return '';
  return value === '' ? '`""`' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function nameOf({ path }: SchemaKey): string {
  return path.join('.').replaceAll('.[].', '[].');
}

function enforcedText(key: SchemaKey): string {
  const notYet = unenforced.find(({ path }) => path.every((step, i) => step === key.path[i]));
  return notYet === undefined ? 'yes' : `not yet: ${notYet.what}`;
}

function row(key: SchemaKey, root: JsonSchema, enforced: string | undefined): string {
  const about = `${key.schema.description ?? ''}${bounds(key.schema)}`;
  const cells = [`\`${nameOf(key)}\``, key.type, defaultText(key.schema, isRequired(key, root)), about];
  return `| ${[...cells, ...(enforced === undefined ? [] : [enforced])].map(cell).join(' | ')} |`;
}

/** Whether the entry that holds the key can't do without it (`mounts[].source`). */
function isRequired({ path }: SchemaKey, root: JsonSchema): boolean {
  let holder: JsonSchema | undefined = root;
  for (const step of path.slice(0, -1)) {
    const map: JsonSchema | undefined = holder?.anyOf?.find((option) => option.properties !== undefined) ?? holder;
    holder = step === '[]' ? map?.items : map?.properties?.[step];
  }
  const map = holder?.anyOf?.find((option) => option.properties !== undefined) ?? holder;
  return map?.required?.includes(path.at(-1) ?? '') ?? false;
}

/** docs/profile.md, whole. Same schemas, same bytes. */
export function renderProfileDoc(): string {
  const profile = toJsonSchema(profileSchema);
  const host = toJsonSchema(hostConfigSchema);
  return [
    profileIntro,
    '## Keys of a profile\n\n| key | type | default | what it is | enforced |\n|---|---|---|---|---|\n',
    ...listKeys(profile).map((key) => `${row(key, profile, enforcedText(key))}\n`),
    hostIntro,
    '| key | type | default | what it is |\n|---|---|---|---|\n',
    ...listKeys(host).map((key) => `${row(key, host, undefined)}\n`),
  ].join('');
}
