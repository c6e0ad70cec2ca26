// Owns the certificate that Squid wants before it looks into tunnels; nobody is ever shown it, because nothing is decrypted.
import { runTool } from '../../base/exec.ts';
import { writeFileAtomic } from '../../base/files.ts';

/** Writes a new key and a certificate for it to `file`, PEM, mode 0600. Throws TOOL_FAILED. */
export async function writeCertificate(file: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', '-'];
  const { stdout } = await runTool('openssl', ['req', '-x509', ...key, '-subj', '/CN=cofferdam', '-days', '3650']);
  writeFileAtomic(file, stdout);
}
