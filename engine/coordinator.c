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

static const double tick_s = 1, window_s = 3;

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
	for (int i = 0; i < g->n_slots; i++)
		if (g->slots[i].job && !g->slots[i].stopping)
			slot_stop(&g->slots[i]);
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
	if (devices_open(g, y, e) < 0)
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
	devices_close(g);
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

/* The next run to start on a device; asks the searches for more when nothing waits. NULL: nothing now. */
static int next_job(struct job **out, struct engine *g, const struct device *d, struct err *e)
{
	for (;;) {
		double now = clock_mono();
		int asked = 0;

		*out = engine_pick(g, d, now);
		if (*out)
			return 0;
		for (int i = 0; i < g->n_works && !asked; i++)
			if (work_in_time(g->works[i], now) && study_kind(&g->works[i]->study) == d->kind &&
			    !work_waits(g->works[i]))
				asked = work_ask(g, g->works[i], e);
		if (asked <= 0)
			return asked;
	}
}

/* Gives a device something to do: 1, or 0 if there is nothing now. */
static int occupy(struct engine *g, struct device *d, struct err *e)
{
	struct slot *s = d->slots;
	struct job *t = NULL;
	int refused;

	do {
		if (next_job(&t, g, d, e) < 0)
			return -1;
		if (!t)
			return 0;
		if (d->state == DEVICE_DOWN)
			return device_start(g, d, e) < 0 ? -1 : 0;
		while (s->job)
			s++;
		refused = attempt_begin(g, s, t, e);
	} while (refused == 1);
	return refused < 0 ? -1 : 1;
}

static int dispatch(struct engine *g, struct err *e)
{
	for (int i = 0; i < g->n_devices && !g->signals; i++) {
		struct device *d = &g->devices[i];
		int rc = 1;

		if (d->state == DEVICE_STARTING || d->gone)
			continue;
		while (rc == 1 && device_busy(d) < d->climb.open && clock_mono() >= d->not_before)
			rc = occupy(g, d, e);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* A run that turned out to be beyond a target is of no use any more. */
static void stop_surplus(struct engine *g)
{
	for (int i = 0; i < g->n_slots; i++) {
		struct slot *s = &g->slots[i];

		if (s->job && !s->stopping && work_is_surplus(s->job->candidate->work, s->job->candidate))
			slot_stop(s);
	}
}

/* Whether a device has said nothing for too long, or one of its runs: but one that has not begun yet may wait for the
 * memory of others. */
static bool is_silent(const struct device *d, double now)
{
	double most = 60;

	if (d->state == DEVICE_DOWN || (d->state == DEVICE_UP && device_busy(d) == 0))
		return false;
	for (int i = 0; i < d->n_slots; i++) {
		const struct slot *s = &d->slots[i];

		if (!s->job)
			continue;
		most = s->job->candidate->work->study.limits.silence;
		if (s->heard > 0 && now - s->heard >= most)
			return true;
	}
	return now - d->heard >= most;
}

static void kill_silent(struct engine *g, double now)
{
	for (int i = 0; i < g->n_devices; i++) {
		if (!is_silent(&g->devices[i], now))
			continue;
		g->devices[i].silent = true;
		device_kill(&g->devices[i]);
	}
}

/* Full windows count: those in which all of the runs that are allowed were in flight. */
static void watch_rate(struct device *d, double now)
{
	if (d->climb.most == 1)
		return;
	if (device_busy(d) != d->climb.open) {
		d->since = 0;
	} else if (d->since == 0) {
		d->since = now;
		d->examples = 0;
	} else if (now - d->since >= window_s) {
		climb_move(&d->climb, (double)d->examples / (now - d->since));
		d->since = 0;
	}
}

/* ---- the loop ------------------------------------------------------------------------------------------- */

static int hear(struct engine *g, struct device *d, struct err *e)
{
	struct message m;
	int gone = channel_fill(&d->channel, false) < 0, rc;

	while ((rc = channel_next(&d->channel, &m)) == 1) {
		int ok = attempt_message(g, d, &m, e);

		message_release(&m);
		if (ok < 0)
			return -1;
	}
	if (rc < 0)
		device_kill(d);
	return gone || rc < 0 ? attempts_lost(g, d, e) : 0;
}

static int wait_for_words(struct engine *g, struct err *e)
{
	int n = g->n_devices + CLIENTS + 2, rc = 0;
	struct pollfd *p = mem_new((size_t)n * sizeof *p);

	for (int i = 0; i < g->n_devices; i++)
		p[i] = (struct pollfd){ .fd = g->devices[i].state == DEVICE_DOWN ? -1 : g->devices[i].channel.fd,
					.events = POLLIN };
	for (int i = 0; i < CLIENTS; i++)
		p[g->n_devices + i] = (struct pollfd){ .fd = g->clients[i].fd, .events = POLLIN };
	p[n - 2] = (struct pollfd){ .fd = g->listen_fd, .events = POLLIN };
	p[n - 1] = (struct pollfd){ .fd = g->signal_fd, .events = POLLIN };
	poll(p, (nfds_t)n, 200);
	for (int i = 0; i < g->n_devices && rc == 0; i++)
		if (p[i].fd >= 0 && p[i].revents)
			rc = hear(g, &g->devices[i], e);
	for (int i = 0; i < CLIENTS && rc == 0; i++)
		if (p[g->n_devices + i].fd >= 0 && p[g->n_devices + i].revents)
			rc = submit_serve(g, &g->clients[i], e);
	if (rc == 0 && g->listen_fd >= 0 && p[n - 2].revents)
		submit_accept(g);
	mem_free(p);
	return rc;
}

static bool busy(const struct engine *g)
{
	for (int i = 0; i < g->n_slots; i++)
		if (g->slots[i].job)
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
	for (int i = 0; i < g->n_devices; i++)
		watch_rate(&g->devices[i], now);
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
