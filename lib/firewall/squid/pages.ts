// Owns what a guest reads where the proxy does not let it on: one line with the id of its request, and nothing of ours or the host's.

/** Says which request an answer of the proxy's own is about; `firewall requests` knows it by the same id. */
export const requestHeader = 'X-Cofferdam-Request';

/** The bridge names each connection's request in a TLV of its PROXY header. */
export const requestCode = '%{226}proxy_protocol::>h';

const ofRefused = ['ACCESS_DENIED', 'CACHE_ACCESS_DENIED', 'CACHE_MGR_ACCESS_DENIED', 'FORWARDING_DENIED'];
const ofUnread = [
  ...['CONFLICT_HOST', 'INVALID_REQ', 'INVALID_URL', 'PROTOCOL_UNKNOWN', 'TOO_BIG', 'UNSUP_HTTPVERSION', 'UNSUP_REQ'],
  ...['REQUEST_PARSE_TIMEOUT', 'REQUEST_START_TIMEOUT', 'PRECONDITION_FAILED', 'ONLY_IF_CACHED_MISS'],
];
/** All others that Squid 5 has a page for. */
const ofFailed = [
  ...['CANNOT_FORWARD', 'CLIENT_GONE', 'CONNECT_FAIL', 'DNS_FAIL', 'ESI', 'GATEWAY_FAILURE', 'ICAP_FAILURE'],
  ...['INVALID_RESP', 'LIFETIME_EXP', 'NO_RELAY', 'READ_ERROR', 'READ_TIMEOUT', 'RELAY_REMOTE', 'SECURE_ACCEPT_FAIL'],
  ...['SECURE_CONNECT_FAIL', 'SHUTTING_DOWN', 'SOCKET_FAILURE', 'URN_RESOLVE', 'WRITE_ERROR', 'ZERO_SIZE_OBJECT'],
  ...['DIR_LISTING', 'FTP_DISABLED', 'FTP_FAILURE', 'FTP_FORBIDDEN', 'FTP_NOT_FOUND', 'FTP_PUT_CREATED'],
  ...['FTP_PUT_ERROR', 'FTP_PUT_MODIFIED', 'FTP_UNAVAILABLE'],
];

const words = {
  refused: 'refused on its way out',
  unread: 'not read: no request that is taken here',
  failed: 'failed on its way out',
} as const;

/** All that is said of a request. */
export function pageText(request: string, kind: keyof typeof words): string {
  return `request ${request}: ${words[kind]}\n`;
}

const kinds = [
  ['refused', ofRefused],
  ['unread', ofUnread],
  ['failed', ofFailed],
] as const;

/** Files of Squid's error_directory, by name. One that is missing would be Squid's own. */
export const pages: ReadonlyMap<string, string> = new Map(
  kinds.flatMap(([kind, names]) =>
    names.map((name) => [`ERR_${name}`, pageText(`@Squid{${requestCode}}`, kind)] as const),
  ),
);
