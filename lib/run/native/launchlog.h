/* Owns reading the log that the OCI runtime keeps of its own failures. */
#ifndef LAUNCHLOG_H
#define LAUNCHLOG_H

#include <stdbool.h>

/*
 * Says the first error of a log of JSON lines (crun and runc write {"msg":…,"level":"error",…}), what was attempted ("start",
 * "enter"), and the remedy.
 */
bool say_launch_error(const char *path, const char *attempt);

#endif
