// Owns the seccomp policy of a sandbox in the two forms that runtimes take, and its digest.
import { createHash } from 'node:crypto';
import { type OciSeccomp, ociSeccomp } from './oci.ts';
import { seccompProgram } from './program.ts';
import { type SeccompOptions, seccompRules } from './rules.ts';

export interface CompiledSeccomp {
  /** struct sock_filter[], for the annotation `run.oci.seccomp_bpf_data` (base64). */
  readonly bpf: Uint8Array;
  /** The same rules as `linux.seccomp`, for runtimes that don't know the annotation. */
  readonly oci: OciSeccomp;
  /** `sha256:` over both forms. */
  readonly digest: string;
}

/** Compiles the policy. Pure: the same options give the same bytes. */
export function compileSeccomp(options: SeccompOptions): CompiledSeccomp {
  const rules = seccompRules(options);
  const bpf = seccompProgram(options.arch, rules);
  const oci = ociSeccomp(options, rules);
  const hash = createHash('sha256').update(bpf).update(JSON.stringify(oci));
  return { bpf, oci, digest: `sha256:${hash.digest('hex')}` };
}
