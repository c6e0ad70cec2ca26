/* Owns the signals that we get: which cancel, which are ignored, taking one. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int take_signals(void)
{
	static const int cancelling[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	/* A stopped supervisor would hold no deadline: Ctrl-Z and background terminals do not stop it. */
	static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	struct sigaction before;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(cancelling) / sizeof(cancelling[0]); i++) {
		/* nohup and `&` in a script ignore HUP, INT and QUIT for us; TERM is the parent's death, never ignored. */
		if (sigaction(cancelling[i], NULL, &before) != 0)
			return -1;
		if (before.sa_handler != SIG_IGN || cancelling[i] == SIGTERM)
			sigaddset(&set, cancelling[i]);
	}
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (sigaction(ignored[i], &ignore, NULL) != 0)
			return -1;
	/* Ignored SIGCHLD, inherited, would make the kernel reap the child before we learn its status. */
	if (sigaction(SIGCHLD, &standard, NULL) != 0 || sigprocmask(SIG_SETMASK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int take_signal(int signals)
{
	struct signalfd_siginfo info;

	return read(signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
