// Owns where the Squid that looks into tunnels lies on a host: set-up puts it there, whoever starts it finds it there.

/** What Debian's squid-openssl holds, unpacked: `usr/sbin/squid` is the program. */
export const strictSquidFolder = '/var/lib/cofferdam/squid-openssl';
