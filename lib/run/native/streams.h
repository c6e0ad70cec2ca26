/* Owns the descriptors 0 to 2 of supervisor and guest. */
#ifndef STREAMS_H
#define STREAMS_H

#include <stdbool.h>

/* Pipes between us and the guest; [0] is always our end, [1] the guest's. */
struct streams {
	int in[2];
	int out[2];
	int err[2];
};

/* Makes sure that 0, 1 and 2 are open, so that no later descriptor of ours lands there. */
bool guard_streams(void);

/* Makes the pipes, close-on-exec. Without `pass_stdin` the guest's stdin is already at its end. */
bool open_streams(struct streams *streams, bool pass_stdin);

/* Puts /dev/null in the place of our stdin, so that whoever feeds it learns that nobody reads any more. */
void drop_stdin(void);

#endif
