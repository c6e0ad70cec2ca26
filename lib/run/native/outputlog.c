/* Owns the log of a sandbox's output: whole frames in two files of bounded size, whatever the guest writes. */
#include "outputlog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"
#include "say.h"
#include "values.h"

#define MOST_FILE (32LL << 20)
#define LONGEST_HEAD 48
#define MOST_OFFSET (1ULL << 62)
#define NONE UINT64_MAX

static struct {
	pthread_mutex_t lock;
	int folder;
	int file;
	off_t size;
	uint64_t first;  /* offset of the first frame in the file, and so its name */
	uint64_t before; /* of the file before it; NONE */
} output = { .lock = PTHREAD_MUTEX_INITIALIZER, .folder = -1, .file = -1, .first = NONE, .before = NONE };

static void name_file(uint64_t offset, char name[32])
{
	snprintf(name, 32, "%" PRIu64, offset);
}

static void remove_file(uint64_t offset)
{
	char name[32];

	name_file(offset, name);
	unlinkat(output.folder, name, 0);
}

/* Finds the newest two, and removes what a supervisor that was killed left behind them. */
static bool find_files(void)
{
	const int again = openat(output.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;

	if (listing == NULL)
		return false;
	while ((entry = readdir(listing)) != NULL) {
		uint64_t offset;
		uint64_t older;

		if (!parse_number(entry->d_name, MOST_OFFSET, &offset))
			continue;
		if (output.first == NONE || offset > output.first) {
			older = output.before;
			output.before = output.first;
			output.first = offset;
		} else if (output.before == NONE || offset > output.before) {
			older = output.before;
			output.before = offset;
		} else {
			older = offset;
		}
		if (older != NONE)
			remove_file(older);
	}
	closedir(listing);
	return true;
}

/* Bytes of the frame at the start of `text`, or 0 when it is not a whole one. */
static size_t measure_frame(const char *text, size_t size)
{
	char head[LONGEST_HEAD + 1] = "";
	uint64_t ms;
	size_t bytes;
	char stream;
	int length = 0;

	memcpy(head, text, size < LONGEST_HEAD ? size : LONGEST_HEAD);
	if (sscanf(head, "%16" SCNu64 " %c %8zu%n", &ms, &stream, &bytes, &length) != 3 || head[length] != '\n')
		return 0;
	const size_t whole = (size_t)length + 1 + bytes + 1;
	return whole <= size && text[whole - 1] == '\n' ? whole : 0;
}

/* A kill, or a full disk, leaves half a frame at the end: behind it nobody could read on. */
static bool cut_half_frame(off_t found)
{
	size_t whole = 0;
	size_t next;

	if (found > 0) {
		char *text = mmap(NULL, (size_t)found, PROT_READ, MAP_PRIVATE, output.file, 0);

		if (text == MAP_FAILED)
			return false;
		while (whole < (size_t)found && (next = measure_frame(text + whole, (size_t)found - whole)) > 0)
			whole += next;
		munmap(text, (size_t)found);
	}
	output.size = (off_t)whole;
	return output.size == found || ftruncate(output.file, output.size) == 0;
}

static int open_file(uint64_t offset, int how)
{
	char name[32];

	name_file(offset, name);
	return openat(output.folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | how, 0600);
}

bool open_output_log(const char *folder)
{
	struct stat status;

	output.folder = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (output.folder >= 0 && find_files()) {
		if (output.first == NONE)
			output.first = 0;
		output.file = open_file(output.first, O_CREAT);
		if (output.file >= 0 && fstat(output.file, &status) == 0 && S_ISREG(status.st_mode) &&
		    cut_half_frame(status.st_size))
			return true;
	}
	say("the output log %s cannot be written: %s", folder, why(errno));
	return false;
}

/* The bound is kept first: without a new file the frame is dropped, and the old one stays as it is. */
static bool begin_file(void)
{
	const uint64_t next = output.first + (uint64_t)output.size;
	const int file = open_file(next, O_CREAT | O_EXCL);

	if (file < 0)
		return false;
	close(output.file);
	if (output.before != NONE)
		remove_file(output.before);
	output.before = output.first;
	output.first = next;
	output.file = file;
	output.size = 0;
	return true;
}

static bool append_frame(char stream, const unsigned char *data, size_t size)
{
	char head[LONGEST_HEAD];
	const int length = snprintf(head, sizeof(head), "%" PRId64 " %c %zu\n", wall_ms(), stream, size);
	const struct iovec parts[] = {
		{ .iov_base = head, .iov_len = (size_t)length },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = size },
		{ .iov_base = (char[]){ '\n' }, .iov_len = 1 },
	};
	const off_t whole = (off_t)length + (off_t)size + 1;

	if (output.size + whole > MOST_FILE && !begin_file())
		return false;
	if (pwritev(output.file, parts, 3, output.size) == whole) {
		output.size += whole;
		return true;
	}
	if (ftruncate(output.file, output.size) != 0)
		say("half a frame stays in the output log until the next: %s", why(errno));
	return false;
}

bool log_output(char stream, const unsigned char *data, size_t size)
{
	bool written;

	pthread_mutex_lock(&output.lock);
	written = append_frame(stream, data, size);
	pthread_mutex_unlock(&output.lock);
	return written;
}
