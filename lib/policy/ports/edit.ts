// Owns edits of ports.yaml: assign, register, release. Text to text; what else stands in the file stays as it is.
import { CofferdamError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import { printable } from '../../base/printable.ts';
import { appendToList, removeFromList } from '../../base/yamlEdit.ts';
import type { Place } from './place.ts';
import type { Registration, Registry } from './registry.ts';

/** What a new ports.yaml begins with. The range is a person's to change: nothing of it holds where it does not stand. */
export const firstRegistry = `# Who may listen at which port of this host: docs/ports.md. \`sandbox ports list\` shows it.
ranges: # from these a port is assigned by itself, on 127.0.0.1
  - { first: 20000, last: 20999 }
`;

export interface Service extends Place {
  readonly name: string;
  readonly owner?: string | undefined;
}

function retell<T>(edit: () => T): T {
  try {
    return edit();
  } catch (cause) {
    if (!(cause instanceof CofferdamError) || cause.code !== 'POLICY_EDIT') throw cause;
    const remedy = 'edit the file by hand, then: sandbox ports check';
    throw new CofferdamError(cause.code, cause.message, { cause, remedy });
  }
}

/** `text` with a port that was assigned to `name`. Throws POLICY_EDIT, YAML_INVALID. */
export function addAssigned(text: string, file: string, name: string, port: number): string {
  return retell(() => appendToList({ text, file, path: ['assigned'] }, { name, port }));
}

/** `text` with a service; what is as by default is left out. Throws as addAssigned(). */
export function addService(text: string, file: string, { name, port, address, protocol, owner }: Service): string {
  const item = {
    name,
    port,
    ...(address === '127.0.0.1' ? {} : { address }),
    ...(protocol === 'tcp' ? {} : { protocol }),
    ...(owner === undefined ? {} : { owner }),
  };
  return retell(() => appendToList({ text, file, path: ['services'] }, item));
}

/** The registration called `name`. Throws PORT_UNREGISTERED with the nearest. */
export function findByName({ registrations, file }: Registry, name: string): Registration {
  const found = registrations.find((one) => one.name === name);
  if (found !== undefined) return found;
  const near = didYouMean(
    name,
    registrations.map((one) => one.name),
  );
  throw new CofferdamError('PORT_UNREGISTERED', `${printable(file)} has no port for "${printable(name, 80)}"${near}`);
}

/** `text` without a registration that was read from it. Throws as addAssigned(). */
export function removeRegistration(text: string, file: string, { path }: Registration): string {
  return retell(() => removeFromList({ text, file, path: path.slice(0, -1).map(String) }, Number(path.at(-1))));
}
