/* Owns starting a thread. */
#include "thread.h"

#include <errno.h>
#include <pthread.h>

#define STACK (64 * 1024)

bool start_thread(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK) != 0 ||
	    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) != 0)
		return false;
	errno = pthread_create(&thread, &attributes, run, argument);
	return errno == 0;
}
