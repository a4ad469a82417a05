/* mutate/carry_linear.c - inheriting the weights of sums of products: dense and the convolutions.
 *
 *	w'[o][c][i + shift] = w[row[o]][col[c]][i] / copies of col[c] in o's group
 *
 * and zero for channels that are new, so that the sum is the parent's as long as everything it summed is still there.
 */
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "mutate/carry_internal.h"

struct linear linear_of(const struct node *n, int channels)
{
	struct linear l = { .in = channels, .groups = 1, .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } };
	const struct conv2d *c = n->cfg;
	const struct conv1d *line = n->cfg;
	const struct depthwise2d *deep = n->cfg;
	const struct dense *dense = n->cfg;

	if (n->kind == LAYER_conv2d)
		l = (struct linear){ .groups = c->groups,
				     .kernel = { c->kernel.v[0], c->kernel.v[1] },
				     .stride = { c->stride.v[0], c->stride.v[1] },
				     .dilation = { c->dilation.v[0], c->dilation.v[1] },
				     .before = { c->padding.side[0], c->padding.side[1] },
				     .bias = c->bias };
	else if (n->kind == LAYER_depthwise2d)
		l = (struct linear){ .groups = channels,
				     .kernel = { deep->kernel.v[0], deep->kernel.v[1] },
				     .stride = { deep->stride.v[0], deep->stride.v[1] },
				     .dilation = { deep->dilation.v[0], deep->dilation.v[1] },
				     .before = { deep->padding.side[0], deep->padding.side[1] },
				     .bias = deep->bias,
				     .depthwise = true };
	else if (n->kind == LAYER_conv1d)
		l = (struct linear){ .groups = line->groups,
				     .kernel = { 1, line->kernel },
				     .stride = { 1, line->stride },
				     .dilation = { 1, line->dilation },
				     .before = { 0, line->padding.side[1] },
				     .bias = line->bias };
	else
		l.bias = dense->bias;
	l.in = channels;
	l.out = n->out[0].d[0];
	l.per = channels / l.groups;
	return l;
}

/* Where the parent's taps stand among the child's: -p + i d = -p' + i' d. False if they have no place there. */
static bool tap_shift(const struct linear *now, const struct linear *was, int shift[2])
{
	for (int axis = 0; axis < 2; axis++) {
		int d = now->dilation[axis], more = now->before[axis] - was->before[axis];

		if (was->kernel[axis] == 1 && now->kernel[axis] == 1)
			d = 1; /* one tap: the distance between taps means nothing */
		else if (d != was->dilation[axis] && was->kernel[axis] > 1)
			return false;
		shift[axis] = more / d;
		if (more % d || more < 0 || shift[axis] + was->kernel[axis] > now->kernel[axis])
			return false;
	}
	return true;
}

/* For every output channel, the parent's that it goes on with (-1: none); NULL: not known. */
static int *output_rows(const struct carry *s, int v, const struct linear *now, const struct linear *was,
			const int *col)
{
	const struct dnode *d = s->made_of[v];
	int *row;

	if (now->depthwise) {
		int by = now->out / now->in;

		if (by != was->out / was->in)
			return NULL;
		row = ARENA_ARRAY(s->a, int, now->out);
		for (int o = 0; o < now->out; o++)
			row[o] = col[o / by] < 0 ? -1 : col[o / by] * by + o % by;
		return row;
	}
	if (d->out_map && d->n_out_map == now->out) {
		row = ARENA_ARRAY(s->a, int, now->out);
		for (int o = 0; o < now->out; o++)
			row[o] = d->out_map[o] < was->out ? d->out_map[o] : -1;
		return row;
	}
	return now->out == was->out ? carry_counting(now->out, s->a) : NULL;
}

/* How often each input channel's origin stands in its group; 0 for those without. first[c]: it is the first of them. */
static int *copies_in_group(const struct linear *now, const struct linear *was, const int *col, bool *first,
			    struct arena *a)
{
	int *copies = ARENA_ARRAY(a, int, now->in), *seen = ARENA_ARRAY(a, int, was->in);

	for (int g = 0; g < now->groups; g++) {
		for (int c = g * now->per; c < (g + 1) * now->per; c++)
			if (col[c] >= 0)
				first[c] = seen[col[c]]++ == 0;
		for (int c = g * now->per; c < (g + 1) * now->per; c++)
			copies[c] = col[c] < 0 ? 0 : seen[col[c]];
		for (int c = g * now->per; c < (g + 1) * now->per; c++)
			if (col[c] >= 0)
				seen[col[c]] = 0;
	}
	return copies;
}

/* Whether the inputs of output o cover all that the parent's output `row` read; else *lost is a channel that is not
 * there. */
static bool covers(const struct carry *s, int p, const struct linear *now, const struct linear *was, int o, int row,
		   const int *col, const bool *first, int *lost)
{
	const struct channels *read = channel_map_at(s->map, s->parent->nodes[p].in[0]);
	int begin = row / (was->out / was->groups) * was->per, from = o / (now->out / now->groups) * now->per, have = 0,
	    need = 0;
	bool *there;

	for (int k = begin; k < begin + was->per; k++)
		need += read->id[k] != CHANNEL_ZERO;
	for (int c = from; c < from + now->per; c++)
		have += col[c] >= begin && col[c] < begin + was->per && first[c] && read->id[col[c]] != CHANNEL_ZERO;
	if (have == need)
		return true;
	there = mem_new((size_t)was->in);
	for (int c = from; c < from + now->per; c++)
		if (col[c] >= 0)
			there[col[c]] = true;
	for (int k = begin + was->per - 1; k >= begin; k--)
		if (!there[k] && read->id[k] != CHANNEL_ZERO)
			*lost = read->id[k];
	mem_free(there);
	return false;
}

/* w'[o][c][i + shift] = w[row[o]][col[c]][i] / copies[c]; the rest of a row that is `whole` is zero. */
static void fill_row(float *out, const float *in, const struct linear *now, const struct linear *was,
		     const int shift[2], int o, int row, const int *col, const int *copies, bool whole)
{
	int field = now->kernel[0] * now->kernel[1], from = o / (now->out / now->groups) * now->per;
	int begin = row / (was->out / was->groups) * was->per;

	out += (int64_t)o * now->per * field;
	in += (int64_t)row * was->per * was->kernel[0] * was->kernel[1];
	if (whole)
		memset(out, 0, (size_t)now->per * (size_t)field * sizeof *out);
	for (int c = 0; c < now->per; c++) {
		int k = col[from + c] - begin;
		float *to = out + (int64_t)c * field;

		if (col[from + c] < 0 || k < 0 || k >= was->per)
			continue;
		memset(to, 0, (size_t)field * sizeof *to);
		for (int i = 0; i < was->kernel[0]; i++)
			for (int j = 0; j < was->kernel[1]; j++)
				to[(i + shift[0]) * now->kernel[1] + j + shift[1]] =
				    in[((int64_t)k * was->kernel[0] + i) * was->kernel[1] + j] /
				    (float)copies[from + c];
	}
}

struct job { /* one sum of products: child's and parent's sides, and how they meet */
	struct linear now, was;
	int shift[2], *row, *copies;
	const int *col;
	bool *whole, *first;
	int n_whole, lost;
};

static void cover_all(const struct carry *s, int p, struct job *j)
{
	j->whole = ARENA_ARRAY(s->a, bool, j->now.out);
	for (int o = 0; o < j->now.out; o++) {
		j->whole[o] =
		    j->row[o] >= 0 && covers(s, p, &j->now, &j->was, o, j->row[o], j->col, j->first, &j->lost);
		j->n_whole += j->whole[o];
	}
}

static void fill_linear(struct carry *s, int v, int p, const struct job *j)
{
	const int *col = j->col, *copies = j->copies;
	struct pair t;

	if (j->n_whole < j->now.out) { /* something is lost: what has not moved keeps its place */
		bool *first = ARENA_ARRAY(s->a, bool, j->now.in);

		col = carry_settled(s, j->col, j->now.in, j->was.in);
		copies = copies_in_group(&j->now, &j->was, col, first, s->a);
	}
	if (carry_pair(&t, s, v, p, "weight") && (j->n_whole || carry_any(col, j->now.in))) {
		for (int o = 0; o < j->now.out; o++)
			if (j->row[o] >= 0)
				fill_row(t.out, t.in, &j->now, &j->was, j->shift, o, j->row[o], col, copies,
					 j->whole[o]);
		s->inherited[t.index] = true;
		s->repeats[t.index] = carry_twice(col, j->now.in, j->was.in, s->a) ||
				      (!j->now.depthwise && carry_twice(j->row, j->now.out, j->was.out, s->a));
	}
	if (carry_pair(&t, s, v, p, "bias"))
		carry_rows(s, &t, j->row, j->now.out, 1);
}

/* Whether a window that sees the same numbers computes the same ones. */
static bool same_window(struct carry *s, int v, int p, struct job *j)
{
	for (int axis = 0; axis < 2; axis++)
		if (j->now.stride[axis] != j->was.stride[axis])
			return false;
	return carry_same_input(s, v, p) && carry_same_output(s, v, p) && (j->now.bias || !j->was.bias);
}

void carry_linear(struct carry *s, int v, int p, struct channels *out)
{
	const struct node *n = &s->child->nodes[v];
	struct job j = { .lost = -1 };
	bool same, fits;

	j.now = linear_of(n, graph_shape(s->child, n->in[0])->d[0]);
	j.was = linear_of(&s->parent->nodes[p], graph_shape(s->parent, s->parent->nodes[p].in[0])->d[0]);
	j.col = carry_columns(s, v, p);
	j.row = output_rows(s, v, &j.now, &j.was, j.col);
	if (!j.row) {
		carry_fail(s, v, -1, "%s has another width", n->id);
		return;
	}
	fits = tap_shift(&j.now, &j.was, j.shift);
	same = fits && same_window(s, v, p, &j);
	if (!fits && memcmp(j.now.kernel, j.was.kernel, sizeof j.now.kernel) == 0) {
		j.shift[0] = j.shift[1] = 0; /* other paddings: still the same numbers */
		fits = true;
	}
	j.first = ARENA_ARRAY(s->a, bool, j.now.in);
	j.copies = copies_in_group(&j.now, &j.was, j.col, j.first, s->a);
	cover_all(s, p, &j);
	if (carry_writes(s, v) && fits)
		fill_linear(s, v, p, &j);
	else if (carry_writes(s, v))
		carry_equal(s, v, p);
	if (j.n_whole < j.now.out)
		carry_fail(s, v, j.lost, "%s reads something else", n->id);
	if (!same || !carry_shares(s, v, p)) {
		carry_fail(s, v, -1, "%s has other options or another input size", n->id);
		return;
	}
	for (int o = 0; o < j.now.out; o++)
		if (j.whole[o])
			out->id[o] = carry_own(s, p, 0, j.row[o]);
}
