/* cli/patience.c - see patience.h. */
#include "cli/patience.h"

#include <time.h>

void patience_begin(struct patience *p, bool screen)
{
	static const int all[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH };

	sigemptyset(&p->set);
	for (int i = 0; i < (screen ? 6 : 3); i++)
		sigaddset(&p->set, all[i]);
	sigprocmask(SIG_BLOCK, &p->set, &p->old);
}

int patience_wait(const struct patience *p, double seconds)
{
	struct timespec wait = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
	int sig = sigtimedwait(&p->set, NULL, &wait);

	return sig > 0 ? sig : 0;
}

void patience_end(const struct patience *p)
{
	sigprocmask(SIG_SETMASK, &p->old, NULL);
}

bool patience_ends(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP;
}

int patience_ended(int sig, struct err *e)
{
	e->code = (enum err_code)(128 + sig); /* as asked: there is nothing to say */
	return -1;
}
