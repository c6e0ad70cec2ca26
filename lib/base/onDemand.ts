// Owns loading a package at its first use: a command that needs none of it must not wait for its hundred files.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A function that gives the package `name`, loaded when it is first called. `T` is the type of its module. */
export function onDemand<T>(name: string): () => T {
  return () => require(name) as T;
}
