/* Owns what the supervisor itself tells a person on stderr. */
#ifndef SAY_H
#define SAY_H

/*
 * Prints "sandbox: " and the text as one write, everything but ASCII and newlines escaped; values must be free of
 * newlines, formats need not be. Gives up after a second when nobody reads stderr.
 */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The words for an errno, without the locale machinery of strerror. */
const char *why(int error);

#endif
