/* Owns giving back the files that lend a run its host ids and its name. */
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "say.h"
#include "smallfile.h"

#define LONGEST 256

/* The launcher has written our id to each before it executed us: as the only word, or one between blanks. */
static bool is_others(const char *path, const char *id)
{
	static const char blanks[] = " \n";
	char text[LONGEST];

	if (read_small_file(path, O_NOFOLLOW | O_NONBLOCK, text, sizeof(text)) <= 0)
		return false;
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
