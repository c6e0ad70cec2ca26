/* Owns the program as a sealed copy in memory. */
#ifndef SEALED_H
#define SEALED_H

/*
 * A descriptor of a copy of `path` that nobody can change (memfd_create(2), F_SEAL_*); -1 when the kernel has none to give. crun
 * and runc make such a copy of themselves at every start, execute it and begin again, so that a guest cannot write to the
 * host's binary through /proc/PID/exe (CVE-2019-5736); one that runs from a sealed copy already goes on at once.
 */
int seal_program(const char *path);

#endif
