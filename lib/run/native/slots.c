/* Owns giving back the files that lend a run its host ids and its name. */
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

#define LONGEST 256

/* The launcher has written our id to each before it executed us: as the only word, or one between blanks. */
static bool is_others(const char *path, const char *id)
{
	static const char blanks[] = " \n";
	const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[LONGEST];
	ssize_t size;

	if (file < 0)
		return false;
	size = read(file, text, sizeof(text) - 1);
	close(file);
	if (size <= 0)
		return false;
	text[size] = '\0';
	for (char *rest = text, *word; (word = strtok_r(rest, blanks, &rest)) != NULL;)
		if (strcmp(word, id) == 0)
			return false;
	return true;
}

void free_slots(const struct options *options)
{
	for (size_t i = 0; i < options->slot_count; i++)
		if (!is_others(options->slots[i], options->id) && unlink(options->slots[i]) != 0 && errno != ENOENT)
			say("cannot remove %s: %s", options->slots[i], why(errno));
}
