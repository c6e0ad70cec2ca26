/* Owns the signals that cancel a run. */
#ifndef SIGNALS_H
#define SIGNALS_H

/* Blocks the signals that cancel and returns their signalfd, -1 on failure. */
int take_signals(void);

/* The next signal that came, 0 when there is none. */
int take_signal(int signals);

#endif
