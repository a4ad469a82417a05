/* engine/rules.c - decisions: what to start next, when to stop, when a run has failed. Pure functions of what is in
 * memory, so that they can be tested without processes.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "engine/internal.h"

bool candidate_final(const struct candidate *c)
{
	for (int i = 0; i < c->n_jobs; i++)
		if (!run_state_final(c->jobs[i].state))
			return false;
	return true;
}

double candidate_score(const struct candidate *c)
{
	double sum = 0;
	int n = 0;

	for (int i = 0; i < c->n_jobs; i++) {
		if (c->jobs[i].state != STATE_DONE || isnan(c->jobs[i].score))
			continue;
		sum += c->jobs[i].score;
		n++;
	}
	return n ? sum / n : (double)NAN;
}

static void judge_one(struct work *w, const struct candidate *c)
{
	const struct study_stop *stop = &w->study.stop;
	double score = candidate_score(c);
	char a[32], b[32];

	for (int i = 0; i < c->n_jobs; i++)
		w->epochs += c->jobs[i].epochs;
	if (stop->accuracy > 0 && score >= stop->accuracy) {
		w->last = (int)c->number;
		snprintf(w->stopped, sizeof w->stopped, "%s %s reached by %s (%s)", w->study.objective,
			 str_real(a, stop->accuracy), c->label, str_real(b, score));
	} else if (stop->epochs > 0 && w->epochs >= stop->epochs) {
		w->last = (int)c->number;
		snprintf(w->stopped, sizeof w->stopped, "%lld epochs trained", (long long)w->epochs);
	}
}

int work_judge(struct work *w)
{
	int before = w->judged;

	while (w->last == NOT_JUDGED && w->judged < w->n_asked && candidate_final(w->by_number[w->judged])) {
		judge_one(w, w->by_number[w->judged]);
		w->judged++;
	}
	return w->judged - before;
}

int64_t work_wanted(const struct work *w)
{
	int64_t most = w->study.search_cfg.candidates;

	if (w->last != NOT_JUDGED)
		return w->last + 1;
	if (w->exhausted || most == 0)
		return most && most < w->n_asked ? most : w->n_asked;
	return most;
}

bool work_in_time(const struct work *w, double now)
{
	return w->study.stop.seconds <= 0 || w->elapsed + (now - w->began) < w->study.stop.seconds;
}

bool work_is_surplus(const struct work *w, const struct candidate *c)
{
	int64_t most = w->study.search_cfg.candidates;

	if (c->origin != ORIGIN_SEARCH)
		return false;
	return (w->last != NOT_JUDGED && c->number > w->last) || (most > 0 && c->number >= most);
}

static bool comes_before(const struct job *a, const struct job *b)
{
	static const int rank[ORIGIN_COUNT] = { [ORIGIN_BASELINE] = 0, [ORIGIN_USER] = 1, [ORIGIN_SEARCH] = 2 };
	const struct candidate *x = a->candidate, *y = b->candidate;

	if (rank[x->origin] != rank[y->origin])
		return rank[x->origin] < rank[y->origin];
	if (x->work != y->work)
		return x->work->id < y->work->id;
	if (x->number != y->number)
		return x->number < y->number;
	return a->replicate < b->replicate;
}

/* A run that starts from another one waits for it. */
static bool may_start(const struct job *j)
{
	return !run_state_final(j->state) && !j->held && (!j->parent || run_state_final(j->parent->state));
}

bool device_serves(const struct device *d, const struct study *y, const char *pin)
{
	if (!pin)
		return d->kind == study_kind(y);
	return strcmp(pin, strchr(pin, ':') ? d->name : device_kind_names[d->kind]) == 0;
}

int device_busy(const struct device *d)
{
	int n = 0;

	for (int i = 0; i < d->n_slots; i++)
		n += d->slots[i].job != NULL;
	return n;
}

/* Or one that was, and makes way for the next. */
static bool holds_suspect(const struct device *d)
{
	for (int i = 0; i < d->n_slots; i++)
		if (d->slots[i].job && (d->slots[i].job->suspect || d->slots[i].cleared))
			return true;
	return false;
}

/* Of those that may start on d now: suspects only, or the others only. */
static struct job *first_of(struct engine *g, const struct device *d, bool suspects, double now)
{
	struct job *best = NULL;

	for (int i = 0; i < g->n_works; i++) {
		struct work *w = g->works[i];

		if (!work_in_time(w, now))
			continue;
		while (w->settled < w->n && candidate_final(w->candidates[w->settled]))
			w->settled++;
		for (int k = w->settled; k < w->n; k++) {
			struct candidate *c = w->candidates[k];

			if (work_is_surplus(w, c) || !device_serves(d, &w->study, c->device))
				continue;
			for (int t = 0; t < c->n_jobs; t++)
				if (may_start(&c->jobs[t]) && c->jobs[t].suspect == suspects &&
				    (!best || comes_before(&c->jobs[t], best)))
					best = &c->jobs[t];
		}
	}
	return best;
}

struct job *engine_pick(struct engine *g, const struct device *d, double now)
{
	struct job *suspect = NULL;

	if (holds_suspect(d))
		return NULL;
	if (device_busy(d) == 0)
		suspect = first_of(g, d, true, now);
	return suspect ? suspect : first_of(g, d, false, now);
}

bool work_waits(const struct work *w)
{
	for (int k = w->settled; k < w->n; k++)
		for (int t = 0; t < w->candidates[k]->n_jobs; t++)
			if (!work_is_surplus(w, w->candidates[k]) && may_start(&w->candidates[k]->jobs[t]))
				return true;
	return false;
}

/* Doubles while that pays, then tries its neighbours. Where more are no faster fewer are kept, as each run then ends
 * earlier; the way down is measured against the best of it, so that it does not lead down in small steps. */
void climb_move(struct climb *c, double rate)
{
	static const double gain = 0.03;
	bool up = c->step > 0, first = c->rate <= 0;

	if (!first && rate < c->rate * (up ? 1 + gain : 1 - gain))
		c->step = up ? -1 : 1;
	else if (!first && up && c->step > 1)
		c->step = c->open;
	c->rate = !up && c->step < 0 && c->rate > rate ? c->rate : rate;
	c->open += c->step;
	if (c->open < 1) {
		c->open = c->most > 1 ? 2 : 1;
		c->step = 1;
	}
	c->open = c->open > c->most ? c->most : c->open;
}

bool job_died(struct job *t, int epoch, int most)
{
	t->deaths = t->deaths && t->death_epoch == epoch ? t->deaths + 1 : 1;
	t->death_epoch = epoch;
	return t->deaths >= most;
}

bool work_finished(const struct work *w, double now)
{
	bool in_time = work_in_time(w, now);

	for (int k = w->settled; k < w->n; k++) {
		const struct candidate *c = w->candidates[k];

		for (int t = 0; t < c->n_jobs; t++) {
			if (c->jobs[t].held)
				return false;
			if (in_time && !run_state_final(c->jobs[t].state) && !work_is_surplus(w, c))
				return false;
		}
	}
	if (!w->search || !in_time || w->exhausted || w->last != NOT_JUDGED)
		return true;
	return w->study.search_cfg.candidates > 0 && w->n_asked >= w->study.search_cfg.candidates;
}
