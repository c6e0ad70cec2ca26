// Owns how a receipt reads for a person. Labels and paths come from a caller or a guest: all of it is made printable.
import { printable } from '../base/printable.ts';
import { isAbsent, type Predicate, type Statement } from '../run/receipt/statement.ts';

const assurances: Readonly<Record<Predicate['assurance'], string>> = {
  self:
    'self: the key belongs to the uid that ran it. This proves that this uid wrote it and that nobody without the key changed\n' +
    '            it since; not that it is true: whatever runs as this uid can sign anything. Worker hosts keep keys apart.',
  host: 'host: the key belongs to another uid of the host that ran it.',
  external: 'external: the key is not on the host that ran it.',
};

function egressText(egress: Predicate['egress']): string {
  if (isAbsent(egress)) return show(egress);
  const { allowed, denied, hostFirewall, within } = egress;
  const listed = within === undefined ? '' : `; profile lists ${printable(within.slice(0, 20).join(' '), 600)}`;
  return `${allowed} allowed, ${denied} denied; host firewall ${hostFirewall}${listed}`;
}

function portLines({ ports }: Predicate): [string, string][] {
  if (ports === undefined) return [['ports', '- (not recorded then)']];
  if (isAbsent(ports)) return [['ports', show(ports)]];
  const shown = ports.map(({ name, address, port, container }): string => {
    const at = address.includes(':') ? `[${address}]` : address;
    return `${printable(at, 60)}:${port} led to ${container} inside (${printable(name, 80)})`;
  });
  return [['ports', shown[0] ?? 'none'], ...shown.slice(1).map((text): [string, string] => ['', text])];
}

function show(part: unknown): string {
  if (isAbsent(part)) return `- (${printable(part.absent, 200)})`;
  if (typeof part === 'object' && part !== null && 'sha256' in part) return `sha256:${String(part.sha256)}`;
  return printable(String(part), 300);
}

function artifactLines({ artifacts }: Predicate): [string, string][] {
  if (isAbsent(artifacts)) return [['artifacts', show(artifacts)]];
  const { count, bytes, refused, files } = artifacts;
  const shown = files
    .slice(0, 20)
    .map(({ path, sha256 }): [string, string] => ['', `${sha256}  ${printable(path, 300)}`]);
  const more = count > shown.length ? [['', `and ${count - shown.length} more (--json)`] as [string, string]] : [];
  return [['artifacts', `${count}, ${bytes} bytes; ${refused} refused`], ...shown, ...more];
}

function enforcedLines({ enforced }: Predicate): [string, string][] {
  if (isAbsent(enforced)) return [['enforced', show(enforced)]];
  const { limits, lacking, namespaces, capabilities, noNewPrivileges, readOnlyRoot, seccomp, userMap, network } =
    enforced;
  const held = Object.values(capabilities).every((set) => set.length === 0)
    ? 'none'
    : printable(JSON.stringify(capabilities));
  return [
    ['enforced', 'each limit was read back as written before the program started:'],
    ...limits.map(({ file, value, when }): [string, string] => {
      return [
        '',
        `${printable(file, 60)} = ${printable(value, 40)}${when === 'swap' ? ' (where swap is accounted)' : ''}`,
      ];
    }),
    ...lacking.map(({ file, value }): [string, string] => [
      '',
      `NOT APPLIED: ${printable(file, 60)} = ${printable(value, 40)}`,
    ]),
    ['', `namespaces ${printable(namespaces.join(' '))}; network ${printable(network)}; user map ${userMap}`],
    ['', `capabilities ${held}; no_new_privs ${noNewPrivileges}; read-only root ${readOnlyRoot}`],
    ['', `seccomp ${show(seccomp)}`],
  ];
}

function resultLine({ result }: Predicate): string {
  const { status, exitCode, signal, reason, stdoutBytes, stderrBytes, truncated } = result;
  const cut = [truncated?.stdout === true ? 'stdout' : '', truncated?.stderr === true ? 'stderr' : ''].filter(
    (name) => name !== '',
  );
  const end = exitCode === null ? '' : `, exit ${exitCode}${signal === null ? '' : ` (${signal})`}`;
  const bytes = stdoutBytes === null ? '' : `; ${stdoutBytes} bytes out, ${stderrBytes} err`;
  return `${status}${end}: ${printable(reason, 120)}${bytes}${cut.length === 0 ? '' : `; cut: ${cut.join(', ')}`}`;
}

function workspaceLines({ workspace }: Predicate): [string, string][] {
  if (isAbsent(workspace)) return [['workspace', show(workspace)]];
  const moved = workspace.setAside
    .slice(0, 20)
    .map(({ path }): [string, string] => ['', `set aside: ${printable(path, 300)}`]);
  return [['workspace', `${printable(workspace.mode)}; ${workspace.setAsideCount} set aside`], ...moved];
}

function labelText(labels: Predicate['run']['labels']): string {
  if (isAbsent(labels)) return show(labels);
  const pairs = Object.entries(labels).map(([name, value]) => `${printable(name, 80)}=${printable(value, 120)}`);
  return pairs.length === 0 ? 'none' : pairs.slice(0, 20).join(' ');
}

function hostText({ host }: Predicate): string {
  return isAbsent(host) ? show(host) : `Linux ${printable(host.kernel, 80)}, cgroup v${host.cgroupVersion}`;
}

function runtimeLines({ runtime }: Predicate): [string, string][] {
  if (isAbsent(runtime)) return [['runtime', show(runtime)]];
  const { engine, version, path, weaknesses } = runtime;
  const known = isAbsent(weaknesses) ? [show(weaknesses)] : weaknesses.map((text) => printable(text, 300));
  return [
    ['runtime', `${printable(engine)} ${printable(version)} (${printable(path)})`],
    ...known.map((text): [string, string] => ['', `weakness: ${text}`]),
  ];
}

/** The whole receipt, a line each. */
export function describeReceipt({ predicate }: Statement): string {
  const { run, digests, names, times, egress, sequence, auditHead, assurance } = predicate;
  const lines: [string, string][] = [
    ['run', run.id],
    ['task, job', `${run.taskId ?? '-'}, ${run.jobId ?? '-'}`],
    ['labels', labelText(run.labels)],
    ['result', resultLine(predicate)],
    ['started', times.startedAt ?? '-'],
    ['ended', `${times.endedAt ?? '-'}${times.durationMs === null ? '' : ` (${times.durationMs} ms)`}`],
    ['completed', times.completedAt],
    ['profile', `${printable(names.profile ?? '-')} ${show(digests.profile)}`],
    ['image', `${printable(names.image ?? '-')} ${show(digests.image)}`],
    ['plan', show(digests.plan)],
    ['spec', show(digests.spec)],
    ['policy', show(digests.policy)],
    ['command', show(digests.command)],
    ['timeout', isAbsent(predicate.timeoutMs) ? show(predicate.timeoutMs) : `${predicate.timeoutMs} ms`],
    ...enforcedLines(predicate),
    ...workspaceLines(predicate),
    ...artifactLines(predicate),
    ['egress', egressText(egress)],
    ...portLines(predicate),
    ...runtimeLines(predicate),
    ['host', hostText(predicate)],
    ['sequence', `${sequence} of the audit log, behind ${auditHead}`],
    ['assurance', assurances[assurance]],
  ];
  return lines.map(([name, text]) => `${name.padEnd(10)}  ${text}\n`).join('');
}
