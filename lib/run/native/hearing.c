/*
 * Owns whether a sandbox that is being set up would notice a TERM. The kernel drops what the first process of a pid namespace neither
 * blocks nor catches (pid_namespaces(7)), and crun passes on what it got before its child has executed init. Only init catches TERM; that
 * it is blocked would not show, because sigwaitinfo(2) lets go of it meanwhile.
 */
#include "hearing.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "smallfile.h"

bool catches_signal(pid_t pid, int signal)
{
	static const char name[] = "\nSigCgt:";
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (pid == 0 || read_small_file(path, 0, text, sizeof(text)) <= 0)
		return false;
	const char *caught = strstr(text, name);
	return caught != NULL && (strtoull(caught + strlen(name), NULL, 16) >> (signal - 1) & 1) != 0;
}

bool hears_term(const struct child *child)
{
	return child->is_init || (!child->leaving && catches_signal(find_first_child(child->pid), SIGTERM));
}
