/* Owns reading of a stopped task what it is about to name: all of it printable, and empty when it cannot be read. */
#ifndef MEMORY_H
#define MEMORY_H

#include <linux/types.h>
#include <stddef.h>
#include <sys/types.h>

/* The first line of a file. */
void read_file(char *to, size_t size, const char *path);

/* Bytes of its memory; gives how many there were. */
size_t read_memory(void *to, size_t size, pid_t tid, __u64 address);

/* A path in its memory. */
void read_path(char *to, size_t size, pid_t tid, __u64 address);

/* What one of its descriptors is. */
void read_link(char *to, size_t size, pid_t tid, __u64 descriptor);

#endif
