/* Owns looking around: what a program sees of files, processes and names. The host judges what was seen. */
#include "attempt.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Appends text; what doesn't fit makes the whole view a failure (EFBIG), never a shorter one. */
static void add(struct outcome *outcome, const char *text)
{
	const size_t used = strlen(outcome->detail);

	if (used + strlen(text) > DETAIL_MAX)
		outcome->error = EFBIG;
	else
		memcpy(outcome->detail + used, text, strlen(text) + 1);
}

/* Whether a file gives away anything: how many bytes come out of it. */
static void count_bytes(const struct attempt *attempt, struct outcome *outcome)
{
	char bytes[4096];
	char number[24];
	const int fd = open(attempt->path, O_RDONLY | O_NONBLOCK);
	const ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (got < 0)
		outcome->error = errno;
	snprintf(number, sizeof(number), "%zd", got < 0 ? 0 : got);
	add(outcome, number);
}

static void read_text(const struct attempt *attempt, struct outcome *outcome)
{
	char text[DETAIL_MAX + 2];
	const int fd = open(attempt->path, O_RDONLY | O_NONBLOCK);
	size_t size = 0;
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0 && size < sizeof(text) - 1) {
		got = read(fd, text + size, sizeof(text) - 1 - size);
		size += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		outcome->error = errno;
		return;
	}
	text[size] = '\0';
	add(outcome, text);
}

/* Names in a folder, sorted by nobody, joined by commas; `number` 1 keeps those that are numbers, and counts them. */
static void list_folder(const struct attempt *attempt, struct outcome *outcome)
{
	DIR *folder = opendir(attempt->path);
	const struct dirent *entry;
	char number[24];
	int count = 0;

	if (folder == NULL) {
		outcome->error = errno;
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (attempt->number == 1) {
			count += isdigit((unsigned char)entry->d_name[0]) ? 1 : 0;
			continue;
		}
		if (outcome->detail[0] != '\0')
			add(outcome, ",");
		add(outcome, entry->d_name);
	}
	closedir(folder);
	if (attempt->number == 1) {
		snprintf(number, sizeof(number), "%d", count);
		add(outcome, number);
	}
}

/* "null=c1:3," for each device node in /dev. */
static void list_devices(const struct attempt *attempt, struct outcome *outcome)
{
	DIR *folder = opendir("/dev");
	const struct dirent *entry;
	struct stat found;
	char line[320];

	(void)attempt;
	if (folder == NULL) {
		outcome->error = errno;
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (fstatat(dirfd(folder), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (!S_ISCHR(found.st_mode) && !S_ISBLK(found.st_mode))
			continue;
		snprintf(line, sizeof(line), "%s=%c%u:%u,", entry->d_name, S_ISBLK(found.st_mode) ? 'b' : 'c',
			 major(found.st_rdev), minor(found.st_rdev));
		add(outcome, line);
	}
	closedir(folder);
}

/* The file system to which a path leads, as mountinfo names it. */
static void see_place(const struct attempt *attempt, struct outcome *outcome)
{
	struct stat found;
	char line[40];

	if (stat(attempt->path, &found) != 0) {
		outcome->error = errno;
		return;
	}
	snprintf(line, sizeof(line), "%u:%u", major(found.st_dev), minor(found.st_dev));
	add(outcome, line);
}

static void see_names(const struct attempt *attempt, struct outcome *outcome)
{
	struct utsname names;

	if (uname(&names) != 0)
		outcome->error = errno;
	else
		add(outcome, attempt->number == 1 ? names.domainname : names.nodename);
}

static void see_folder(const struct attempt *attempt, struct outcome *outcome)
{
	char path[DETAIL_MAX];

	(void)attempt;
	if (getcwd(path, sizeof(path)) == NULL)
		outcome->error = errno;
	else
		add(outcome, path);
}

#define BYTES(name, file) { .id = name, .act = count_bytes, .path = file }
#define TEXT(name, file) { .id = name, .act = read_text, .path = file }
#define LIST(name, folder) { .id = name, .act = list_folder, .path = folder }

static const struct attempt attempts[] = {
	BYTES("proc.read-kallsyms", "/proc/kallsyms"),
	BYTES("proc.read-kcore", "/proc/kcore"),
	BYTES("proc.read-kmsg", "/proc/kmsg"),
	BYTES("proc.read-cmdline", "/proc/cmdline"),
	BYTES("proc.read-interrupts", "/proc/interrupts"),
	BYTES("proc.read-modules", "/proc/modules"),
	BYTES("proc.read-keys", "/proc/keys"),
	BYTES("proc.read-key-users", "/proc/key-users"),
	BYTES("proc.read-timers", "/proc/timer_list"),
	BYTES("proc.read-slabs", "/proc/slabinfo"),
	LIST("proc.list-bus", "/proc/bus"),
	LIST("proc.list-firmware", "/sys/firmware"),
	LIST("proc.list-dmi", "/sys/class/dmi/id"),
	LIST("proc.list-acpi", "/proc/acpi"),
	LIST("proc.list-bpf", "/sys/fs/bpf"),
	LIST("proc.list-debug", "/sys/kernel/debug"),
	LIST("proc.list-security", "/sys/kernel/security"),
	LIST("proc.list-tracing", "/sys/kernel/tracing"),
	LIST("fs.run-is-empty", "/run"),
	LIST("fs.tmp-is-empty", "/tmp"),
	{ .id = "fs.shm-place", .act = see_place, .path = "/dev/shm" },
	LIST("device.listing", "/dev"),
	{ .id = "device.nodes", .act = list_devices },
	{ .id = "ns.own-processes", .act = list_folder, .number = 1, .path = "/proc" },
	{ .id = "ns.host-name", .act = see_names },
	{ .id = "leak.domain-name", .act = see_names, .number = 1 },
	TEXT("leak.cgroup-path", "/proc/self/cgroup"),
	TEXT("leak.hosts-file", "/etc/hosts"),
	TEXT("leak.host-name-file", "/etc/hostname"),
	TEXT("leak.resolver", "/etc/resolv.conf"),
	TEXT("leak.machine-id", "/etc/machine-id"),
	{ .id = "leak.working-folder", .act = see_folder },
};

const struct table view_attempts = { attempts, COUNT(attempts) };
