/* mutate/channels.c - see channels.h. */
#include "mutate/channels.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

int shape_channels(const struct shape *s)
{
	return s->type == TENSOR_TOKENS ? 1 : s->d[0];
}

int shape_positions(const struct shape *s)
{
	return (int)(shape_count(s) / shape_channels(s));
}

static struct channels list_new(int n, struct arena *a)
{
	return (struct channels){ n, ARENA_ARRAY(a, int, n) };
}

/* ---- what kinds do -------------------------------------------------------------------------------------- */

enum trait {
	HANDS_ON = 1,   /* out = in in evaluation mode */
	KEEPS_ZERO = 2, /* f(0) = 0, channel by channel */
	ABOVE_ZERO = 4, /* f(x) = x where x >= 0, and one of the two below */
	BELOW_SIX = 8,  /* ... and x <= 6 */
	POSITIVE = 16,  /* f(x) >= 0 */
	TO_SIX = 32,    /* f(x) <= 6 */
	LIKE_INPUT = 64 /* as far from 0 as its input: averages, maxima, copies, rearrangements */
};

static const unsigned traits[LAYER_KIND_COUNT] = {
	[LAYER_maxpool1d] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_maxpool2d] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_avgpool1d] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_avgpool2d] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_globalavgpool] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_globalmaxpool] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_dropout] = HANDS_ON,
	[LAYER_identity] = HANDS_ON,
	[LAYER_relu] = KEEPS_ZERO | ABOVE_ZERO | POSITIVE,
	[LAYER_relu6] = KEEPS_ZERO | ABOVE_ZERO | BELOW_SIX | POSITIVE | TO_SIX,
	[LAYER_leaky_relu] = KEEPS_ZERO | ABOVE_ZERO,
	[LAYER_elu] = KEEPS_ZERO | ABOVE_ZERO,
	[LAYER_gelu] = KEEPS_ZERO,
	[LAYER_silu] = KEEPS_ZERO,
	[LAYER_hard_swish] = KEEPS_ZERO,
	[LAYER_tanh] = KEEPS_ZERO,
	[LAYER_sigmoid] = POSITIVE | TO_SIX,
	[LAYER_softmax] = POSITIVE | TO_SIX,
	[LAYER_flatten] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_reshape] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_zeropad2d] = KEEPS_ZERO | LIKE_INPUT,
	[LAYER_upsample2d] = KEEPS_ZERO | LIKE_INPUT,
};

static unsigned range_of(const struct channel_map *m, int id)
{
	if (id == CHANNEL_ZERO)
		return RANGE_POSITIVE | RANGE_SIX;
	return id < 0 ? 0 : m->range[id];
}

static bool passes(const struct channel_map *m, unsigned trait, int id)
{
	if (id == CHANNEL_ZERO)
		return trait & (HANDS_ON | KEEPS_ZERO);
	return trait & HANDS_ON || (trait & ABOVE_ZERO && range_of(m, id) & RANGE_POSITIVE &&
				    (!(trait & BELOW_SIX) || range_of(m, id) & RANGE_SIX));
}

/* Which channels of the input the values of channel c of the output come from: [*from, *to). */
static void sources(const struct shape *in, const struct shape *out, int c, int *from, int *to)
{
	int64_t k = shape_positions(in), first = (int64_t)c * shape_positions(out), last = first + shape_positions(out);

	if (shape_channels(in) == shape_channels(out)) {
		*from = c;
		*to = c + 1;
		return;
	}
	*from = (int)(first / k);
	*to = (int)((last + k - 1) / k);
}

static void join(struct channels *out, const struct channels *const *reads, int n)
{
	int at = 0;

	for (int i = 0; i < n; i++) {
		memcpy(out->id + at, reads[i]->id, (size_t)reads[i]->n * sizeof *out->id);
		at += reads[i]->n;
	}
}

/* A sum with at most one operand that is not zero is that one. */
static int sum_of(const struct channels *const *reads, int n, int c)
{
	int rest = CHANNEL_ZERO;

	for (int i = 0; i < n; i++) {
		if (reads[i]->id[c] == CHANNEL_ZERO)
			continue;
		if (rest != CHANNEL_ZERO)
			return CHANNEL_OWN;
		rest = reads[i]->id[c];
	}
	return rest;
}

static int product_of(const struct channels *const *reads, int n, int c)
{
	for (int i = 0; i < n; i++)
		if (reads[i]->id[c] == CHANNEL_ZERO)
			return CHANNEL_ZERO;
	return CHANNEL_OWN;
}

static int one_through(const struct channel_map *m, const struct node *n, const struct shape *in,
		       const struct channels *const *reads, int c)
{
	unsigned trait = traits[n->kind];
	int from, to;

	if (n->kind == LAYER_zero)
		return CHANNEL_ZERO;
	if (n->kind == LAYER_add)
		return sum_of(reads, n->n_in, c);
	if (n->kind == LAYER_multiply)
		return product_of(reads, n->n_in, c);
	if (!trait)
		return CHANNEL_OWN;
	if (layer_classes[n->kind]->family == FAMILY_RESHAPE && shape_equal(in, &n->out[0]))
		return reads[0]->id[c]; /* nothing to flatten, pad or enlarge */
	sources(in, &n->out[0], c, &from, &to);
	if (to == from + 1)
		return passes(m, trait, reads[0]->id[from]) ? reads[0]->id[from] : CHANNEL_OWN;
	for (int i = from; i < to; i++)
		if (reads[0]->id[i] != CHANNEL_ZERO)
			return CHANNEL_OWN;
	return CHANNEL_ZERO;
}

void channels_through(struct channels *out, const struct channel_map *m, const struct node *n, const struct shape *in,
		      const struct channels *const *reads, struct arena *a)
{
	for (int port = 0; port < n->n_out; port++) {
		out[port] = list_new(shape_channels(&n->out[port]), a);
		for (int c = 0; c < out[port].n; c++)
			out[port].id[c] =
			    port || n->kind == LAYER_concat ? CHANNEL_OWN : one_through(m, n, in, reads, c);
	}
	if (n->kind == LAYER_concat)
		join(&out[0], reads, n->n_in);
}

/* ---- numbering a parent --------------------------------------------------------------------------------- */

const struct channels *channel_map_at(const struct channel_map *m, struct edge at)
{
	return at.node < 0 ? &m->input[-1 - at.node] : &m->of[at.node * LAYER_PORTS + at.port];
}

/* Hands out the numbers, before anything is asked about them. */
static int number(struct channel_map *m, struct err *e)
{
	const struct graph *g = m->g;
	int64_t n = 0;

	for (int k = 0; k < g->n_inputs; k++) {
		m->input[k] = list_new(shape_channels(&g->inputs[k].shape), m->arena);
		for (int c = 0; c < m->input[k].n; c++)
			m->input[k].id[c] = (int)n++;
	}
	for (int i = 0; i < g->n_nodes; i++)
		for (int port = 0; port < g->nodes[i].n_out; port++) {
			m->first[i * LAYER_PORTS + port] = (int)n;
			n += shape_channels(&g->nodes[i].out[port]);
			if (n > INT_MAX / 4)
				return ERR(e, ERR_RUNTIME, g->nodes[i].id,
					   "the model is too wide to follow its channels one by one");
		}
	m->n = (int)n;
	return 0;
}

/* What is known of the values of a channel that a layer computes itself. */
static unsigned own_range(const struct channel_map *m, const struct node *n, const struct shape *in,
			  const struct channels *const *reads, int c)
{
	unsigned trait = traits[n->kind], all = RANGE_POSITIVE | RANGE_SIX;
	int from, to;

	if (n->kind == LAYER_add || n->kind == LAYER_multiply) {
		for (int i = 0; i < n->n_in; i++)
			all &= range_of(m, reads[i]->id[c]) & RANGE_POSITIVE;
		return all;
	}
	if (!(trait & LIKE_INPUT))
		return (trait & POSITIVE ? RANGE_POSITIVE : 0U) | (trait & TO_SIX ? RANGE_SIX : 0U);
	sources(in, &n->out[0], c, &from, &to);
	for (int i = from; i < to; i++)
		all &= range_of(m, reads[0]->id[i]);
	return all;
}

static void number_node(struct channel_map *m, int i)
{
	const struct node *n = &m->g->nodes[i];
	const struct channels *reads[LAYER_INPUTS];
	struct shape in[LAYER_INPUTS];

	graph_in_shapes(m->g, i, in);
	for (int k = 0; k < n->n_in; k++)
		reads[k] = channel_map_at(m, n->in[k]);
	channels_through(&m->of[i * LAYER_PORTS], m, n, in, reads, m->arena);
	for (int port = 0; port < n->n_out; port++) {
		struct channels *out = &m->of[i * LAYER_PORTS + port];
		int first = m->first[i * LAYER_PORTS + port];

		for (int c = 0; c < out->n; c++)
			if (out->id[c] == CHANNEL_OWN) {
				out->id[c] = first + c;
				m->range[first + c] = (unsigned char)(port ? 0 : own_range(m, n, in, reads, c));
			}
	}
}

int channel_map_new(struct channel_map **out, const struct graph *g, struct arena *a, struct err *e)
{
	struct channel_map *m = ARENA_NEW(a, struct channel_map);

	m->g = g;
	m->arena = a;
	m->of = ARENA_ARRAY(a, struct channels, g->n_nodes * LAYER_PORTS);
	m->first = ARENA_ARRAY(a, int, g->n_nodes *LAYER_PORTS);
	m->input = ARENA_ARRAY(a, struct channels, g->n_inputs);
	if (number(m, e) < 0)
		return -1;
	m->range = ARENA_ARRAY(a, unsigned char, m->n);
	m->mean = ARENA_ARRAY(a, double, m->n);
	m->var = ARENA_ARRAY(a, double, m->n);
	for (int k = 0; k < m->n; k++)
		m->mean[k] = (double)NAN;
	for (int i = 0; i < g->n_nodes; i++)
		number_node(m, i);
	*out = m;
	return 0;
}

int channel_map_node(const struct channel_map *m, int id)
{
	int lo = 0, hi = m->g->n_nodes; /* first[] grows with the nodes */

	assert(id >= 0 && id < m->n);
	if (m->g->n_nodes == 0 || id < m->first[0])
		return -1;
	while (hi - lo > 1) {
		int mid = (lo + hi) / 2;

		if (m->first[mid * LAYER_PORTS] <= id)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* ---- matching ------------------------------------------------------------------------------------------- */

int *channels_match(const struct channel_map *m, const struct channels *was, const struct channels *now,
		    struct arena *a)
{
	int *col = ARENA_ARRAY(a, int, now->n), *next = mem_new((size_t)was->n * sizeof(int) + 1);
	int *head = mem_new((size_t)m->n * 2 * sizeof(int) + 1), *turn = head + m->n;

	/* lists of the places of each number; 0 is "none", so places count from 1 */
	for (int k = was->n - 1; k >= 0; k--)
		if (was->id[k] >= 0) {
			next[k] = head[was->id[k]];
			head[was->id[k]] = turn[was->id[k]] = k + 1;
		}
	for (int c = 0; c < now->n; c++) {
		int id = now->id[c];

		col[c] = id < 0 ? id : head[id] ? turn[id] - 1 : CHANNEL_NEW;
		if (col[c] >= 0)
			turn[id] = next[col[c]] ? next[col[c]] : head[id];
	}
	mem_free(head);
	mem_free(next);
	return col;
}
