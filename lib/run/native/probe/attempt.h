/* Owns the form of an attempt: what it is called, how it is made, what came of it. */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <stddef.h>

#define DETAIL_MAX 1000

/* `error` is an errno, 0 when the act succeeded, ABSENT when this architecture has no such call. */
enum { ABSENT = -1 };

struct outcome {
	int error;
	/* Bytes of the guest's world: escaped when printed. */
	char detail[DETAIL_MAX + 1];
};

struct attempt {
	const char *id;
	void (*act)(const struct attempt *, struct outcome *);
	/* A syscall's number, or what the act takes as its number: open flags, a port. */
	long number;
	unsigned long arguments[6];
	const char *path;
};

/* What the host tells us; the same for all attempts. */
struct setting {
	/* A folder of ours that may be written to and executed from. */
	const char *folder;
	/* Where somebody on the host listens: a TCP port, and the abstract socket "cofferdam-verify-PORT". */
	unsigned short port;
	/* Bytes: a file's bound, and the size of /tmp. */
	unsigned long long file_size;
	unsigned long long tmp_size;
};
extern struct setting setting;

struct table {
	const struct attempt *attempts;
	size_t count;
};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

extern const struct table syscall_attempts;
extern const struct table namespace_attempts;
extern const struct table socket_attempts;
extern const struct table terminal_attempts;
extern const struct table file_attempts;
extern const struct table limit_attempts;
extern const struct table view_attempts;

/* The syscall of `number` with `arguments`; nothing else. */
void make_call(const struct attempt *attempt, struct outcome *outcome);
/* open(2) of `path` with the flags in `number`; what was opened is closed again, unread and unwritten. */
void open_path(const struct attempt *attempt, struct outcome *outcome);

#endif
