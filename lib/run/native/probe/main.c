/*
 * Owns the probe of `sandbox verify`: attempts what a sandbox must not let happen, each in a process of its own, says what
 * came of it, and waits to be looked at from outside. It is static, so that it runs in any image.
 *
 * probe FOLDER PORT FILE_SIZE TMP_SIZE ATTEMPT...
 * Prints "ID ok|errno|signal|absent|unknown NUMBER DETAIL" a line, then "end ok 0 -"; then calls itself "probe-done".
 */
#include "attempt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_EACH 10

struct setting setting;

static const struct table *const tables[] = {
	&syscall_attempts, &namespace_attempts, &socket_attempts, &terminal_attempts,
	&file_attempts,	   &limit_attempts,	&view_attempts,
};

static const struct attempt *find(const char *id)
{
	for (size_t t = 0; t < COUNT(tables); t++)
		for (size_t i = 0; i < tables[t]->count; i++)
			if (strcmp(tables[t]->attempts[i].id, id) == 0)
				return &tables[t]->attempts[i];
	return NULL;
}

/* One printable word or more, so that a line stays a line whatever the detail holds. */
static void print_detail(const char *detail)
{
	if (*detail == '\0')
		putchar('-');
	for (; *detail != '\0'; detail++) {
		const unsigned char c = (unsigned char)*detail;

		if (c > 0x20 && c < 0x7f && c != '\\')
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	putchar('\n');
}

static void print_line(const char *id, const char *result, int number, const char *detail)
{
	printf("%s %s %d ", id, result, number);
	print_detail(detail);
	/* Now, not later: what was found stays found if the next attempt ends us. */
	fflush(stdout);
}

static _Noreturn void attempt_in_child(const struct attempt *attempt, int answer)
{
	const struct rlimit no_core = { 0, 0 };
	struct outcome outcome = { 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	alarm(SECONDS_EACH);
	attempt->act(attempt, &outcome);
	outcome.detail[DETAIL_MAX] = '\0';
	_exit(write(answer, &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome) ? 0 : 1);
}

static void run_attempt(const struct attempt *attempt)
{
	struct outcome outcome = { 0 };
	size_t got = 0;
	int ends[2];
	int status = 0;

	if (pipe(ends) != 0) {
		print_line(attempt->id, "unknown", errno, "pipe");
		return;
	}
	const pid_t child = fork();
	if (child < 0) {
		print_line(attempt->id, "unknown", errno, "fork");
		close(ends[0]);
		close(ends[1]);
		return;
	}
	if (child == 0) {
		close(ends[0]);
		attempt_in_child(attempt, ends[1]);
	}
	close(ends[1]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* A struct is smaller than a pipe, so the child never waited for us. */
	for (ssize_t n = 1; n > 0 && got < sizeof(outcome); got += n > 0 ? (size_t)n : 0)
		n = read(ends[0], (char *)&outcome + got, sizeof(outcome) - got);
	close(ends[0]);
	if (WIFSIGNALED(status))
		print_line(attempt->id, "signal", WTERMSIG(status), "");
	else if (got != sizeof(outcome))
		print_line(attempt->id, "unknown", 0, "no answer");
	else if (outcome.error == ABSENT)
		print_line(attempt->id, "absent", 0, "");
	else
		print_line(attempt->id, outcome.error == 0 ? "ok" : "errno", outcome.error, outcome.detail);
}

static void end(int signal)
{
	(void)signal;
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	signal(SIGTERM, end);
	/* Outside of a sandbox nobody else would end us. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setting = (struct setting){
		.folder = argv[1],
		.port = (unsigned short)strtoul(argv[2], NULL, 10),
		.file_size = strtoull(argv[3], NULL, 10),
		.tmp_size = strtoull(argv[4], NULL, 10),
	};
	for (int i = 5; i < argc; i++) {
		const struct attempt *attempt = find(argv[i]);

		if (attempt == NULL)
			print_line("unknown", "unknown", 0, argv[i]);
		else
			run_attempt(attempt);
	}
	print_line("end", "ok", 0, "");
	prctl(PR_SET_NAME, "probe-done");
	for (;;)
		pause();
}
