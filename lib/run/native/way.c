/* Owns who may connect to the socket of a run's way out. docs/decisions/0040-who-connects.md */
#include "way.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel.h"
#include "refuse.h"
#include "say.h"

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define ENTRIES (WAY_USERS + 4)

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[ENTRIES];
};

static struct posix_acl_xattr_entry entry(int tag, int permissions, uid_t user)
{
	return (struct posix_acl_xattr_entry){ htole16((uint16_t)tag), htole16((uint16_t)permissions), htole32(user) };
}

/* A path that leads to an open file, for calls that take no descriptor of O_PATH. */
struct link {
	char path[32];
};

static struct link link_to(int file)
{
	struct link link;

	snprintf(link.path, sizeof(link.path), "/proc/self/fd/%d", file);
	return link;
}

/* acl(5): the owner as ever, each of the users `permissions`, all others nothing. */
static bool set_acl(int file, const char *name, int owner, int permissions, const uid_t *users)
{
	struct acl acl = { .header.a_version = htole32(POSIX_ACL_XATTR_VERSION) };
	size_t at = 0;

	acl.entries[at++] = entry(ACL_USER_OBJ, owner, (uid_t)ACL_UNDEFINED_ID);
	for (size_t i = 0; i < WAY_USERS; i++)
		acl.entries[at++] = entry(ACL_USER, permissions, users[i]);
	acl.entries[at++] = entry(ACL_GROUP_OBJ, 0, (uid_t)ACL_UNDEFINED_ID);
	acl.entries[at++] = entry(ACL_MASK, permissions, (uid_t)ACL_UNDEFINED_ID);
	acl.entries[at++] = entry(ACL_OTHER, 0, (uid_t)ACL_UNDEFINED_ID);
	return setxattr(link_to(file).path, name, &acl, sizeof(acl), 0) == 0;
}

/* The bridge of a worker host may put there what it likes, and we are root: nothing but its own socket in its own folder is opened. */
static bool is_theirs(int folder, int file)
{
	struct stat around, found;

	if (fstat(folder, &around) != 0 || fstat(file, &found) != 0)
		return false;
	errno = EPERM;
	return S_ISSOCK(found.st_mode) && found.st_uid == around.st_uid;
}

/*
 * gVisor's kernel reads modes and no lists, and its guest is neither owner nor anybody: the bits of the group are the list's mask. The
 * group itself has nothing by the list. Also of what is made in the folder later.
 */
static bool show_group(int folder, int file, gid_t group)
{
	const uid_t same = (uid_t)-1;

	return chown(link_to(file).path, same, group) == 0 && chown(link_to(folder).path, same, group) == 0 &&
	       chmod(link_to(folder).path, S_ISGID | S_IRWXU) == 0;
}

static bool admit(int folder, int file, const struct way *way)
{
	const uid_t *users = way->users;

	/* The default is for the socket that a later bridge makes there, while the sandbox lives. */
	return is_theirs(folder, file) && show_group(folder, file, way->group) &&
	       set_acl(file, ACCESS, ACL_READ | ACL_WRITE, ACL_READ | ACL_WRITE, users) &&
	       set_acl(folder, DEFAULT, ACL_READ | ACL_WRITE, ACL_READ | ACL_WRITE, users) &&
	       set_acl(folder, ACCESS, ACL_READ | ACL_WRITE | ACL_EXECUTE, ACL_EXECUTE, users);
}

bool admit_users(const struct options *options)
{
	const struct way *way = &options->way;
	int folder, file;
	bool admitted;

	if (way->folder == NULL)
		return true;
	folder = open_without_links(way->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	file = folder < 0 ? -1 : openat(folder, "proxy.sock", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	admitted = file >= 0 && admit(folder, file, way);
	if (!admitted)
		refuse(options, "HOST_UNPREPARED", "sandbox doctor", "the way out at %s cannot be given to the sandbox alone: %s",
		       way->folder, why(errno));
	if (file >= 0)
		close(file);
	if (folder >= 0)
		close(folder);
	return admitted;
}
