/* Owns passing bytes between connections to published ports and the sandbox. */
#ifndef PUMP_H
#define PUMP_H

#include <netinet/in.h>
#include <stddef.h>

/* Accepts at each listener and connects to the port `inside` of 127.0.0.1 in our own network namespace. Never returns. */
_Noreturn void pump(const int *listeners, const in_port_t *inside, size_t count);

#endif
