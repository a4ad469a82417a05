/* arch/weights.c - see weights.h. */
#include "arch/weights.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "arch/safetensors.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* "residual_1__conv2d_1", "weight" -> "residual_1.conv2d_1.weight". */
static char *tensor_name(struct arena *a, const char *id, const char *param)
{
	struct str t = { 0 };
	char *name;

	for (; *id; id++) {
		if (id[0] == '_' && id[1] == '_' && id[2])
			id++, str_addc(&t, '.');
		else
			str_addc(&t, *id);
	}
	name = arena_printf(a, "%s.%s", str_get(&t), param);
	str_release(&t);
	return name;
}

static int count_tensors(const struct graph *g)
{
	struct param_spec spec[LAYER_PARAMS];
	int n = 0;

	for (int i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].share < 0)
			n += graph_params(g, i, spec);
	return n;
}

static void add_tensors(struct weights *w, const struct graph *g, int node)
{
	struct param_spec spec[LAYER_PARAMS];
	int n = graph_params(g, node, spec);

	w->of_node[node] = n ? w->n : -1;
	for (int k = 0; k < n; k++) {
		struct tensor *t = &w->tensors[w->n++];

		t->name = tensor_name(w->arena, g->nodes[node].id, spec[k].name);
		t->spec = spec[k];
		t->spec.name = arena_strdup(w->arena, spec[k].name);
		t->node = node;
		t->first = w->total;
		t->count = param_count(&spec[k]);
		w->total += t->count;
	}
}

struct weights *weights_new(const struct graph *g, struct err *e)
{
	struct weights *w = mem_new(sizeof *w);

	w->arena = arena_new();
	w->tensors = ARENA_ARRAY(w->arena, struct tensor, count_tensors(g));
	w->of_node = ARENA_ARRAY(w->arena, int, g->n_nodes);
	for (int i = 0; i < g->n_nodes; i++) {
		if (g->nodes[i].share < 0)
			add_tensors(w, g, i);
		else
			w->of_node[i] = w->of_node[g->nodes[i].share];
	}
	w->data = block_new((size_t)w->total * sizeof(float));
	if (!w->data) {
		ERR(e, ERR_RUNTIME, g->name, "%lld bytes of memory for the weights were refused",
		    (long long)w->total * (long long)sizeof(float));
		weights_free(w);
		return NULL;
	}
	return w;
}

void weights_free(struct weights *w)
{
	if (!w)
		return;
	block_free(w->data, (size_t)w->total * sizeof(float));
	arena_free(w->arena);
	mem_free(w);
}

/* ---- initial values ------------------------------------------------------------------------------------- */

static void fill(float *out, int64_t n, float v)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = v;
}

static void fill_normal(float *out, int64_t n, double std, struct rng *r)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = (float)(std * rng_normal(r));
}

static void fill_uniform(float *out, int64_t n, double bound, struct rng *r)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = (float)(bound * (2 * rng_real(r) - 1));
}

static void init_tensor(float *out, const struct tensor *t, struct rng *r)
{
	double in = (double)(t->spec.fan_in > 0 ? t->spec.fan_in : 1);
	double both = in + (double)t->spec.fan_out;

	switch (t->spec.init) {
	case INIT_ZEROS:
		fill(out, t->count, 0);
		return;
	case INIT_ONES:
		fill(out, t->count, 1);
		return;
	case INIT_HE_NORMAL:
		fill_normal(out, t->count, sqrt(2 / in), r);
		return;
	case INIT_HE_UNIFORM:
		fill_uniform(out, t->count, sqrt(6 / in), r);
		return;
	case INIT_GLOROT_NORMAL:
		fill_normal(out, t->count, sqrt(2 / both), r);
		return;
	case INIT_GLOROT_UNIFORM:
		fill_uniform(out, t->count, sqrt(6 / both), r);
		return;
	case INIT_TORCH:
		fill_uniform(out, t->count, 1 / sqrt(in), r);
		return;
	case INIT_NORMAL:
		fill_normal(out, t->count, 1, r);
		return;
	case INIT_COUNT:
		break;
	}
}

void weights_init(struct weights *w, const struct graph *g, uint64_t seed)
{
	for (int i = 0; i < w->n; i++) {
		const struct tensor *t = &w->tensors[i];
		uint64_t stream = hash64_text(g->nodes[t->node].id);
		struct rng r;

		rng_init(&r, hash_mix(hash_mix(seed, PURPOSE_INIT), stream), hash64_text(t->spec.name));
		init_tensor(w->data + t->first, t, &r);
	}
}

/* ---- files ---------------------------------------------------------------------------------------------- */

/* The tensors as the file format sees them; caller frees with mem_free. */
static struct safetensor *as_safetensors(const struct weights *w)
{
	struct safetensor *s = mem_new((size_t)w->n * sizeof *s);

	for (int i = 0; i < w->n; i++) {
		const struct tensor *t = &w->tensors[i];

		s[i].name = t->name;
		s[i].rank = t->spec.rank;
		for (int k = 0; k < t->spec.rank; k++)
			s[i].d[k] = t->spec.d[k];
		s[i].data = w->data + t->first;
	}
	return s;
}

int weights_save(const struct weights *w, const char *path, const struct json *meta, struct err *e)
{
	struct safetensor *s = as_safetensors(w);
	int rc = safetensors_save(path, s, w->n, meta, e);

	mem_free(s);
	return rc;
}

int weights_load(struct weights *w, const char *path, struct err *e)
{
	struct safetensor *s = as_safetensors(w);
	int rc = safetensors_load(s, w->n, path, e);

	mem_free(s);
	return rc;
}

int weights_parse(struct weights *w, const char *bytes, size_t len, const char *name, struct err *e)
{
	struct safetensor *s = as_safetensors(w);
	int rc = safetensors_parse(s, w->n, bytes, len, name, e);

	mem_free(s);
	return rc;
}
