/* mutate/carry_layers.c - inheriting the weights of all kinds but the sums of products. */
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "mutate/carry_internal.h"

/* ---- recurrent layers ----------------------------------------------------------------------------------- */

/* The parent's unit of each unit, or NULL. */
static int *unit_map(const struct carry *s, int v, const struct rnn *now, const struct rnn *was)
{
	const struct dnode *d = s->made_of[v];
	int *map;

	if (!d->out_map || d->n_out_map != now->units)
		return now->units == was->units ? carry_counting(now->units, s->a) : NULL;
	map = ARENA_ARRAY(s->a, int, now->units);
	for (int u = 0; u < now->units; u++)
		map[u] = d->out_map[u] < was->units ? d->out_map[u] : 0;
	return map;
}

/* One matrix of all gates: w'[g][u][c] = w[g][unit[u]][col[c]] / copies of that column. */
static void fill_gates(struct carry *s, const struct pair *t, const int *unit, int units, int before, const int *col,
		       bool whole)
{
	int n = t->to->spec.d[1], m = t->from->spec.d[1], gates = t->to->spec.d[0] / units;
	const int *copies = carry_copies(col, n, m, s->a);

	if (!whole && !carry_any(col, n))
		return;
	for (int row = 0; row < gates * units; row++) {
		float *out = t->out + (int64_t)row * n;
		const float *in = t->in + ((int64_t)(row / units) * before + unit[row % units]) * m;

		for (int c = 0; c < n; c++)
			if (col[c] >= 0)
				out[c] = in[col[c]] / (float)copies[col[c]];
			else if (whole)
				out[c] = 0;
	}
	s->inherited[t->index] = true;
	s->repeats[t->index] = carry_twice(col, n, m, s->a) || carry_twice(unit, units, before, s->a);
}

static void fill_recurrent(struct carry *s, int v, int p, const int *unit, const int *col, bool whole)
{
	const struct rnn *now = s->child->nodes[v].cfg, *was = s->parent->nodes[p].cfg;
	int first = s->to->of_node[v], *row;
	struct pair t;

	for (int i = first; first >= 0 && i < s->to->n && s->to->tensors[i].node == v; i++) {
		const char *name = s->to->tensors[i].spec.name;

		if (!carry_pair(&t, s, v, p, name))
			continue;
		if (strncmp(name, "weight_ih", 9) == 0) {
			int n = t.to->spec.d[1];

			fill_gates(s, &t, unit, now->units, was->units,
				   whole ? col : carry_settled(s, col, n, t.from->spec.d[1]), whole);
		} else if (strncmp(name, "weight_hh", 9) == 0) {
			fill_gates(s, &t, unit, now->units, was->units, unit, true);
		} else {
			row = ARENA_ARRAY(s->a, int, t.to->spec.d[0]);
			for (int k = 0; k < t.to->spec.d[0]; k++)
				row[k] = k / now->units * was->units + unit[k % now->units];
			carry_rows(s, &t, row, t.to->spec.d[0], 1);
		}
	}
}

void carry_recurrent(struct carry *s, int v, int p, struct channels *out)
{
	const struct node *n = &s->child->nodes[v];
	const struct rnn *now = n->cfg, *was = s->parent->nodes[p].cfg;
	int *col = carry_columns(s, v, p), *unit = unit_map(s, v, now, was), *copies, lost = -1;
	bool whole = carry_covered(s, p, col, carry_read(s, n->in[0])->n, &lost), same;

	if (!unit) {
		carry_fail(s, v, -1, "%s has another width", n->id);
		return;
	}
	if (carry_writes(s, v))
		fill_recurrent(s, v, p, unit, col, whole);
	same = carry_same_input(s, v, p) && now->bidirectional == was->bidirectional && now->merge == was->merge &&
	       now->last == was->last && now->activation == was->activation && (now->bias || !was->bias) &&
	       carry_shares(s, v, p);
	if (!same) {
		carry_fail(s, v, -1, "%s has other options or another input size", n->id);
		return;
	}
	copies = carry_copies(unit, now->units, was->units, s->a);
	for (int k = 0; k < was->units; k++)
		whole = whole && copies[k];
	if (!whole) {
		carry_fail(s, v, lost, "%s reads something else", n->id);
		return;
	}
	for (int port = 0; port < n->n_out; port++)
		for (int c = 0; c < out[port].n; c++)
			out[port].id[c] = carry_own(s, p, port, c / now->units * was->units + unit[c % now->units]);
}

/* ---- embedding ------------------------------------------------------------------------------------------ */

void carry_embedding(struct carry *s, int v, int p, struct channels *out)
{
	const struct node *n = &s->child->nodes[v];
	const struct embedding *now = n->cfg, *was = s->parent->nodes[p].cfg;
	const struct dnode *d = s->made_of[v];
	int *col = carry_columns(s, v, p);
	const int *map = d->out_map && d->n_out_map == now->features ? d->out_map : NULL;
	struct pair t;

	if (now->vocabulary != was->vocabulary || (!map && now->features != was->features)) {
		carry_fail(s, v, -1, "%s has another size", n->id);
		return;
	}
	map = map ? map : carry_counting(now->features, s->a);
	if (carry_writes(s, v) && carry_pair(&t, s, v, p, "weight")) {
		for (int row = 0; row < now->vocabulary; row++)
			for (int f = 0; f < now->features; f++)
				t.out[(int64_t)row * now->features + f] = t.in[(int64_t)row * was->features + map[f]];
		s->inherited[t.index] = true;
		s->repeats[t.index] = carry_twice(map, now->features, was->features, s->a);
	}
	if (col[0] != 0 || !carry_same_input(s, v, p) || !carry_shares(s, v, p)) {
		carry_fail(s, v, -1, "%s reads something else", n->id);
		return;
	}
	for (int f = 0; f < now->features; f++)
		out->id[f] = carry_own(s, p, 0, map[f]);
}

/* ---- norms, activations, pools -------------------------------------------------------------------------- */

/* Scales, shifts and statistics, those of every channel from the channel of the parent that it repeats. */
static void fill_channels(struct carry *s, int v, int p, const int *col, bool whole)
{
	int n = carry_read(s, s->child->nodes[v].in[0])->n, first = s->to->of_node[v];
	int before = channel_map_at(s->map, s->parent->nodes[p].in[0])->n;
	struct pair t;

	if (!whole)
		col = carry_settled(s, col, n, before);
	for (int i = first; carry_writes(s, v) && first >= 0 && i < s->to->n && s->to->tensors[i].node == v; i++) {
		if (!carry_pair(&t, s, v, p, s->to->tensors[i].spec.name) || t.to->count / n != t.from->count / before)
			continue;
		carry_rows(s, &t, col, n, t.to->count / n);
	}
}

static bool same_options(const struct node *a, const struct node *b)
{
	const struct batchnorm *x = a->cfg, *y = b->cfg;

	if (a->kind == LAYER_batchnorm) /* the momentum moves statistics in training only */
		return x->eps == y->eps && x->affine == y->affine;
	if (a->kind == LAYER_groupnorm) /* the number of groups follows the channels */
		return ((const struct groupnorm *)a->cfg)->eps == ((const struct groupnorm *)b->cfg)->eps &&
		       ((const struct groupnorm *)a->cfg)->affine == ((const struct groupnorm *)b->cfg)->affine;
	return memcmp(a->cfg, b->cfg, layer_classes[a->kind]->cfg_size) == 0;
}

/* Whether the layer does to what it reads what it did in the parent; says so if not. */
static bool does_the_same(struct carry *s, int v, int p)
{
	const struct node *n = &s->child->nodes[v];

	if (same_options(n, &s->parent->nodes[p]) && carry_same_input(s, v, p) && carry_shares(s, v, p))
		return true;
	carry_fail(s, v, -1, "%s has other options or another input size", n->id);
	return false;
}

static void note_lost(struct carry *s, int v, int p, const int *col, int n)
{
	int lost = -1;

	if (!carry_covered(s, p, col, n, &lost))
		carry_fail(s, v, lost, "%s reads something else", s->child->nodes[v].id);
}

/* Channel by channel: batch norm, activations, pools, resizing. */
void carry_each(struct carry *s, int v, int p, struct channels *out)
{
	int n = carry_read(s, s->child->nodes[v].in[0])->n, *col = carry_columns(s, v, p), lost;

	fill_channels(s, v, p, col, carry_covered(s, p, col, n, &lost));
	note_lost(s, v, p, col, n);
	if (!does_the_same(s, v, p))
		return;
	for (int c = 0; c < out->n; c++)
		if (out->id[c] == CHANNEL_OWN && col[c] >= 0)
			out->id[c] = carry_own(s, p, 0, col[c]);
}

/* Channels [from, to) are all those of the parent's [begin, end), each equally often: then means and variances over
 * them are the parent's. */
static bool evenly(const int *col, int from, int to, int begin, int end)
{
	int times = (to - from) / (end - begin);
	bool even = times * (end - begin) == to - from;

	for (int k = begin; k < end && even; k++) {
		int have = 0;

		for (int c = from; c < to; c++)
			have += col[c] == k;
		even = have == times;
	}
	return even;
}

static int norm_groups(const struct node *n)
{
	return n->kind == LAYER_groupnorm ? ((const struct groupnorm *)n->cfg)->groups : 1;
}

/* Over several channels together: layer norm, group norm. */
void carry_together(struct carry *s, int v, int p, struct channels *out)
{
	const struct node *n = &s->child->nodes[v], *was = &s->parent->nodes[p];
	int per = out->n / norm_groups(n), per_was = channel_map_at(s->map, was->in[0])->n / norm_groups(was);
	int *col = carry_columns(s, v, p), lost;

	fill_channels(s, v, p, col, carry_covered(s, p, col, out->n, &lost));
	note_lost(s, v, p, col, out->n);
	if (!does_the_same(s, v, p))
		return;
	for (int first = 0; first < out->n; first += per) {
		int begin = col[first] < 0 ? -1 : col[first] / per_was * per_was;
		bool even = begin >= 0 && evenly(col, first, first + per, begin, begin + per_was);

		for (int c = first; c < first + per && even; c++)
			out->id[c] = carry_own(s, p, 0, col[c]);
		if (!even)
			carry_fail(s, v, -1, "%s normalises over other channels", n->id);
	}
}

void carry_softmax(struct carry *s, int v, int p, struct channels *out)
{
	const struct node *n = &s->child->nodes[v];
	int *col = carry_columns(s, v, p), before = channel_map_at(s->map, s->parent->nodes[p].in[0])->n;

	note_lost(s, v, p, col, out->n);
	if (!does_the_same(s, v, p))
		return;
	if (out->n != before || !evenly(col, 0, out->n, 0, before)) {
		carry_fail(s, v, -1, "%s runs over other channels", n->id);
		return;
	}
	for (int c = 0; c < out->n; c++)
		out->id[c] = carry_own(s, p, 0, col[c]);
}

/* ---- flatten, reshape ----------------------------------------------------------------------------------- */

struct grid { /* elements of one example: channels of an input and of an output, in the same order */
	int in_positions, out_positions;
};

static struct grid grid_of(const struct graph *g, int node)
{
	return (struct grid){ shape_positions(graph_shape(g, g->nodes[node].in[0])),
			      shape_positions(&g->nodes[node].out[0]) };
}

/* The parent's output channel that output channel c repeats, element by element; -1 if there is none. */
static int repeated(const struct grid *g, const int *col, int c)
{
	int64_t first = (int64_t)c * g->out_positions, same = -1;

	for (int64_t i = first; i < first + g->out_positions; i++) {
		int k = col[i / g->in_positions];
		int64_t at = (int64_t)k * g->in_positions + i % g->in_positions;

		if (k < 0 || at % g->out_positions != i - first || (same >= 0 && at / g->out_positions != same))
			return -1;
		same = at / g->out_positions;
	}
	return (int)same;
}

void carry_elements(struct carry *s, int v, int p, struct channels *out)
{
	struct grid now = grid_of(s->child, v), was = grid_of(s->parent, p);
	int *col = carry_columns(s, v, p);

	if (!carry_same_input(s, v, p) || now.out_positions != was.out_positions ||
	    s->child->nodes[v].out[0].type != s->parent->nodes[p].out[0].type) {
		carry_fail(s, v, -1, "%s has another input size", s->child->nodes[v].id);
		return;
	}
	for (int c = 0; c < out->n; c++) {
		int k = out->id[c] == CHANNEL_OWN ? repeated(&now, col, c) : -1;

		if (k >= 0)
			out->id[c] = carry_own(s, p, 0, k);
	}
	note_lost(s, v, p, col, carry_read(s, s->child->nodes[v].in[0])->n);
}

/* ---- add, multiply -------------------------------------------------------------------------------------- */

/* The operands at one channel that are not zero, sorted. Returns their number. */
static int operands(int *out, const struct channels *const *reads, int n, int c)
{
	int count = 0;

	for (int i = 0; i < n; i++) {
		int id = reads[i]->id[c], at = count;

		if (id == CHANNEL_ZERO)
			continue;
		for (; at > 0 && out[at - 1] > id; at--)
			out[at] = out[at - 1];
		out[at] = id;
		count++;
	}
	return count;
}

/* Sum or product of the same channels as in the parent at channel k? */
static bool same_operands(const struct channels *const *now, int n, int c, const struct channels *const *was, int m,
			  int k)
{
	int a[LAYER_INPUTS], b[LAYER_INPUTS], count = operands(a, now, n, c);

	return count == operands(b, was, m, k) && memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* Fills in the parent's channels that are merged again. */
static void match_merge(struct carry *s, int p, struct channels *out, const struct channels *const *now, int n,
			const struct channels *const *was, int m)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < m; j++) {
			int *col = now[i]->n == was[j]->n &&
					   memcmp(now[i]->id, was[j]->id, (size_t)now[i]->n * sizeof(int)) == 0
				       ? carry_counting(now[i]->n, s->a)
				       : channels_match(s->map, was[j], now[i], s->a);

			for (int c = 0; c < out->n; c++)
				if (out->id[c] == CHANNEL_OWN && col[c] >= 0 &&
				    same_operands(now, n, c, was, m, col[c]))
					out->id[c] = carry_own(s, p, 0, col[c]);
		}
}

/* A channel that p merged and that v does not read, or -1. */
static int lost_operand(const struct channels *const *now, int n, const struct channels *const *was, int m)
{
	for (int j = 0; j < m; j++)
		for (int k = 0; k < was[j]->n; k++) {
			bool there = was[j]->id[k] == CHANNEL_ZERO;

			for (int i = 0; i < n && !there; i++)
				for (int c = 0; c < now[i]->n && !there; c++)
					there = now[i]->id[c] == was[j]->id[k];
			if (!there)
				return was[j]->id[k];
		}
	return -1;
}

void carry_merge(struct carry *s, int v, int p, struct channels *out)
{
	const struct node *a = &s->child->nodes[v], *b = &s->parent->nodes[p];
	const struct channels *now[LAYER_INPUTS], *was[LAYER_INPUTS];
	bool missing = false;

	for (int i = 0; i < a->n_in; i++)
		now[i] = carry_read(s, a->in[i]);
	for (int j = 0; j < b->n_in; j++)
		was[j] = channel_map_at(s->map, b->in[j]);
	if (a->kind != LAYER_concat)
		match_merge(s, p, out, now, a->n_in, was, b->n_in);
	for (int c = 0; c < out->n; c++)
		missing = missing || out->id[c] == CHANNEL_OWN || out->id[c] == CHANNEL_NEW;
	if (missing)
		carry_fail(s, v, lost_operand(now, a->n_in, was, b->n_in), "%s merges other channels than before",
			   a->id);
}

/* ---- choice --------------------------------------------------------------------------------------------- */

/* Its candidates are not looked into: all as it was, or nothing. */
void carry_choice(struct carry *s, int v, int p, struct channels *out)
{
	int n = carry_read(s, s->child->nodes[v].in[0])->n, *col = carry_columns(s, v, p);
	bool same = carry_same_input(s, v, p) && carry_same_output(s, v, p) && carry_shares(s, v, p) &&
		    n == channel_map_at(s->map, s->parent->nodes[p].in[0])->n && s->made_of[v]->cfg;

	carry_equal(s, v, p);
	for (int c = 0; c < n; c++)
		same = same && col[c] == c;
	same = same && memcmp(s->child->nodes[v].cfg, s->parent->nodes[p].cfg, sizeof(struct choice)) == 0;
	for (int c = 0; c < out->n && same; c++)
		out->id[c] = carry_own(s, p, 0, c);
	if (!same)
		carry_fail(s, v, -1, "%s reads or chooses something else", s->child->nodes[v].id);
}
