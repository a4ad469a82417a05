/* cli/cmd_watch.c - nab watch: a search as it runs. On a terminal a screen of its own, redrawn; else sparse plain
 * lines. Reads the store, beside whoever writes it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/patience.h"
#include "cli/target.h"
#include "cli/terminal.h"
#include "cli/watch_frame.h"

enum { PLAIN_EVERY_S = 30 };

struct flags {
	const char *store, *study;
	double interval;
	bool once;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_STR(struct flags, study, NULL, "only this study; default: those that are not finished, and the newest"),
	OPT_REAL(struct flags, interval, 1, 0.1, 3600, "seconds between two looks"),
	OPT_BOOL(struct flags, once, 0, "show the state now, and end"),
	OPT_END,
};

struct watcher {
	struct cli *cli;
	struct store *store;
	struct arena *arena; /* of a frame */
	struct watch now;
	int64_t version; /* of the store, when it was read */
	bool screen;     /* a terminal that can be redrawn */
	bool *told;      /* plain: [n_told] the run has ended, and it was said */
	int64_t n_told;
	double last_line;
};

/* ---- the terminal --------------------------------------------------------------------------------------- */

static void enter(const struct watcher *w)
{
	if (w->screen)
		fputs("\033[?1049h\033[?25l", stdout);
}

static void leave(const struct watcher *w)
{
	if (w->screen)
		fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
}

/* Every line clears what was behind it, the last one what was below: nothing flickers. */
static void redraw(const struct watcher *w)
{
	struct look l = terminal_look(w->cli->paint_out);
	struct str t = { 0 };

	l.height = l.height > 1 ? l.height - 1 : l.height;
	watch_frame(&t, &w->now, &l);
	fputs("\033[H", stdout);
	for (const char *s = str_get(&t); *s;) {
		size_t n = strcspn(s, "\n");

		printf("%.*s\033[K\r\n", (int)n, s);
		s += n + (s[n] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
	str_release(&t);
}

static void print_frame(const struct watcher *w)
{
	struct look l = terminal_look(w->cli->paint_out);
	struct str t = { 0 };

	l.height = 0;
	watch_frame(&t, &w->now, &l);
	fputs(str_get(&t), stdout); /* texts of others were cleaned where they were put in */
	fflush(stdout);
	str_release(&t);
}

/* ---- plain lines ---------------------------------------------------------------------------------------- */

static void tell(struct watcher *w, bool first, bool last)
{
	struct str t = { 0 };

	for (int i = 0; i < w->now.n_items; i++) {
		const struct store_item *it = &w->now.items[i];

		while (it->run.id >= w->n_told) {
			int64_t n = w->n_told ? 2 * w->n_told : 1024;

			w->told = mem_resize(w->told, (size_t)n * sizeof *w->told);
			memset(w->told + w->n_told, 0, (size_t)(n - w->n_told) * sizeof *w->told);
			w->n_told = n;
		}
		if (!run_state_final(it->run.state) || w->told[it->run.id])
			continue;
		w->told[it->run.id] = true;
		if (!first)
			watch_ended(&t, it);
	}
	if (first || last || clock_mono() - w->last_line >= PLAIN_EVERY_S) {
		watch_line(&t, &w->now);
		w->last_line = clock_mono();
	}
	fputs(str_get(&t), stdout);
	fflush(stdout);
	str_release(&t);
}

/* ---- the loop ------------------------------------------------------------------------------------------- */

/* A store that nobody has written to says the same as before. */
static int look_again(struct watcher *w, struct err *e)
{
	const struct flags *f = w->cli->flags;
	int64_t version;

	if (store_version(w->store, &version, e) < 0)
		return -1;
	store_holder(store_path(w->store), w->now.holder, sizeof w->now.holder);
	if (w->now.n_studies && version == w->version)
		return 0;
	w->version = version;
	arena_reset(w->arena);
	return watch_read(&w->now, w->store, f->study, w->arena, e);
}

/* Waits until it is time to look again. Returns the signal that ends the watching, or 0. */
static int rest(const struct watcher *w, const struct patience *p, double seconds)
{
	int sig = patience_wait(p, seconds);

	if (sig == SIGTSTP) { /* give the terminal back while we are stopped */
		leave(w);
		raise(SIGSTOP);
		enter(w);
	}
	return patience_ends(sig) ? sig : 0;
}

static bool over(const struct watcher *w)
{
	return w->now.finished || !w->now.holder[0];
}

static int follow(struct watcher *w, const struct patience *p, int *sig, struct err *e)
{
	const struct flags *f = w->cli->flags;

	for (bool first = true;; first = false) {
		if (look_again(w, e) < 0)
			return -1;
		if (w->screen)
			redraw(w);
		else
			tell(w, first, over(w));
		if (over(w) || (*sig = rest(w, p, f->interval)))
			return 0;
	}
}

static int watch(struct watcher *w, struct err *e)
{
	struct patience p;
	int rc, sig = 0;

	patience_begin(&p, w->screen);
	enter(w);
	rc = follow(w, &p, &sig, e);
	leave(w);
	patience_end(&p);
	if (rc == 0 && w->screen)
		print_frame(w);
	return rc < 0 ? -1 : sig ? patience_ended(sig, e) : 0;
}

static int show(struct watcher *w, struct err *e)
{
	if (look_again(w, e) < 0)
		return -1;
	if (w->cli->json)
		cli_print_json(watch_json(&w->now));
	else
		print_frame(w);
	return 0;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	const char *term = getenv("TERM");
	struct watcher w = { .cli = c };
	int rc;

	w.screen = isatty(STDOUT_FILENO) && strcmp(c->color, "never") && !(term && strcmp(term, "dumb") == 0);
	if (cli_open_store(c, f->store, &w.store, e) < 0)
		return -1;
	w.arena = arena_new();
	rc = f->once || c->json ? show(&w, e) : watch(&w, e);
	arena_free(w.arena);
	mem_free(w.told);
	store_close(w.store);
	return rc;
}

const struct command command_watch = {
	.name = "watch",
	.usage = "[flags]",
	.help = "follow a running search: devices, epochs, queue, best so far, failures",
	.more = "  nab watch --store fashion.db\n"
		"  nab watch --once --json\n\n"
		"Ends when the study is finished or no coordinator is at work any more.",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.max_args = 0,
	.run = run,
};
