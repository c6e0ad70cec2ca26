// Owns starting `firewall`.
import { createFirewall } from './firewall-program.ts';
import { runProcess } from './process.ts';

void runProcess('firewall', createFirewall);
