/* space/sample.c - drawing models: the Markov chain, templates, and the loop until one is within all limits. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "space/internal.h"

enum { REDRAWS_MAX = 500 };

/* ---- the chain ------------------------------------------------------------------------------------------ */

int space_chain(const struct space *s, int chain, int state)
{
	return s->triggers[state] ? s->triggers[state] : chain;
}

int space_next(const struct space *s, int chain, int prev, struct rng *rng)
{
	const struct chain *c = &s->chains[chain];
	const double *row = prev == SPACE_START ? c->start : c->rows[prev];
	int next = row ? rng_pick(rng, row, s->n_states + 1) : -1;

	return next < 0 || next == s->n_states ? SPACE_END : next;
}

struct json *space_state_draw(const struct space *s, int chain, int state, struct rng *rng)
{
	return draw_value(s->chains[chain].defs[state].entries, rng);
}

/* One appended state, or the end of the chain. Returns the state, SPACE_END, or -3 with d->cause. */
enum { STEP_REJECTED = -3 };

static int chain_step(struct draft *d, int chain, int prev)
{
	const struct chain *c = &d->s->chains[chain];

	for (int i = 0; i < REDRAWS_MAX; i++) {
		int state = space_next(d->s, chain, prev, d->rng);

		if (state == SPACE_END || draft_append(d, &c->defs[state]))
			return state;
		if (d->broken) {
			draft_reject(d, CAUSE_SIZE);
			return STEP_REJECTED;
		}
		if (d->st)
			d->st->misfits[state]++;
		if (c->on_misfit == MISFIT_END)
			return SPACE_END;
		if (c->on_misfit == MISFIT_REJECT)
			break;
	}
	draft_reject(d, CAUSE_MISFIT);
	return STEP_REJECTED;
}

static int draw_markov(struct draft *d)
{
	const struct space *s = d->s;
	int chain = 0, state = SPACE_START;

	if (!draft_append(d, &s->stem))
		return draft_reject(d, CAUSE_HEAD);
	while (draft_within(d)) {
		state = chain_step(d, chain, state);
		if (state == STEP_REJECTED)
			return 0;
		if (state == SPACE_END)
			return draft_append(d, &s->chains[chain].head) ? 1 : draft_reject(d, CAUSE_HEAD);
		d->sum[LIMIT_STATES]++;
		if (d->st)
			d->st->steps++;
		chain = space_chain(s, chain, state);
	}
	return 0;
}

/* ---- templates ------------------------------------------------------------------------------------------ */

/* A template's layers and "with" together are what is enumerated: "with" changes slowest. */
static int64_t template_count(const struct space *s)
{
	int64_t with = s->with ? draw_count(s->with) : 1, body = draw_count(s->body.entries);

	return with < 0 || body < 0 || body > ((int64_t)1 << 53) / with ? -1 : with * body;
}

static int draw_template(struct draft *d, int64_t k)
{
	struct json *entries;
	int64_t body;
	int rc;

	if (k < 0)
		return draft_append(d, &d->s->body) ? 1 : draft_reject(d, CAUSE_HEAD);
	body = draw_count(d->s->body.entries);
	d->vars = d->s->with ? draw_nth(d->s->with, k / body) : json_object();
	json_put(d->vars, "classes", json_num(d->t->classes));
	entries = draw_nth(d->s->body.entries, k % body);
	rc = draft_entries(d, entries, true);
	json_free(entries);
	return rc ? 1 : draft_reject(d, CAUSE_HEAD);
}

/* ---- whole models --------------------------------------------------------------------------------------- */

/* Definitions of the blocks that the graph uses, in their parameterised form: what a stored model embeds. */
static void keep_sources(struct draft *d)
{
	struct graph *g = d->g;
	struct json *keep = json_object();
	struct str text = { 0 };

	for (int i = 0; i < g->n_groups; i++) {
		const struct json *def = block_set_find(d->blocks, g->groups[i].block);

		if (def && !json_get(keep, g->groups[i].block))
			json_put(keep, g->groups[i].block, json_copy(def));
	}
	if (json_count(keep)) {
		json_print(&text, keep);
		g->sources = arena_strdup(g->arena, str_get(&text));
	}
	str_release(&text);
	json_free(keep);
}

static int draw_one(struct draft *d, struct graph **out, int64_t k, struct err *e)
{
	int rc = 0;

	if (graph_input(d->g, "in", &d->t->input, e) < 0)
		return -1;
	switch (d->s->form) {
	case SPACE_MARKOV:
		rc = draw_markov(d);
		break;
	case SPACE_CELL:
		rc = cell_build(d, k);
		break;
	case SPACE_TEMPLATE:
		rc = draw_template(d, k);
		break;
	}
	if (rc == 1)
		rc = draft_finish(d, out);
	if (rc == 1 && d->g->n_groups)
		keep_sources(d);
	return rc;
}

static int draw(struct graph **out, const struct space *s, const struct space_target *t, struct rng *rng, int64_t k,
		struct arena *a, struct space_stats *st, enum space_cause *cause, struct diag *why, struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct draft d;
	int rc;

	*out = NULL;
	draft_begin(&d, s, t, rng, a, st);
	d.why = why;
	rc = draw_one(&d, out, k, e);
	draft_release(&d);
	if (rc != 1)
		arena_rewind(a, mark);
	if (rc == 0 && cause)
		*cause = d.cause;
	if (rc >= 0 && st) {
		st->drawn++;
		if (rc)
			st->accepted++;
		else
			st->rejected[d.cause]++;
	}
	return rc;
}

int space_draw(struct graph **out, const struct space *s, const struct space_target *t, struct rng *rng,
	       struct arena *a, struct space_stats *st, enum space_cause *cause, struct err *e)
{
	return draw(out, s, t, rng, -1, a, st, cause, NULL, e);
}

int64_t space_count(const struct space *s)
{
	if (s->form == SPACE_MARKOV)
		return -1;
	return s->form == SPACE_CELL ? cell_count(s) : template_count(s);
}

int space_nth(struct graph **out, const struct space *s, const struct space_target *t, int64_t k, struct arena *a,
	      struct space_stats *st, enum space_cause *cause, struct err *e)
{
	struct rng none = { 0 };

	return draw(out, s, t, &none, k, a, st, cause, NULL, e);
}

/* ---- until one is accepted ------------------------------------------------------------------------------ */

/* The message of the layers that did not fit, from drawing again until it happens. */
static void find_reason(char *text, size_t size, const struct space *s, const struct space_target *t,
			const struct rng *from, struct arena *a)
{
	struct rng rng = *from;

	text[0] = 0;
	for (int i = 0; i < 1000 && !text[0]; i++) {
		struct diag why = { 0 };
		enum space_cause cause = CAUSE_COUNT;
		struct graph *g;
		struct arena_mark mark = arena_mark(a);
		int rc = draw(&g, s, t, &rng, -1, a, NULL, &cause, &why, NULL);

		if (rc == 0 && (cause == CAUSE_MISFIT || cause == CAUSE_HEAD) && why.n)
			snprintf(text, size, ": %s", why.items[why.n - 1].msg);
		arena_rewind(a, mark);
		diag_release(&why);
	}
}

static const char *advice(enum space_cause worst)
{
	if (worst == CAUSE_HEAD)
		return "stem or head do not fit this input";
	if (worst == CAUSE_MISFIT)
		return "its layers do not fit this input";
	return worst < CAUSE_MISFIT ? "this limit cannot be met" : "the models are too large";
}

static int infeasible(const struct space *s, const struct space_target *t, const struct rng *rng, struct arena *a,
		      const int64_t *rejected, struct err *e)
{
	char n[32], reason[160] = "", list[160] = "";
	enum space_cause worst = CAUSE_MISFIT;
	int len = 0;

	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (rejected[i] > rejected[worst])
			worst = (enum space_cause)i;
		if (rejected[i] && len < (int)sizeof list)
			len +=
			    snprintf(list + len, sizeof list - (size_t)len, "%s%s %s", len ? ", " : "",
				     space_cause_name((enum space_cause)i), str_thousands(n, (long long)rejected[i]));
	}
	if (worst == CAUSE_HEAD || worst == CAUSE_MISFIT)
		find_reason(reason, sizeof reason, s, t, rng, a);
	return ERR(e, ERR_INFEASIBLE, s->name, "none of %s models drawn is acceptable (%s): %s%s",
		   str_thousands(n, SPACE_ATTEMPTS), list, advice(worst), reason);
}

/* Limits that contradict each other need no draws to be seen. */
static int check_limits(const struct space *s, struct err *e)
{
	char min[32], max[32];

	for (int i = 0; i < LIMIT_COUNT; i++)
		if (s->limits[i].min > s->limits[i].max)
			return ERR(e, ERR_INFEASIBLE, s->name,
				   "limits.%s: min %s exceeds max %s: no model can be within this limit",
				   space_limit_names[i], str_thousands(min, (long long)s->limits[i].min),
				   str_thousands(max, (long long)s->limits[i].max));
	return 0;
}

int space_sample(struct graph **out, const struct space *s, const struct space_target *t, struct rng *rng,
		 struct arena *a, struct space_stats *st, struct err *e)
{
	int64_t rejected[CAUSE_COUNT] = { 0 };
	struct rng first = *rng;

	if (check_limits(s, e) < 0)
		return -1;
	for (int i = 0; i < SPACE_ATTEMPTS; i++) {
		enum space_cause cause = CAUSE_MISFIT;
		int rc = space_draw(out, s, t, rng, a, st, &cause, e);

		if (rc)
			return rc < 0 ? -1 : 0;
		rejected[cause]++;
	}
	return infeasible(s, t, &first, a, rejected, e);
}
