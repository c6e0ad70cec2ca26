// Owns the image contract: a list of named checks, made into one POSIX script that runs inside the sandbox.
import { printable } from '../base/printable.ts';
import type { Capabilities } from './schema.ts';

export interface Check {
  /** `[a-z0-9.+-]`, unique. */
  readonly id: string;
  /** What is missing when it fails. */
  readonly text: string;
  /** POSIX shell, run in a subshell in an empty folder of its own; status 0 is a pass. Prints nothing we read. */
  readonly test: string;
}

export interface CheckResult {
  readonly id: string;
  readonly ok: boolean;
  readonly text: string;
}

const fileChecks: Check[] = [
  {
    id: 'sh',
    text: 'a POSIX shell',
    test: `x='a b'; set -- $x; [ $# -eq 2 ] && [ "\${x%% *}" = a ] && [ $((6*7)) -eq 42 ]`,
  },
  { id: 'cat', text: 'cat', test: 'echo a >f && [ "$(cat f)" = a ]' },
  { id: 'cp', text: 'cp', test: 'echo a >f && cp f g && [ "$(cat g)" = a ]' },
  { id: 'mv', text: 'mv', test: 'echo a >f && mv f g && [ -f g ] && [ ! -e f ]' },
  { id: 'rm', text: 'rm', test: 'echo a >f && rm f && [ ! -e f ]' },
  { id: 'mkdir', text: 'mkdir', test: 'mkdir -p d/e && [ -d d/e ]' },
  { id: 'chmod', text: 'chmod', test: 'echo exit 7 >f && chmod 0700 f && [ -x f ]' },
  { id: 'chown', text: 'chown', test: 'echo a >f && chown "$(id -u):$(id -g)" f' },
  { id: 'find', text: 'find', test: 'mkdir d && echo a >d/f && [ "$(find d -type f -name f)" = d/f ]' },
  { id: 'tar', text: 'tar', test: 'echo a >f && tar -cf a.tar f && rm f && tar -xf a.tar && [ "$(cat f)" = a ]' },
  { id: 'gzip', text: 'gzip', test: 'echo a >f && gzip f && [ "$(gzip -dc f.gz)" = a ]' },
  {
    id: 'zip',
    text: 'zip and unzip',
    test: 'echo a >f && zip -q a.zip f && rm f && unzip -q a.zip && [ "$(cat f)" = a ]',
  },
  { id: 'date', text: 'date', test: '[ "$(date -u -d @0 +%Y)" = 1970 ] && [ "$(date +%Y)" -ge 2024 ]' },
  { id: 'env', text: 'env', test: '[ "$(env -i A=b env)" = A=b ]' },
  { id: 'ps', text: 'ps', test: 'ps -e -o pid= | grep -q "^ *$$ *$"' },
];

const behaviourChecks: Check[] = [
  {
    id: 'exit-codes',
    text: 'exit statuses that tell: 3 as given, 126 not executable, 127 not found',
    test: [
      'r=0; sh -c "exit 3" || r=$?; [ $r -eq 3 ] || exit 1',
      'echo a >f; r=0; sh -c ./f 2>e || r=$?; [ $r -eq 126 ] || exit 1',
      'r=0; sh -c ./absent 2>e || r=$?; [ $r -eq 127 ]',
    ].join('\n'),
  },
  {
    id: 'streams',
    text: 'stdout and stderr apart',
    test: 'sh -c "echo o; echo e >&2" >o 2>e; [ "$(cat o)" = o ] && [ "$(cat e)" = e ]',
  },
  { id: 'user', text: 'a user that is not root and has a name', test: '[ "$(id -u)" -ne 0 ] && [ -n "$(id -un)" ]' },
  {
    id: 'ca-certificates',
    text: 'CA certificates in /etc/ssl/certs/ca-certificates.crt',
    test: '[ "$(grep -c "BEGIN CERTIFICATE" /etc/ssl/certs/ca-certificates.crt)" -ge 10 ]',
  },
  {
    id: 'no-set-id',
    text: 'no set-id files',
    test: '[ -z "$(find / -xdev -type f \\( -perm -4000 -o -perm -2000 \\) 2>/dev/null | head -n 1)" ]',
  },
  {
    id: 'hosts',
    text: 'localhost in /etc/hosts and no name server',
    test: 'grep -q localhost /etc/hosts && ! grep -q . /etc/resolv.conf',
  },
  {
    id: 'no-network',
    text: 'work with no network: only the loopback device',
    test: '[ "$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " ")" = lo ]',
  },
  {
    id: 'no-port',
    text: 'no listening port',
    // Column 4 is the state: 0A is LISTEN.
    test: '! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk \'$4 == "0A" { found = 1 } END { exit !found }\'',
  },
];

/** A small program in each runtime: that it starts and computes, not only that it is there. */
const runtimeTests: Record<string, string> = {
  sh: '[ "$(sh -c "echo \\$((6*7))")" = 42 ]',
  bash: '[ "$(bash -c "a=(1 42); echo \\${a[1]}")" = 42 ]',
  python3: '[ "$(python3 -c "import json, ssl, sqlite3, zlib; print(6*7)")" = 42 ]',
  node: '[ "$(node -p "require(\'node:crypto\').randomBytes(1).length * 42")" = 42 ]',
  go: 'go version && [ "$(go env GOOS)" = linux ]',
};

// Programs answer to different words; one of these ends with 0 where the program and its libraries are whole.
const answers = (tool: string) =>
  `command -v ${tool} && { ${tool} --version || ${tool} version || ${tool} -h || ${tool} </dev/null; }`;

/** All checks for an image with these capabilities, in the order they run. */
export function contractChecks(capabilities: Capabilities): Check[] {
  const runtimes = capabilities.runtimes.map((name) => ({
    id: `runtime.${name}`,
    text: `the runtime ${name}`,
    test: runtimeTests[name] ?? answers(name),
  }));
  const tools = capabilities.tools.map((name) => ({
    id: `tool.${name}`,
    text: `the tool ${name}`,
    test: answers(name),
  }));
  return [...fileChecks, ...behaviourChecks, ...runtimes, ...tools];
}

/**
 * One POSIX sh script for the inside of a sandbox of `image`: prints `PASS id` or `FAIL id what` for each check. It uses
 * shell built-ins between checks, so that a missing program fails its own check and no other. Names in capabilities are
 * words of `[A-Za-z0-9._+-]` (image schema), so they stand in the script as they are.
 */
export function checkScript(image: { readonly capabilities: Capabilities }): string {
  const calls = contractChecks(image.capabilities).map(({ id, text, test }) =>
    [`check_body() {`, test, '}', `check ${id} '${text}'`].join('\n'),
  );
  return [
    'set -u',
    'top=${TMPDIR:-/tmp}/contract.$$',
    'mkdir -p "$top" || exit 125',
    'n=0',
    'check() {',
    '\tn=$((n + 1))',
    '\tmkdir "$top/$n"',
    '\tif (cd "$top/$n" && check_body) >"$top/out" 2>&1 </dev/null; then echo "PASS $1"; else echo "FAIL $1 $2"; fi',
    '}',
    ...calls,
    'rm -rf "$top"',
    '',
  ].join('\n');
}

/**
 * What the script's output says. The image wrote it, so lines of another form are passed over, a FAIL outweighs a PASS, and
 * with `expected` a check that did not report has failed.
 */
export function readCheck(output: string, expected?: readonly Check[]): CheckResult[] {
  const results = new Map<string, CheckResult>();
  for (const line of output.split('\n')) {
    const match = /^(PASS|FAIL) ([A-Za-z0-9._+-]{1,80})(?: (.*))?$/.exec(line);
    if (match === null) continue;
    const [, word, id = '', text = ''] = match;
    if (results.get(id)?.ok === false) continue;
    results.set(id, { id, ok: word === 'PASS', text: printable(text) });
  }
  if (expected === undefined) return [...results.values()];
  return expected.map(({ id, text }) => {
    const said = results.get(id);
    if (said === undefined) return { id, ok: false, text: `${text} (the check did not report)` };
    return { id, ok: said.ok, text };
  });
}
