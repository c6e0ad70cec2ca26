/* Owns the log of a sandbox's output. One per process. */
#ifndef OUTPUTLOG_H
#define OUTPUTLOG_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Opens the log in `folder`, or goes on where the last supervisor stopped. The log is a sequence of frames
 * `MS-SINCE-EPOCH o|e BYTES\n`, that many bytes, `\n`. Files are named by the offset of their first frame in that
 * sequence; the newest two are kept. False, and said why, when it cannot be written.
 */
bool open_output_log(const char *folder);

/*
 * Appends one frame of `stream`, 'o' or 'e'. From any thread. False when it was dropped, because the disk is full: a log
 * never stops a program, and half a frame is never left.
 */
bool log_output(char stream, const unsigned char *data, size_t size);

#endif
