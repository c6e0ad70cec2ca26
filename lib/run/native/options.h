/* Owns the command line of the supervisor; docs/decisions/0002-native-supervisor.md says what each option is for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define MOST_CGROUPS 8
#define MOST_SLOTS 4
#define MOST_VARIABLES 16
#define MOST_LIMITS 16
#define MOST_PORTS 16
#define WAY_USERS 2
#define LIMIT_LETTERS "mnc"
#define STANDARD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* One value of one file of a control group, to be written and read back. */
struct limit {
	char letter; /* of LIMIT_LETTERS: how it is recorded when it does not hold */
	bool swap;   /* bounds swap: its file may be missing where there is no swap */
	const char *value;
	const char *path;
};

/* A TCP port of the host, and the port on the sandbox's loopback that it leads to. */
struct publication {
	const char *text; /* ADDRESS=PORT, for messages */
	struct sockaddr_storage host;
	socklen_t size;
	in_port_t inside; /* in network order, as in `host` */
};

/* Who may connect to the socket of a way out: host uids of the runtime and of the program; and the program's gid. */
struct way {
	uid_t users[WAY_USERS];
	gid_t group;
	const char *folder; /* NULL: who passes the folders above may */
};

struct options {
	const char *id;
	uint64_t timeout_ms; /* 0: none; so for idle and grace */
	uint64_t idle_ms;
	uint64_t grace_ms;
	uint64_t stdout_max; /* bytes; 0: unbounded */
	uint64_t stderr_max;
	bool pass_stdin;
	const char *cgroups[MOST_CGROUPS];
	size_t cgroup_count;
	const char *oom_file;
	const char *pids_file;
	const char *lacking; /* letters of limits that are not applied: m, n (number of processes), c; NULL: none */
	const char *manager; /* socket of the user's systemd, and its unit that the groups are in; NULL: not asked */
	const char *unit;
	bool make; /* the run directory and the groups are made here, with --limit, and --config moved in */
	bool best_effort;
	struct limit limits[MOST_LIMITS];
	size_t limit_count;
	char lacking_letters[sizeof(LIMIT_LETTERS)];
	const char *config;
	bool apart; /* the program stays out of the groups, where it has somebody else start what is bounded */
	bool init_in_group; /* the sandbox's init is no child of the program; it is in the first of the groups */
	bool let_go; /* the program is a runtime that need not wait for the sandbox it has made */
	bool seal; /* the program is executed from a sealed copy */
	const char *map_uids; /* "INSIDE OUTSIDE COUNT ..." of a user namespace at descriptor 4 of the program; NULL: none */
	const char *map_gids;
	const char *newuidmap;
	const char *newgidmap;
	const char *inputs; /* entry of the index that led here; NULL: Node has checked the plan */
	const char *plan;
	uint64_t otherwise_words; /* how many words at the end are the command for a plan that is stale */
	char **otherwise;
	bool enter;    /* the program enters a live sandbox: --cgroup are groups below those of the sandbox */
	bool terminal; /* the program gets a terminal, from the runtime by the socket RUN-DIR/tty */
	struct publication publications[MOST_PORTS];
	size_t publication_count;
	const char *run_dir;
	const char *slots[MOST_SLOTS]; /* removed in this order, last of all */
	size_t slot_count;
	const char *environment[MOST_VARIABLES + 2]; /* of the program: PATH, then --env, then NULL */
	size_t variable_count;
	const char *log;
	const char *record;
	const char *record_head;
	const char *output_log; /* folder that the output goes to, instead of to our own; NULL: none */
	const char *size; /* ROWSxCOLUMNS of a terminal that has no caller's to take it from; NULL: the usual */
	const char *typed; /* fifo that is made for what attached callers type; NULL: none */
	const char *hold; /* fifo that is held open while the sandbox lives: whoever reads it sees the end; NULL: none */
	struct way way;
	const char *activity; /* folder with an entry for each execution from outside; NULL: none */
	int result_fd; /* -1: none */
	pid_t parent;  /* 0: not watched */
	pid_t starter; /* nothing is started unless it is our parent still; 0: whoever */
	const char *afterwards; /* a script that is executed in our place when all is cleaned up; NULL: nothing */
	char **program;
};

/* Fills `out`; says what is wrong and returns false otherwise. Every value is checked, nothing has a silent default. */
bool parse_options(int argc, char **argv, struct options *out);

#endif
