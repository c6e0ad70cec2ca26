// Owns what Squid is as a program: its files, its listener, DNS; no cache, nothing of its own added to what passes.
import { pages, requestCode, requestHeader } from './pages.ts';
import type { SquidInput } from './render.ts';

// Nothing of Debian's stock configuration: every bridged client comes from 127.0.0.1, which that one lets do anything.
const fixed = `visible_hostname cofferdam
pid_filename none
coredump_dir none
mime_table /dev/null
logfile_rotate 0
debug_options ALL,0
shutdown_lifetime 0 seconds
pinger_enable off
icp_port 0
htcp_port 0
snmp_port 0
cache deny all
cache_mem 0 MB
memory_pools off
global_internal_static off
url_rewrite_extras "-"
store_id_extras "-"
via off
forwarded_for delete
httpd_suppress_version_string on
email_err_data off
relaxed_header_parser off
host_verify_strict on
uri_whitespace deny
pipeline_prefetch 0
client_persistent_connections off
server_persistent_connections off
request_header_max_size 64 KB
quick_abort_min 0 KB
quick_abort_max 0 KB
hosts_file none
dns_defnames off
dns_multicast_local off
dns_timeout 10 seconds
connect_timeout 15 seconds
request_header_access Proxy-Authorization deny all
request_header_access X-Forwarded-For deny all
request_header_access Forwarded deny all
request_header_access Via deny all
reply_header_access X-Squid-Error deny all
reply_header_access X-Cache deny all
reply_header_access X-Cache-Lookup deny all
reply_header_access Via deny all
reply_header_access ${requestHeader} deny all`;

/**
 * Squid's own answers: neither its name nor what it calls the error is in them. A request that it could not read has no error in its
 * ACLs, and no scheme, which nothing that reaches a server lacks.
 */
const ownAnswers = [
  `acl failed_request squid_error ${[...pages.keys()].join(' ')}`,
  'acl unread_request proto NONE',
  'acl own_answer any-of failed_request unread_request',
  ...['Server', 'Mime-Version', 'Date', 'Content-Type'].map((name) => `reply_header_access ${name} deny own_answer`),
  'reply_header_add Content-Type "text/plain" own_answer',
  `reply_header_add ${requestHeader} "${requestCode}" own_answer`,
];

/**
 * A name is judged by its addresses and then resolved again to be reached: both take one answer from Squid's cache, where even an answer
 * that says "do not keep me" stays for the shortest time.
 */
const answers = `positive_dns_ttl 5 minutes
negative_dns_ttl 30 seconds`;

/** `listener` is what sni.ts adds to http_port. */
export function renderProcess(
  { port, dnsServers, cacheLog, fdLimit, logFile, pagesFolder, sni }: SquidInput,
  listener: string,
): string[] {
  return [
    ...fixed.split('\n'),
    ...answers.split('\n'),
    ...ownAnswers,
    `error_directory ${pagesFolder}`,
    ...(dnsServers.length === 0 ? [] : [`dns_nameservers ${dnsServers.join(' ')}`]),
    `max_filedescriptors ${fdLimit}`,
    `cache_log ${cacheLog}`,
    `http_port 127.0.0.1:${port} require-proxy-header${listener}`,
    'acl bridge src 127.0.0.1/32',
    'proxy_protocol_access allow bridge',
    'proxy_protocol_access deny all',
    ...renderLog(logFile, sni),
  ];
}

// What the guest chooses stands URL-encoded (%#): Squid's own quoting of strings is not JSON's. The reason is a word of ours.
const logFields = [
  ['time', '%ts%03tu'],
  ['run', '"%#{225}proxy_protocol::>h"'],
  ['principal', '"%#{224}proxy_protocol::>h"'],
  ['source', '"%>a"'],
  ['connection', '%>p'],
  ['request', `"${requestCode.replace('%', '%#')}"`],
  ['method', '"%#rm"'],
  ['host', '"%#>rd"'],
  ['port', '"%>rP"'],
  ['reason', '"%note{reason}"'],
  ['status', '%>Hs'],
  ['squid', '"%Ss"'],
  ['error', '"%err_code/%err_detail"'],
  ['server', '"%<a"'],
  ['sent', '%>st'],
  ['received', '%<st'],
  ['ms', '%tr'],
] as const;

/** One line for each request, when it has ended; Squid stops when it cannot write one. */
function renderLog(file: string, sni: SquidInput['sni']): string[] {
  // Debian's plain squid does not know this code.
  const inTunnel = sni === 'strict' ? [['sni', '"%#ssl::>sni"'] as const] : [];
  const fields = [...logFields, ...inTunnel].map(([name, code]) => `"${name}":${code}`);
  return [`logformat cofferdam {${fields.join(',')}}`, `access_log stdio:${file} logformat=cofferdam`];
}
