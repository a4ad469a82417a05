/* engine/events.c - what the caller is told while the engine runs. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "engine/internal.h"

static void count(const struct engine *g, int64_t *done, int64_t *total)
{
	*done = *total = 0;
	for (int i = 0; i < g->n_works; i++) {
		const struct work *w = g->works[i];
		int64_t asked = 0;

		for (int k = 0; k < w->n; k++) {
			const struct candidate *c = w->candidates[k];

			if (work_is_surplus(w, c))
				continue;
			asked += c->origin == ORIGIN_SEARCH;
			*total += c->n_jobs;
			for (int t = 0; t < c->n_jobs; t++)
				*done += run_state_final(c->jobs[t].state);
		}
		if (w->search && work_wanted(w) > asked)
			*total += (work_wanted(w) - asked) * w->study.replicates;
	}
}

/* Every run is taken to last as long as those before it; those under way are half done. */
static double time_left(const struct engine *g, int64_t left)
{
	int busy = 0, open = 0;

	for (int i = 0; i < g->n_devices; i++) {
		busy += device_busy(&g->devices[i]);
		open += g->devices[i].gone ? 0 : g->devices[i].climb.open;
	}
	if (!g->run_count || !open)
		return (double)NAN;
	return ((double)left - 0.5 * busy) * g->run_seconds / g->run_count / open;
}

void engine_emit(struct engine *g, struct engine_event v)
{
	if (!g->conf->on_event)
		return;
	count(g, &v.done, &v.total);
	for (int i = 0; i < g->n_devices; i++)
		v.in_flight += g->devices[i].n_slots > 1 ? device_busy(&g->devices[i]) : 0;
	v.eta = time_left(g, v.total - v.done);
	g->conf->on_event(g->conf->arg, &v);
}

void engine_remember(struct engine *g, int64_t study, const char *kind, const char *text)
{
	struct store_event v = { .study = study, .kind = kind, .text = text };

	store_event_add(g->store, &v, NULL);
}

void engine_note(struct engine *g, enum engine_event_kind kind, const char *fmt, ...)
{
	static const char *const names[] = {
		[ENGINE_PAUSED] = "paused", [ENGINE_RESUMED] = "resumed", [ENGINE_NOTE] = "note"
	};
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (names[kind])
		engine_remember(g, 0, names[kind], text);
	engine_emit(g, (struct engine_event){ .kind = kind, .slot = -1, .text = text, .score = (double)NAN });
}
