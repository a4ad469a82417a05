/* mutate/carry.c - see carry.h.
 *
 * The edits are applied again to the parent, which tells where every layer of the child comes from. Then the child is
 * walked in order: what a layer reads is compared, channel by channel, with what the parent's layer read
 * (mutate/channels.h); its weights are the parent's, rows and columns picked, repeated and divided accordingly; and if
 * they make it compute what the parent's layer computed, its output carries on the parent's channel numbers. The child
 * is the same function if the numbers at its outputs are those at the parent's.
 */
#include "mutate/carry.h"

#include <math.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "mutate/carry_internal.h"

static carry_fn *const survivors[LAYER_KIND_COUNT] = {
	[LAYER_conv1d] = carry_linear,       [LAYER_conv2d] = carry_linear,    [LAYER_depthwise2d] = carry_linear,
	[LAYER_dense] = carry_linear,        [LAYER_maxpool1d] = carry_each,   [LAYER_maxpool2d] = carry_each,
	[LAYER_avgpool1d] = carry_each,      [LAYER_avgpool2d] = carry_each,   [LAYER_globalavgpool] = carry_each,
	[LAYER_globalmaxpool] = carry_each,  [LAYER_batchnorm] = carry_each,   [LAYER_layernorm] = carry_together,
	[LAYER_groupnorm] = carry_together,  [LAYER_dropout] = carry_each,     [LAYER_relu] = carry_each,
	[LAYER_relu6] = carry_each,          [LAYER_leaky_relu] = carry_each,  [LAYER_elu] = carry_each,
	[LAYER_gelu] = carry_each,           [LAYER_silu] = carry_each,        [LAYER_hard_swish] = carry_each,
	[LAYER_tanh] = carry_each,           [LAYER_sigmoid] = carry_each,     [LAYER_softmax] = carry_softmax,
	[LAYER_flatten] = carry_elements,    [LAYER_reshape] = carry_elements, [LAYER_add] = carry_merge,
	[LAYER_concat] = carry_merge,        [LAYER_multiply] = carry_merge,   [LAYER_zeropad2d] = carry_each,
	[LAYER_upsample2d] = carry_each,     [LAYER_identity] = carry_each,    [LAYER_zero] = carry_each,
	[LAYER_embedding] = carry_embedding, [LAYER_rnn] = carry_recurrent,    [LAYER_gru] = carry_recurrent,
	[LAYER_lstm] = carry_recurrent,      [LAYER_choice] = carry_choice,
};

/* ---- what is known of the values ------------------------------------------------------------------------ */

/* After a batch norm a channel has mean b and standard deviation |w| over the data; relu makes of it
 * E = b F(b/w) + w f(b/w), E2 = (b^2 + w^2) F + b w f, with the normal distribution's f and F. */
static void rectified(double *mean, double *var)
{
	double m = *mean, s = sqrt(*var), z = s > 0 ? m / s : 0;
	double below = 0.5 * erfc(-z / sqrt(2.0)), density = exp(-z * z / 2) / sqrt(2 * acos(-1.0)), square;

	if (s <= 0) {
		*mean = fmax(m, 0);
		return;
	}
	*mean = m * below + s * density;
	square = (m * m + s * s) * below + m * s * density;
	*var = fmax(square - *mean * *mean, 0);
}

static void estimate(struct carry *s, int node)
{
	const struct node *n = &s->parent->nodes[node];
	const struct tensor *w = carry_tensor(s->from, node, "weight"), *b = carry_tensor(s->from, node, "bias");
	const struct channels *in = n->n_in ? channel_map_at(s->map, n->in[0]) : NULL;
	const struct channels *out = &s->map->of[node * LAYER_PORTS];

	for (int c = 0; c < out->n; c++) {
		int id = out->id[c];

		if (id < 0)
			continue;
		if (n->kind == LAYER_batchnorm) {
			s->map->mean[id] = b ? (double)s->from->data[b->first + c] : 0;
			s->map->var[id] = w ? pow((double)s->from->data[w->first + c], 2) : 1;
		} else if ((n->kind == LAYER_relu || n->kind == LAYER_relu6) && in->id[c] >= 0 && in->id[c] != id) {
			s->map->mean[id] = s->map->mean[in->id[c]];
			s->map->var[id] = s->map->var[in->id[c]];
			rectified(&s->map->mean[id], &s->map->var[id]);
		}
	}
}

/* ---- the walk ------------------------------------------------------------------------------------------- */

/* A layer that computes less than in the parent is where things are lost. */
static void note_narrowed(struct carry *s, int v, int p)
{
	const struct channels *now = &s->of[v * LAYER_PORTS], *was = &s->map->of[p * LAYER_PORTS];
	int first = s->map->first[p * LAYER_PORTS], lost = was->n;
	bool *there = ARENA_ARRAY(s->a, bool, was->n);

	for (int c = 0; c < now->n; c++)
		if (now->id[c] >= first && now->id[c] < first + was->n)
			there[now->id[c] - first] = true;
	for (int k = 0; k < was->n; k++)
		lost -= there[k] || was->id[k] != first + k;
	if (lost)
		carry_fail(s, v, -1, "%s keeps %d of its %d channels", s->child->nodes[v].id, was->n - lost, was->n);
}

static void carry_node(struct carry *s, int v)
{
	const struct node *n = &s->child->nodes[v];
	const struct channels *reads[LAYER_INPUTS];
	struct shape in[LAYER_INPUTS];
	struct channels *out = &s->of[v * LAYER_PORTS];
	int p = s->made_of[v]->origin;

	graph_in_shapes(s->child, v, in);
	for (int k = 0; k < n->n_in; k++)
		reads[k] = carry_read(s, n->in[k]);
	channels_through(out, s->map, n, in, reads, s->a);
	if (p >= 0 && s->parent->nodes[p].kind == n->kind) {
		survivors[n->kind](s, v, p, out);
		note_narrowed(s, v, p);
	} else {
		carry_new(s, v, out);
	}
	for (int port = 0; port < n->n_out; port++)
		for (int c = 0; c < out[port].n; c++)
			if (out[port].id[c] == CHANNEL_OWN)
				out[port].id[c] = CHANNEL_NEW;
}

/* ---- why not -------------------------------------------------------------------------------------------- */

static int child_of(const struct carry *s, int p)
{
	for (int v = 0; v < s->child->n_nodes; v++)
		if (s->made_of[v]->origin == p)
			return v;
	return -1;
}

/* Of new layers in a row the first that changes something. */
static const char *explain_new(const struct carry *s, int v)
{
	for (int k = 0; k < s->child->nodes[v].n_in; k++) {
		int u = s->child->nodes[v].in[k].node;

		if (u >= 0 && s->made_of[u]->origin < 0 && s->fault[u].why)
			return explain_new(s, u);
	}
	return s->fault[v].why;
}

/* Follows what a layer lacks back to where it was lost. */
static const char *explain(const struct carry *s, int v)
{
	const struct fault *f = &s->fault[v];
	int p, w;

	if (!f->why || f->lost < 0)
		return s->made_of[v]->origin < 0 ? explain_new(s, v) : f->why;
	p = channel_map_node(s->map, f->lost);
	w = p < 0 ? -1 : child_of(s, p);
	if (p >= 0 && w < 0)
		return arena_printf(s->a, "%s is gone, and %s reads something else", s->parent->nodes[p].id,
				    s->child->nodes[v].id);
	if (w >= 0 && w != v && s->fault[w].why)
		return explain(s, w);
	for (int k = 0; k < s->child->nodes[v].n_in; k++) {
		int u = s->child->nodes[v].in[k].node;

		if (u >= 0 && s->made_of[u]->origin < 0 && s->fault[u].why)
			return explain_new(s, u);
	}
	return arena_printf(s->a, "%s reads something else than before", s->child->nodes[v].id);
}

/* NULL if every output of the child is that of the parent. */
static const char *difference(const struct carry *s)
{
	for (int k = 0; k < s->parent->n_outputs; k++) {
		struct edge at = s->child->outputs[k].from;
		const struct channels *now = carry_read(s, at);
		const struct channels *was = channel_map_at(s->map, s->parent->outputs[k].from);
		const char *why = at.node >= 0 ? explain(s, at.node) : NULL;

		if (now->n == was->n && memcmp(now->id, was->id, (size_t)now->n * sizeof *now->id) == 0)
			continue;
		return why ? why : arena_printf(s->a, "output %s comes from elsewhere", s->child->outputs[k].name);
	}
	return NULL;
}

/* ---- noise ---------------------------------------------------------------------------------------------- */

static void disturb(struct weights *w, const struct graph *g, int tensor, double share, uint64_t seed)
{
	const struct tensor *t = &w->tensors[tensor];
	float *x = w->data + t->first;
	double mean = 0, square = 0, std;
	struct rng r;

	for (int64_t i = 0; i < t->count; i++)
		mean += (double)x[i] / (double)t->count;
	for (int64_t i = 0; i < t->count; i++)
		square += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)t->count;
	std = share * sqrt(square);
	rng_init(&r, hash_mix(hash_mix(seed, PURPOSE_INIT), hash64_text(g->nodes[t->node].id)),
		 hash_mix(hash64_text(t->spec.name), hash64_text("noise")));
	for (int64_t i = 0; i < t->count; i++)
		x[i] += (float)(std * rng_normal(&r));
}

static bool add_noise(struct carry *s, double noise, uint64_t seed)
{
	bool any = false;

	for (int i = 0; noise > 0 && i < s->to->n; i++)
		if (s->repeats[i]) {
			disturb(s->to, s->child, i, noise, seed);
			any = true;
		}
	return any;
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

static void summarise(struct carry *s, struct carry_result *result, double noise, uint64_t seed)
{
	*result = (struct carry_result){ .why = difference(s) };
	if (add_noise(s, noise, seed) && !result->why)
		result->why = "noise was added to copied channels, to break their symmetry";
	result->preserves = !result->why;
	for (int i = 0; i < s->to->n; i++)
		if (s->to->tensors[i].spec.role != PARAM_STAT)
			*(s->inherited[i] ? &result->inherited : &result->drawn) += 1;
}

/* The nodes of the draft that the child's are made of. -1 with e if they are not the child's. */
static int trace_back(struct carry *s, const struct draft *d, const struct graph *again, const int *at, struct err *e)
{
	bool same = again->n_nodes == s->child->n_nodes;

	s->made_of = ARENA_ARRAY(s->a, const struct dnode *, s->child->n_nodes);
	for (int i = 0; i < again->n_nodes && same; i++)
		same = strcmp(again->nodes[i].id, s->child->nodes[i].id) == 0 &&
		       again->nodes[i].params == s->child->nodes[i].params;
	if (!same)
		return ERR(e, ERR_INVALID, s->child->name, "the edits do not make this model of the parent");
	for (int i = 0; i < d->n_nodes; i++)
		if (at[i] >= 0)
			s->made_of[at[i]] = &d->nodes[i];
	return 0;
}

static int carry_all(struct carry *s, struct err *e)
{
	const struct graph *c = s->child;

	if (channel_map_new(&s->map, s->parent, s->a, e) < 0)
		return -1;
	s->of = ARENA_ARRAY(s->a, struct channels, c->n_nodes * LAYER_PORTS);
	s->plan = ARENA_ARRAY(s->a, int *, c->n_nodes);
	s->fault = ARENA_ARRAY(s->a, struct fault, c->n_nodes);
	s->inherited = ARENA_ARRAY(s->a, bool, s->to->n);
	s->repeats = ARENA_ARRAY(s->a, bool, s->to->n);
	for (int i = 0; i < s->parent->n_nodes; i++)
		estimate(s, i);
	for (int v = 0; v < c->n_nodes; v++)
		carry_node(s, v);
	return 0;
}

int mutate_carry(struct weights **out, const struct graph *child, const struct graph *parent,
		 const struct weights *parent_weights, const struct json *edits, const struct mutate_env *env,
		 uint64_t seed, double noise, struct carry_result *result, struct arena *a, struct err *e)
{
	struct carry s = { .parent = parent, .child = child, .from = parent_weights, .a = a };
	struct mutate_env with = env ? *env : (struct mutate_env){ 0 };
	struct diag diag = { 0 };
	struct json_in in = { edits, &diag, NULL };
	struct mutate_log log;
	struct graph *again;
	struct draft *d;
	int *at, rc = -1, applied;

	*out = NULL;
	with.weights = parent_weights;
	applied = mutate_draft(&d, &at, &again, parent, edits, &with, &log, &in, a);
	if (applied < 0)
		diag_check(&diag, ERR_INVALID, NULL, e);
	if (applied == 0)
		ERR(e, ERR_INVALID, child->name, "the edits cannot be applied to the parent: %s", log.refusal);
	if (applied <= 0)
		goto out;
	TRY(trace_back(&s, d, again, at, e));
	s.to = weights_new(child, e);
	if (!s.to)
		goto out;
	weights_init(s.to, child, seed);
	TRY(carry_all(&s, e));
	summarise(&s, result, noise, seed);
	*out = s.to;
	s.to = NULL;
	rc = 0;
out:
	weights_free(s.to);
	diag_release(&diag);
	return rc;
}
