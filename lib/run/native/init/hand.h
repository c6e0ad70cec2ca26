/* Owns the signal by which init changes hands: from the runtime that made the sandbox to supervise. docs/decisions/0042-no-runtime-waits.md */
#ifndef HAND_H
#define HAND_H

/* The last real-time signal. Only what comes from outside of the sandbox counts; from inside it is passed on as any other. */
#define HAND_SIGNAL 64

#endif
