/* Owns reading of a stopped task what it is about to name. */
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void read_file(char *to, size_t size, const char *path)
{
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t got = file < 0 ? 0 : read(file, to, size - 1);

	to[got < 0 ? 0 : got] = '\0';
	if (file >= 0)
		close(file);
	to[strcspn(to, "\n")] = '\0';
	clean(to);
}

size_t read_memory(void *to, size_t size, pid_t tid, __u64 address)
{
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	got = pread(file, to, size, (off_t)address);
	close(file);
	return got < 0 ? 0 : (size_t)got;
}

void read_path(char *to, size_t size, pid_t tid, __u64 address)
{
	to[read_memory(to, size - 1, tid, address)] = '\0';
	clean(to);
}

void read_link(char *to, size_t size, pid_t tid, __u64 descriptor)
{
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, (int)descriptor);
	got = readlink(path, to, size - 1);
	to[got < 0 ? 0 : got] = '\0';
	clean(to);
}
