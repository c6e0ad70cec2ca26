// Owns which validator there is: made of the schema here; the build puts one ready made in its place (lib/cli/precompile.ts).
export { makeValidator } from './closedSchema.ts';
