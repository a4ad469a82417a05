/* train/backend_cuda_params.c - parameters of the cuda backend: where they lie on the card, and their way from and to
 * PyTorch's layout. See backend_cuda_build.h. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "train/backend_cuda_build.h"

enum { STEP = 128 /* floats: both copies of a parameter begin at multiples of CUDA_ALIGN */ };

static void add_params(struct cuda_params *params, const struct graph *g, int node)
{
	struct param_spec spec[LAYER_PARAMS];
	int count = g->nodes[node].share >= 0 ? 0 : graph_params(g, node, spec);

	params->of_node[node] = params->n;
	for (int k = 0; k < count; k++) {
		params->param[params->n++] = (struct cuda_param){ .spec = spec[k],
								  .plain_first = params->plain_floats,
								  .stat = spec[k].role == PARAM_STAT,
								  .frozen = g->nodes[node].frozen };
		params->plain_floats += param_count(spec + k);
	}
}

void cuda_params_init(struct cuda_params *params, const struct graph *g, struct arena *a)
{
	struct param_spec spec[LAYER_PARAMS];
	int count = 0;

	for (int i = 0; i < g->n_nodes; i++)
		count += graph_params(g, i, spec);
	*params = (struct cuda_params){ .param = ARENA_ARRAY(a, struct cuda_param, count + 1),
					.of_node = ARENA_ARRAY(a, int, g->n_nodes + 1) };
	for (int i = 0; i < g->n_nodes; i++)
		add_params(params, g, i);
}

void cuda_param_settle(struct cuda_params *params, struct cuda_param *w, struct cuda_layout l)
{
	int64_t *total = w->stat ? &params->stat_floats : &params->weight_floats;

	if (w->settled)
		return;
	assert(l.k * l.c * l.h * l.w == param_count(&w->spec) && l.k_pitch >= l.k && l.c_pitch >= l.c);
	w->settled = true;
	w->layout = l;
	w->first = *total;
	w->count = l.k_pitch * l.h * l.w * l.c_pitch;
	*total += (w->count + STEP - 1) / STEP * STEP;
}

void cuda_params_settle_rest(struct cuda_params *params)
{
	for (int i = 0; i < params->n; i++) {
		int64_t n = param_count(&params->param[i].spec);

		cuda_param_settle(params, params->param + i, (struct cuda_layout){ 1, n, 1, 1, 1, n });
	}
}

/* ---- copies --------------------------------------------------------------------------------------------- */

uint16_t cuda_bf16(float v)
{
	uint32_t u;

	memcpy(&u, &v, sizeof u);
	if (v != v)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float cuda_bf16_value(uint16_t v)
{
	uint32_t u = (uint32_t)v << 16;
	float out;

	memcpy(&out, &u, sizeof out);
	return out;
}

/* Calls body with every pair of an index into PyTorch's layout and one into ours. */
#define EACH_NUMBER(l, body)                                                                    \
	for (int64_t k_ = 0, plain = 0; k_ < (l)->k; k_++)                                      \
		for (int64_t c_ = 0; c_ < (l)->c; c_++)                                         \
			for (int64_t at_ = 0; at_ < (l)->h * (l)->w; at_++, plain++) {          \
				int64_t own = (k_ * (l)->h * (l)->w + at_) * (l)->c_pitch + c_; \
				body;                                                           \
			}

void cuda_params_copy(const struct cuda_params *params, enum cuda_way way, float *plain_data, float *weights,
		      float *stats)
{
	for (int i = 0; i < params->n; i++) {
		const struct cuda_param *w = params->param + i;
		const struct cuda_layout *l = &w->layout;
		float *to = w->stat ? stats : weights, *from = plain_data + w->plain_first;

		if (!to)
			continue;
		to += w->first;
		if (way == CUDA_COME_IN)
			EACH_NUMBER(l, to[own] = from[plain])
		else
			EACH_NUMBER(l, from[plain] = to[own])
	}
}

void cuda_params_gradients(const struct cuda_params *params, float *plain_data, const void *grads)
{
	memset(plain_data, 0, (size_t)params->plain_floats * sizeof *plain_data);
	for (int i = 0; i < params->n; i++) {
		const struct cuda_param *w = params->param + i;
		const struct cuda_layout *l = &w->layout;
		const float *wide = (const float *)grads + w->first;
		const uint16_t *narrow = (const uint16_t *)wide;
		float *to = plain_data + w->plain_first;

		if (!w->written)
			continue;
		if (w->grad_elem == CUDA_BF16)
			EACH_NUMBER(l, to[plain] = cuda_bf16_value(narrow[own]))
		else
			EACH_NUMBER(l, to[plain] = wide[own])
	}
}
