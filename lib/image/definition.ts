// Owns finding and reading the image definitions that are shipped: images/<name>/image.yaml.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { parseStrict } from '../base/strict.ts';
import { parseYaml } from '../base/yaml.ts';
import { type ImageDefinition, imageNamePattern, imageSchema } from './schema.ts';

/** A definition with the folder it stands in (lock.json and extra files lie beside it). */
export interface LoadedDefinition {
  readonly folder: string;
  readonly image: ImageDefinition;
}

/** Names of the images defined under `install`/images, sorted. */
export function definedImages(install: string): string[] {
  try {
    const root = join(install, 'images');
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && imageNamePattern.test(entry.name))
      .map((entry) => entry.name)
      .filter((name) => existsSync(join(root, name, 'image.yaml')))
      .sort();
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}

/** Reads one definition. Throws IMAGE_UNKNOWN with near names, YAML_INVALID, CONFIG_INVALID. */
export function loadDefinition(install: string, name: string): LoadedDefinition {
  const folder = join(install, 'images', name);
  const text = imageNamePattern.test(name) ? readTextIfPresent(join(folder, 'image.yaml')) : undefined;
  if (text === undefined) {
    throw new CofferdamError(
      'IMAGE_UNKNOWN',
      `no image "${printable(name, 80)}" is defined${didYouMean(name, definedImages(install))}`,
    );
  }
  return { folder, image: parseDefinition(text, `images/${name}/image.yaml`, name) };
}

/** The text of an image.yaml as a definition; `name` is the folder's, and the file must agree. */
export function parseDefinition(text: string, file: string, name: string): ImageDefinition {
  const document = parseYaml(text, file);
  const image = parseStrict(imageSchema, document);
  const refuse = (path: (string | number)[], what: string) => {
    throw new CofferdamError('CONFIG_INVALID', `${document.where(path)}  ${path.join('.')}: ${what}`);
  };
  if (image.name !== name) refuse(['name'], `must be "${name}", the name of the folder`);
  // Wheels are installed by the image's own pip, with no network.
  if (image.pypi.length > 0 && !image.packages.includes('python3-pip')) {
    refuse(['pypi'], 'needs python3-pip among the packages');
  }
  return image;
}
