/* Owns who may connect to the socket of a run's way out, where the folders above it are open to everybody: root's runs. */
#ifndef WAY_H
#define WAY_H

#include <stdbool.h>

#include "options.h"

/* Lets the two users of --way-out, and nobody else, pass its folder and connect to the socket in it. False, and said why, where it cannot. */
bool admit_users(const struct options *options);

#endif
