// Owns starting `sandbox`.
import { runProcess } from './process.ts';
import { createProgram } from './program.ts';

void runProcess('sandbox', createProgram);
