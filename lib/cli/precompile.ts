// Owns what the build puts in the place of a module: dist/spec/validator.js, ready made.
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/files.ts';
import { renderValidator } from '../spec/closedSchema.ts';

writeFileAtomic(join(dirname(import.meta.dirname), 'spec/validator.js'), renderValidator(), 0o644);
