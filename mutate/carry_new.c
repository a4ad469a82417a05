/* mutate/carry_new.c - what new layers start from: the identity, zero, or as drawn. See carry_internal.h. */
#include <math.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "mutate/carry_internal.h"

/* All channels of one tensor of v. */
static void fill(struct carry *s, int v, const char *name, float value)
{
	const struct tensor *t = carry_tensor(s->to, v, name);

	for (int64_t i = 0; t && i < t->count; i++)
		s->to->data[t->first + i] = value;
}

/* The tap that sees its own position, or -1. */
static int centre(const struct linear *l, int axis)
{
	int at = l->before[axis] / l->dilation[axis];

	return l->before[axis] % l->dilation[axis] || at >= l->kernel[axis] || l->stride[axis] != 1 ? -1 : at;
}

/* w[o][c] = 1 at the centre for c = from[o], 0 elsewhere. False if the layer cannot be the identity. */
static bool start_identity(struct carry *s, int v, const struct linear *l, const int *from)
{
	const struct node *n = &s->child->nodes[v];
	const struct shape *in = graph_shape(s->child, n->in[0]);
	const struct tensor *t = carry_tensor(s->to, v, "weight");
	int y = centre(l, 0), x = centre(l, 1), field = l->kernel[0] * l->kernel[1];

	if (!from || y < 0 || x < 0 || in->d[1] != n->out[0].d[1] || in->d[2] != n->out[0].d[2])
		return false;
	for (int o = 0; o < l->out; o++)
		if (from[o] / l->per != o / (l->out / l->groups))
			return false; /* its group does not see it */
	fill(s, v, "weight", 0);
	fill(s, v, "bias", 0);
	for (int o = 0; o < l->out; o++)
		s->to->data[t->first + ((int64_t)o * l->per + from[o] % l->per) * field + y * l->kernel[1] + x] = 1;
	return true;
}

/* The first place of each different channel, in order: where the layer before was widened after this one was put behind
 * it. NULL if there are not as many as outputs. */
static const int *first_copies(const struct carry *s, const struct channels *in, int n)
{
	int *from = ARENA_ARRAY(s->a, int, in->n), count = 0;

	for (int c = 0; c < in->n; c++) {
		bool known = in->id[c] < 0;

		for (int k = 0; k < count && !known; k++)
			known = in->id[from[k]] == in->id[c];
		if (!known)
			from[count++] = c;
	}
	return count == n ? from : NULL;
}

/* Which input channel each output of a layer that starts as the identity repeats; NULL: it cannot. */
static const int *identity_of(const struct carry *s, int v, const struct linear *l)
{
	const struct dnode *d = s->made_of[v];

	if (!d->out_map || d->n_out_map != l->out)
		return l->in == l->out ? carry_counting(l->out, s->a)
				       : first_copies(s, carry_read(s, s->child->nodes[v].in[0]), l->out);
	for (int o = 0; o < l->out; o++)
		if (d->out_map[o] >= l->in)
			return NULL;
	return d->out_map;
}

static bool all_zero(const struct channels *c)
{
	for (int i = 0; i < c->n; i++)
		if (c->id[i] != CHANNEL_ZERO)
			return false;
	return true;
}

static void new_linear(struct carry *s, int v, struct channels *out)
{
	const struct node *n = &s->child->nodes[v];
	const struct channels *in = carry_read(s, n->in[0]);
	struct linear l = linear_of(n, graph_shape(s->child, n->in[0])->d[0]);
	const int *from = s->made_of[v]->start == START_IDENTITY ? identity_of(s, v, &l) : NULL;
	bool same = start_identity(s, v, &l, from), zero = s->made_of[v]->start == START_ZERO;

	if (zero) {
		fill(s, v, "weight", 0);
		fill(s, v, "bias", 0);
	}
	for (int o = 0; o < out->n; o++)
		if (same)
			out->id[o] = in->id[from[o]];
		else if (zero || all_zero(in)) /* biases start at zero */
			out->id[o] = CHANNEL_ZERO;
}

/* Scale and shift that undo the statistics: y = (x - mean) / sqrt(var + eps) * sqrt(var + eps) + mean. Statistics are
 * what is known of the channel, so that the batches of training find nearly the same identity. */
static void undo_statistics(struct carry *s, int v, int c, int id)
{
	const struct batchnorm *b = s->child->nodes[v].cfg;
	bool known = b->affine && id >= 0 && !isnan(s->map->mean[id]);
	double mean = known ? s->map->mean[id] : 0, var = known ? fmax(s->map->var[id], 1e-3) : 1;
	float *data = s->to->data;

	if (!b->affine)
		var = 1 - b->eps;
	data[carry_tensor(s->to, v, "running_mean")->first + c] = (float)mean;
	data[carry_tensor(s->to, v, "running_var")->first + c] = (float)var;
	if (!b->affine)
		return;
	data[carry_tensor(s->to, v, "weight")->first + c] = (float)sqrt((double)(float)var + b->eps);
	data[carry_tensor(s->to, v, "bias")->first + c] = (float)mean;
}

static void new_batchnorm(struct carry *s, int v, struct channels *out)
{
	const struct batchnorm *b = s->child->nodes[v].cfg;
	const struct channels *in = carry_read(s, s->child->nodes[v].in[0]);
	enum start start = s->made_of[v]->start;

	if (start == START_ZERO && b->affine)
		fill(s, v, "weight", 0);
	for (int c = 0; c < out->n; c++) {
		if (start == START_IDENTITY && in->id[c] != CHANNEL_ZERO) {
			undo_statistics(s, v, c, in->id[c]);
			out->id[c] = in->id[c];
		} else if ((start == START_ZERO && b->affine) || in->id[c] == CHANNEL_ZERO) {
			out->id[c] = CHANNEL_ZERO; /* statistics and shift start at zero */
		}
	}
}

void carry_new(struct carry *s, int v, struct channels *out)
{
	const struct node *n = &s->child->nodes[v];
	bool changes = false;

	if (n->share < 0 && (layer_classes[n->kind]->family == FAMILY_CONV || n->kind == LAYER_dense))
		new_linear(s, v, out);
	else if (n->share < 0 && n->kind == LAYER_batchnorm)
		new_batchnorm(s, v, out);
	for (int port = 0; port < n->n_out; port++)
		for (int c = 0; c < out[port].n; c++)
			changes = changes || out[port].id[c] == CHANNEL_OWN || out[port].id[c] == CHANNEL_NEW;
	if (changes)
		carry_fail(s, v, -1, "%s is new and changes what passes it", n->id);
}
