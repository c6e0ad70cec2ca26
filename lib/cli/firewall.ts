// Owns starting `firewall`.
import { createFirewall } from './firewall-program.ts';
import { runProcess } from './process.ts';

await runProcess('firewall', createFirewall);
