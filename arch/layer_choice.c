/* arch/layer_choice.c - choice: one place in the graph with several candidate layers, all of one output shape. It has
 * the parameters of all candidates ("0.weight", "1.weight", ...) and the cost of the largest. No backend trains it yet,
 * so there is no forward or backward; supports() of a backend refuses it.
 */
#include <assert.h>
#include <string.h>

#include "arch/kinds.h"
#include "arch/layer_common.h"

static int ports_of(const struct layer_class *c)
{
	int n = 0;

	while (c->ports && c->ports[n])
		n++;
	return n ? n : 1;
}

static int candidate(const struct choice_item *item, const struct shape *in, struct shape *out, struct err *e)
{
	const struct layer_class *c = layer_classes[item->kind];

	if (item->kind == LAYER_choice || c->min_in > 1 || ports_of(c) > 1)
		return ERR(e, ERR_INVALID, NULL,
			   "choice: \"%s\" cannot be a candidate: it must have one input and one output", c->name);
	return c->shape(item->cfg, in, 1, out, e);
}

static int choice_shape(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e)
{
	struct choice *c = cfg;
	struct param_spec spec[LAYER_PARAMS];
	char a[48], b[48];
	int params = 0;

	(void)n_in;
	if (c->n < 1 || c->n > CHOICE_MAX)
		return ERR(e, ERR_INVALID, NULL, "choice needs 1 to %d candidates, has %d", CHOICE_MAX, c->n);
	for (int i = 0; i < c->n; i++) {
		const struct layer_class *k = layer_classes[c->items[i].kind];
		struct shape got = { 0 };

		if (candidate(c->items + i, in, &got, e) < 0)
			return -1;
		if (i == 0)
			out[0] = got;
		if (!shape_equal(out, &got))
			return ERR(e, ERR_INVALID, NULL,
				   "choice: candidates must give one shape: %s gives %s %s, %s gives %s %s",
				   layer_classes[c->items[0].kind]->name, tensor_type_names[out->type],
				   shape_text(a, out), k->name, tensor_type_names[got.type], shape_text(b, &got));
		params += k->params ? k->params(c->items[i].cfg, in, 1, spec) : 0;
	}
	if (params > LAYER_PARAMS)
		return ERR(e, ERR_INVALID, NULL, "choice: its candidates have %d parameter tensors, the limit is %d",
			   params, LAYER_PARAMS);
	return 0;
}

/* "3.weight": names must live as long as the program, so they stand in a table. */
static const char *prefixed(int i, const char *name)
{
#define NAMED(s)                                                                                                 \
	{                                                                                                        \
		s,                                                                                               \
		{                                                                                                \
			"0." s, "1." s, "2." s, "3." s, "4." s, "5." s, "6." s, "7." s, "8." s, "9." s, "10." s, \
			    "11." s, "12." s, "13." s, "14." s, "15." s                                          \
		}                                                                                                \
	}
	static const struct {
		const char *name, *with[CHOICE_MAX];
	} table[] = { NAMED("weight"), NAMED("bias"), NAMED("running_mean"), NAMED("running_var") };
#undef NAMED

	for (size_t k = 0; k < sizeof table / sizeof *table; k++)
		if (strcmp(table[k].name, name) == 0)
			return table[k].with[i];
	assert(!"a parameter name that choice does not know");
	return name;
}

static int choice_params(const void *cfg, const struct shape *in, int n_in, struct param_spec *out)
{
	const struct choice *c = cfg;
	int n = 0;

	(void)n_in;
	for (int i = 0; i < c->n; i++) {
		const struct layer_class *k = layer_classes[c->items[i].kind];
		struct param_spec spec[LAYER_PARAMS];
		int own = k->params ? k->params(c->items[i].cfg, in, 1, spec) : 0;

		for (int p = 0; p < own; p++) {
			assert(n < LAYER_PARAMS);
			out[n] = spec[p];
			out[n++].name = prefixed(i, spec[p].name);
		}
	}
	return n;
}

static int64_t choice_macs(const void *cfg, const struct shape *in, int n_in, const struct shape *out)
{
	const struct choice *c = cfg;
	int64_t most = 0;

	(void)n_in;
	for (int i = 0; i < c->n; i++) {
		const struct layer_class *k = layer_classes[c->items[i].kind];
		int64_t own = k->macs ? k->macs(c->items[i].cfg, in, 1, out) : 0;

		if (own < 0)
			return -1;
		most = own > most ? own : most;
	}
	return most;
}

const struct layer_class layer_choice = {
	.name = "choice",
	.symbol = "?",
	.help = "several candidate layers for one place",
	.family = FAMILY_OTHER,
	.min_in = 1,
	.max_in = 1,
	.opts = empty_opts,
	.cfg_size = sizeof(struct choice),
	.shape = choice_shape,
	.params = choice_params,
	.macs = choice_macs,
};
