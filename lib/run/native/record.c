/* Owns the record of a run: HEAD START_MS END_MS EXIT REASON STDOUT_BYTES STDERR_BYTES TRUNC. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

#define LONGEST_LINE 4096

int open_record(const struct options *options)
{
	int file;

	if (options->record == NULL)
		return -1;
	file = open(options->record, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
	if (file >= 0)
		return file;
	say("the record could not be written: %s: %s", options->record, why(errno));
	return -2;
}

/* What is remarkable, a letter each: o, e: that stream is cut; p: a fork was refused; then limits that did not apply. */
static void write_marks(const struct options *options, const struct outcome *outcome, char *marks)
{
	const char *lacking = options->lacking == NULL ? "" : options->lacking;
	const int size = sprintf(marks, "%s%s%s%s", outcome->truncated[0] ? "o" : "", outcome->truncated[1] ? "e" : "",
				 outcome->pids_hit ? "p" : "", lacking);

	if (size == 0)
		strcpy(marks, "-");
}

static size_t format_line(const struct options *options, const struct outcome *outcome, char *line)
{
	char marks[16];
	const char *head = options->record_head == NULL ? "" : options->record_head;

	write_marks(options, outcome, marks);
	return (size_t)snprintf(line, LONGEST_LINE, "%s%s%" PRId64 " %" PRId64 " %d %s %" PRIu64 " %" PRIu64 " %s\n", head,
				*head == '\0' ? "" : " ", outcome->start_ms, outcome->end_ms, outcome->status,
				reason_word(outcome->reason), outcome->produced[0], outcome->produced[1],
				marks);
}

/* A full disk may have left half a line of another run: ours then starts on a line of its own. */
static bool ends_in_line(int file)
{
	const off_t size = lseek(file, 0, SEEK_END);
	char last;

	return size <= 0 || pread(file, &last, 1, size - 1) != 1 || last == '\n';
}

bool write_record(const struct options *options, const struct outcome *outcome, int file)
{
	char line[LONGEST_LINE + 1] = "\n";
	size_t size;
	ssize_t done;

	if (file < 0)
		return true;
	size = format_line(options, outcome, line + 1);
	const bool fresh = ends_in_line(file);
	errno = ENOSPC; /* for the short write, which sets none */
	done = write(file, line + fresh, size + !fresh);
	if (done == (ssize_t)(size + !fresh) && fdatasync(file) == 0)
		return true;
	say("the record could not be written: %s: %s", options->record, why(errno));
	return false;
}

void send_result(const struct options *options, const struct outcome *outcome)
{
	char line[LONGEST_LINE];
	struct pollfd out = { .fd = options->result_fd, .events = POLLOUT };
	size_t size;

	if (options->result_fd < 0)
		return;
	size = format_line(options, outcome, line);
	if (poll(&out, 1, 1000) != 1 || write(options->result_fd, line, size) != (ssize_t)size)
		say("the result could not be handed over");
	close(options->result_fd);
}
