// Owns starting `sandbox`.
import { runProcess } from './process.ts';
import { createProgram } from './program.ts';

await runProcess('sandbox', createProgram);
