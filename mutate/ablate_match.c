/* mutate/ablate_match.c - see ablate_match.h. */
#include "mutate/ablate_match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/scale.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "mutate/draft.h"

static const double tolerance = 0.02;
enum { BISECTIONS = 24, STEPS = 64 };
static const double widest = 16, narrowest = 0.05;

static int64_t size_of(const struct graph *g, enum ablate_match match)
{
	struct cost c;

	if (graph_cost(g, &c, NULL) < 0)
		return INT64_MAX;
	return match == MATCH_MACS ? c.macs : c.params;
}

static double distance(int64_t size, int64_t target)
{
	return fabs((double)size - (double)target) / (double)target;
}

bool ablate_match_needed(const struct graph *child, const struct graph *parent, enum ablate_match match)
{
	int64_t target = size_of(parent, match);

	return target > 0 && distance(size_of(child, match), target) > tolerance;
}

/* ---- which layers must have one width --------------------------------------------------------------------- */

struct tie {          /* layers whose widths are one number */
	int width;    /* in the child */
	int multiple; /* of what it must be: groups of convolutions and norms */
	bool fixed;
	int now, best;
};

struct matcher {
	const struct graph *graph; /* the child */
	const struct mutate_env *env;
	enum ablate_match match;
	int64_t target;
	int *of; /* [n_nodes] the tie that gives a node's channels, or -1 */
	struct tie *ties;
	int n;
	struct arena *arena;
};

static int groups_of(const struct node *n)
{
	switch ((int)n->kind) {
	case LAYER_conv2d:
		return ((const struct conv2d *)n->cfg)->groups;
	case LAYER_conv1d:
		return ((const struct conv1d *)n->cfg)->groups;
	case LAYER_groupnorm:
		return ((const struct groupnorm *)n->cfg)->groups;
	default:
		return 1;
	}
}

static int least_multiple(int a, int b)
{
	int x = a, y = b;

	while (y) {
		int r = x % y;

		x = y;
		y = r;
	}
	return a / x * b;
}

static int tie_at(const struct matcher *m, struct edge from)
{
	return from.node < 0 ? -1 : m->of[from.node];
}

/* Two ties become one. -1 stands for a width that cannot be moved. */
static int unite(struct matcher *m, int a, int b)
{
	if (a == b)
		return a;
	if (a < 0 || b < 0) {
		m->ties[a < 0 ? b : a].fixed = true;
		return a < 0 ? b : a;
	}
	m->ties[a].fixed |= m->ties[b].fixed;
	m->ties[a].multiple = least_multiple(m->ties[a].multiple, m->ties[b].multiple);
	for (int i = 0; i < m->graph->n_nodes; i++)
		if (m->of[i] == b)
			m->of[i] = a;
	m->ties[b].fixed = true; /* of nobody any more */
	return a;
}

static int tie_of(struct matcher *m, int i)
{
	const struct node *n = &m->graph->nodes[i];
	const int *width = layer_width(n->kind, n->cfg);
	int tie = tie_at(m, n->in[0]);

	if (width) {
		m->ties[m->n] = (struct tie){ .width = *width, .multiple = groups_of(n), .fixed = n->share >= 0 };
		return m->n++;
	}
	if (n->kind == LAYER_concat || n->kind == LAYER_choice || layer_classes[n->kind]->family == FAMILY_RESHAPE)
		return -1;
	for (int k = 1; k < n->n_in; k++)
		tie = unite(m, tie, tie_at(m, n->in[k]));
	return tie;
}

static void find_ties(struct matcher *m)
{
	const struct graph *g = m->graph;

	m->of = ARENA_ARRAY(m->arena, int, g->n_nodes + 1);
	m->ties = ARENA_ARRAY(m->arena, struct tie, g->n_nodes + 1);
	memset(m->of, -1, (size_t)g->n_nodes * sizeof *m->of);
	for (int i = 0; i < g->n_nodes; i++) {
		int in = tie_at(m, g->nodes[i].in[0]);

		if (in >= 0)
			m->ties[in].multiple = least_multiple(m->ties[in].multiple, groups_of(&g->nodes[i]));
		m->of[i] = tie_of(m, i);
	}
	for (int i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].share >= 0 && m->of[g->nodes[i].share] >= 0)
			m->ties[m->of[g->nodes[i].share]].fixed = true;
	for (int k = 0; k < g->n_outputs; k++)
		if (tie_at(m, g->outputs[k].from) >= 0)
			m->ties[tie_at(m, g->outputs[k].from)].fixed = true;
}

/* ---- trying widths ---------------------------------------------------------------------------------------- */

static void edit_inside(struct draft *d, int group)
{
	for (; group >= 0; group = d->groups[group].parent)
		d->groups[group].args = NULL;
}

/* Whether it has the layers of the child, with the widths wanted: nothing had to be inserted or dropped. */
static bool as_wanted(const struct matcher *m, const struct graph *g)
{
	for (int i = 0; i < m->graph->n_nodes; i++) {
		const struct node *old = &m->graph->nodes[i];
		int at = graph_find(g, old->id);
		const int *width;

		if (at < 0 || groups_of(&g->nodes[at]) != groups_of(old))
			return false;
		width = layer_width(old->kind, g->nodes[at].cfg);
		if (width && m->of[i] >= 0 && *width != m->ties[m->of[i]].now)
			return false;
	}
	return g->n_nodes == m->graph->n_nodes;
}

/* The child with the ties' present widths, in arena a; NULL if it does not fit. */
static struct graph *build(const struct matcher *m, struct arena *a)
{
	struct mutate_log log = { 0 };
	struct draft *d = draft_new(m->graph, m->env, &log, a);
	struct graph *out = NULL;

	for (int i = 0; i < m->graph->n_nodes; i++) {
		int *width = layer_width(d->nodes[i].kind, d->nodes[i].cfg);
		int tie = m->of[i];

		if (!width || tie < 0 || m->ties[tie].fixed || m->ties[tie].now == *width)
			continue;
		*width = m->ties[tie].now;
		edit_inside(d, d->nodes[i].group);
	}
	return draft_build(&out, d, NULL, NULL) > 0 && as_wanted(m, out) ? out : NULL;
}

static int64_t try_widths(const struct matcher *m)
{
	struct arena *scratch = arena_new();
	const struct graph *g = build(m, scratch);
	int64_t size = g ? size_of(g, m->match) : -1;

	arena_free(scratch);
	return size;
}

static int64_t try_factor(struct matcher *m, double factor)
{
	for (int i = 0; i < m->n; i++) {
		struct tie *t = &m->ties[i];
		long n = lround(t->width * factor / t->multiple);

		t->now = t->fixed ? t->width : (int)(n < 1 ? 1 : n) * t->multiple;
	}
	return try_widths(m);
}

/* The largest common factor that stays within the target. False if none does. */
static bool find_factor(struct matcher *m)
{
	double low = narrowest, high = widest;
	int64_t least = try_factor(m, low);

	if (least < 0 || least > m->target)
		return false;
	for (int i = 0; i < BISECTIONS; i++) {
		double middle = sqrt(low * high);
		int64_t size = try_factor(m, middle);

		if (size >= 0 && size <= m->target)
			low = middle;
		else
			high = middle;
	}
	return try_factor(m, low) >= 0;
}

/* Moves one tie by one step in the direction that comes nearest to the target; false if none comes nearer. */
static bool step(struct matcher *m, int64_t *size)
{
	int best = -1;
	int64_t got = *size;

	for (int i = 0; i < m->n; i++) {
		struct tie *t = &m->ties[i];
		int way = *size < m->target ? t->multiple : -t->multiple;
		int64_t there;

		if (t->fixed || t->now + way < t->multiple)
			continue;
		t->now += way;
		there = try_widths(m);
		if (there >= 0 && distance(there, m->target) < distance(got, m->target)) {
			best = i;
			got = there;
		}
		t->now -= way;
	}
	if (best < 0)
		return false;
	m->ties[best].now += *size < m->target ? m->ties[best].multiple : -m->ties[best].multiple;
	*size = got;
	return true;
}

/* ------------------------------------------------------------------------------------------------------------ */

static void describe(struct ablate_child *out, const struct ablate_child *child, const struct matcher *m, int64_t size)
{
	const char *what = m->match == MATCH_MACS ? "multiply-adds" : "parameters";
	struct str words = { 0 };
	char n[32];
	bool any = false;

	str_addf(&words, "%s; control of %s %s:", child->log.words ? child->log.words : "",
		 str_thousands(n, (long long)size), what);
	for (int i = 0; i < m->graph->n_nodes; i++) {
		const struct node *node = &m->graph->nodes[i];
		int tie = layer_width(node->kind, node->cfg) ? m->of[i] : -1;

		if (tie < 0 || m->ties[tie].now == m->ties[tie].width)
			continue;
		str_addf(&words, "%s %s %d -> %d", any ? "," : "", node->id, m->ties[tie].width, m->ties[tie].now);
		any = true;
	}
	out->log = child->log;
	out->log.words = arena_strdup(m->arena, str_get(&words));
	str_release(&words);
}

void ablate_match_build(struct ablate_child *out, const struct ablate_child *child, const struct graph *parent,
			enum ablate_match match, const struct mutate_env *env, struct arena *a)
{
	struct matcher m = { .graph = child->graph, .env = env, .match = match, .arena = a };
	int64_t size;

	m.target = size_of(parent, match);
	find_ties(&m);
	if (!find_factor(&m)) {
		out->log.refusal = "no common factor on its widths makes it as large as the parent";
		return;
	}
	size = try_widths(&m);
	for (int i = 0; i < STEPS && distance(size, m.target) > tolerance / 8 && step(&m, &size); i++)
		;
	if (distance(size, m.target) > tolerance) {
		out->log.refusal = arena_printf(a, "the nearest control differs from the parent by %.1f %%",
						100 * distance(size, m.target));
		return;
	}
	describe(out, child, &m, size);
	out->graph = build(&m, a);
}
