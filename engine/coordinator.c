/* engine/coordinator.c - the loop: signals, workers' words, the queue.
 *
 * One thread, one poll(). Whatever a worker says is stored before the next thing is looked at; a worker whose words
 * are not read yet waits in its socket.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

static const double tick_s = 1;

/* ---- signals -------------------------------------------------------------------------------------------- */

static void our_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

static int take_signals(struct engine *g, struct err *e)
{
	sigset_t set;

	our_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &g->old_mask);
	g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return g->signal_fd < 0 ? ERR(e, ERR_RUNTIME, NULL, "no signal descriptor: %s", strerror(errno)) : 0;
}

static void stop_all(struct engine *g)
{
	for (int i = 0; i < g->n_slots; i++) {
		struct slot *s = &g->slots[i];

		if (s->state != SLOT_BUSY || s->stopping)
			continue;
		s->stopping = true;
		message_send(s->channel.fd, MESSAGE_STOP, json_object(), NULL, 0, NULL);
	}
}

void engine_listen(struct engine *g)
{
	struct signalfd_siginfo info;

	while (g->signal_fd >= 0 && read(g->signal_fd, &info, sizeof info) == sizeof info) {
		g->signals++;
		g->last_signal = (int)info.ssi_signo;
		if (g->signals == 1) {
			engine_note(g, ENGINE_NOTE,
				    "stopping: runs end their epoch and are kept; once more to leave at once");
			stop_all(g);
		}
	}
}

/* ---- opening and closing -------------------------------------------------------------------------------- */

static int recover_rows(struct engine *g, void *arg, struct err *e)
{
	int *lost = arg;

	*lost = store_recover(g->store, e);
	return *lost;
}

int engine_open(struct engine *g, const struct study *y, const struct engine_conf *c, struct err *e)
{
	int lost = 0;

	memset(g, 0, sizeof *g);
	g->signal_fd = g->listen_fd = -1;
	for (int i = 0; i < CLIENTS; i++)
		g->clients[i].fd = -1;
	g->conf = c;
	g->arena = arena_new();
	g->store_path = arena_strdup(g->arena, c->store ? c->store : y->store);
	g->files = arena_printf(g->arena, "%s.files", g->store_path);
	g->began = g->ticked = clock_mono();
	gethostname(g->host, sizeof g->host - 1);
	if (slots_open(g, y, e) < 0)
		return -1;
	if (store_open(&g->store, g->store_path, STORE_CREATE, e) < 0 || file_mkdirs(g->files, e) < 0 ||
	    take_signals(g, e) < 0 || engine_persist(g, recover_rows, &lost, e) < 0 || submit_listen(g, e) < 0)
		return -1;
	if (store_was_unclean(g->store))
		engine_note(g, ENGINE_NOTE, "the coordinator before this one did not end by itself; %d runs go on",
			    lost);
	return 0;
}

void engine_close(struct engine *g)
{
	slots_close(g);
	submit_close(g);
	if (g->store)
		store_recover(g->store, NULL); /* if that fails, the next coordinator does it */
	for (int i = 0; i < g->n_works; i++)
		work_free(g->works[i]);
	mem_free(g->works);
	store_close(g->store);
	if (g->signal_fd >= 0) {
		close(g->signal_fd);
		sigprocmask(SIG_SETMASK, &g->old_mask, NULL);
	}
	arena_free(g->arena);
	memset(g, 0, sizeof *g);
}

/* ---- the queue ------------------------------------------------------------------------------------------ */

/* The next run to start; asks the searches for more when nothing waits. NULL: nothing now. */
static int next_job(struct job **out, struct engine *g, struct err *e)
{
	for (;;) {
		double now = clock_mono();
		int asked = 0;

		*out = engine_pick(g, now);
		if (*out)
			return 0;
		for (int i = 0; i < g->n_works && !asked; i++)
			if (work_in_time(g->works[i], now))
				asked = work_ask(g, g->works[i], e);
		if (asked <= 0)
			return asked;
	}
}

/* Gives a free slot something to do: 1, or 0 if there is nothing now. */
static int occupy(struct engine *g, struct slot *s, struct err *e)
{
	struct job *t = NULL;
	int refused;

	do {
		if (next_job(&t, g, e) < 0)
			return -1;
		if (!t)
			return 0;
		if (s->state == SLOT_DOWN)
			return slot_start(g, s, e) < 0 ? -1 : 1;
		refused = attempt_begin(g, s, t, e);
	} while (refused == 1);
	return refused < 0 ? -1 : 1;
}

static int dispatch(struct engine *g, struct err *e)
{
	for (int i = 0; i < g->n_slots && !g->signals; i++) {
		struct slot *s = &g->slots[i];
		int rc;

		if ((s->state != SLOT_IDLE && s->state != SLOT_DOWN) || clock_mono() < s->not_before)
			continue;
		rc = occupy(g, s, e);
		if (rc <= 0)
			return rc;
	}
	return 0;
}

/* A run that turned out to be beyond a target is of no use any more. */
static void stop_surplus(struct engine *g)
{
	for (int i = 0; i < g->n_slots; i++) {
		struct slot *s = &g->slots[i];

		if (s->state != SLOT_BUSY || s->stopping || !s->job ||
		    !work_is_surplus(s->job->candidate->work, s->job->candidate))
			continue;
		s->stopping = true;
		message_send(s->channel.fd, MESSAGE_STOP, json_object(), NULL, 0, NULL);
	}
}

static void kill_silent(struct engine *g, double now)
{
	for (int i = 0; i < g->n_slots; i++) {
		struct slot *s = &g->slots[i];
		double most = s->job ? s->job->candidate->work->study.limits.silence : 60;

		if ((s->state != SLOT_BUSY && s->state != SLOT_STARTING) || now - s->heard < most)
			continue;
		s->silent = true;
		slot_kill(s);
	}
}

/* ---- the loop ------------------------------------------------------------------------------------------- */

static int hear(struct engine *g, struct slot *s, struct err *e)
{
	struct message m;
	int gone = channel_fill(&s->channel, false) < 0, rc;

	while ((rc = channel_next(&s->channel, &m)) == 1) {
		int ok = attempt_message(g, s, &m, e);

		message_release(&m);
		if (ok < 0)
			return -1;
	}
	if (rc < 0)
		slot_kill(s);
	return gone || rc < 0 ? attempt_lost(g, s, e) : 0;
}

static int wait_for_words(struct engine *g, struct err *e)
{
	struct pollfd *p = mem_new((size_t)(g->n_slots + CLIENTS + 2) * sizeof *p);
	int n = g->n_slots + CLIENTS + 2, rc = 0;

	for (int i = 0; i < g->n_slots; i++)
		p[i] = (struct pollfd){ .fd = g->slots[i].state == SLOT_DOWN ? -1 : g->slots[i].channel.fd,
					.events = POLLIN };
	for (int i = 0; i < CLIENTS; i++)
		p[g->n_slots + i] = (struct pollfd){ .fd = g->clients[i].fd, .events = POLLIN };
	p[n - 2] = (struct pollfd){ .fd = g->listen_fd, .events = POLLIN };
	p[n - 1] = (struct pollfd){ .fd = g->signal_fd, .events = POLLIN };
	poll(p, (nfds_t)n, 200);
	for (int i = 0; i < g->n_slots && rc == 0; i++)
		if (p[i].fd >= 0 && p[i].revents)
			rc = hear(g, &g->slots[i], e);
	for (int i = 0; i < CLIENTS && rc == 0; i++)
		if (p[g->n_slots + i].fd >= 0 && p[g->n_slots + i].revents)
			rc = submit_serve(g, &g->clients[i], e);
	if (rc == 0 && g->listen_fd >= 0 && p[n - 2].revents)
		submit_accept(g);
	mem_free(p);
	return rc;
}

static bool busy(const struct engine *g)
{
	for (int i = 0; i < g->n_slots; i++)
		if (g->slots[i].state == SLOT_BUSY)
			return true;
	return false;
}

static bool over(const struct engine *g)
{
	if (busy(g))
		return false;
	if (g->signals)
		return true;
	for (int i = 0; i < g->n_works; i++)
		if (!work_finished(g->works[i], clock_mono()))
			return false;
	return true;
}

static void tick(struct engine *g)
{
	double now = clock_mono();

	kill_silent(g, now);
	if (now - g->ticked < tick_s)
		return;
	g->ticked = now;
	engine_emit(g, (struct engine_event){ .kind = ENGINE_TICK, .slot = -1, .score = (double)NAN });
}

int engine_run(struct engine *g, struct err *e)
{
	for (;;) {
		if (!g->signals && dispatch(g, e) < 0)
			return -1;
		stop_surplus(g);
		if (over(g) || g->signals > 1)
			break;
		if (wait_for_words(g, e) < 0)
			return -1;
		engine_listen(g);
		tick(g);
	}
	for (int i = 0; i < g->n_works; i++)
		if (work_finish(g, g->works[i], g->signals > 0, e) < 0)
			return -1;
	return 0;
}
