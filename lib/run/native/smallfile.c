/* Owns reading a file of a few lines: one open, one read, as the kernel's own files want it. */
#include "smallfile.h"

#include <fcntl.h>
#include <unistd.h>

ssize_t read_small_file(const char *path, int flags, char *text, size_t room)
{
	const int file = open(path, O_RDONLY | O_CLOEXEC | flags);
	ssize_t size;

	text[0] = '\0';
	if (file < 0)
		return -1;
	size = read(file, text, room - 1);
	close(file);
	text[size > 0 ? size : 0] = '\0';
	return size;
}
