/* mutate/op_reparameterize.c - {"reparameterize": "conv2d_1", "option": "kernel", "value": 5}: one hyper-parameter of a
 * layer gets another value: from the space's own choices for it, else from a grid. An activation has itself as its
 * hyper-parameter: {"reparameterize": "relu_1", "option": "activation", "value": "tanh"}.
 */
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/opt.h"
#include "base/rng.h"
#include "mutate/draft.h"
#include "mutate/fresh.h"
#include "space/draw.h"
#include "space/space.h"

enum { CFG_MAX = 1024, OPTIONS_MAX = 16, DRAWS = 16 };

struct cfg {
	const char *option;
	const struct json *value;
};

static const struct opt opts[] = {
	OPT_STR(struct cfg, option, NULL, "the hyper-parameter; \"activation\": the kind of an activation"),
	OPT_JSON(struct cfg, value, "its new value"),
	OPT_END,
};

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct cfg *c = cfg;

	(void)value;
	if (!c->option || !c->value)
		return ERR(e, ERR_INVALID, "reparameterize", "needs \"option\" and \"value\"");
	if (strcmp(c->option, "activation") == 0 && layer_classes[d->nodes[at.node].kind]->family == FAMILY_ACTIVATION)
		return draft_put_instead(d, at, c->value, e);
	return draft_set_option(d, at.node, c->option, c->value, e);
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static const struct grid {
	enum layer_kind kind;
	const char *option, *values;
} grids[] = {
	{ LAYER_conv2d, "filters", "[8, 16, 32, 64, 128]" },
	{ LAYER_conv2d, "kernel", "[1, 3, 5, 7]" },
	{ LAYER_conv2d, "stride", "[1, 2]" },
	{ LAYER_conv1d, "filters", "[8, 16, 32, 64, 128]" },
	{ LAYER_conv1d, "kernel", "[1, 3, 5, 7]" },
	{ LAYER_depthwise2d, "kernel", "[3, 5, 7]" },
	{ LAYER_depthwise2d, "multiplier", "[1, 2]" },
	{ LAYER_dense, "units", "[16, 32, 64, 128, 256]" },
	{ LAYER_maxpool2d, "size", "[2, 3, 5]" },
	{ LAYER_avgpool2d, "size", "[2, 3, 5]" },
	{ LAYER_maxpool1d, "size", "[2, 3, 5]" },
	{ LAYER_avgpool1d, "size", "[2, 3, 5]" },
	{ LAYER_groupnorm, "groups", "[1, 2, 4, 8]" },
	{ LAYER_dropout, "rate", "[0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]" },
	{ LAYER_embedding, "features", "[16, 32, 64, 128]" },
	{ LAYER_rnn, "units", "[16, 32, 64, 128]" },
	{ LAYER_gru, "units", "[16, 32, 64, 128]" },
	{ LAYER_lstm, "units", "[16, 32, 64, 128]" },
};

static const struct grid activations = {
	LAYER_relu, "activation", "[\"relu\", \"tanh\", \"sigmoid\", \"silu\", \"gelu\", \"leaky_relu\", \"elu\"]"
};

/* Whether the layer has this value already. */
static bool is_value(const struct node *n, const char *option, const struct json *v)
{
	const struct opt *o = opt_find(layer_classes[n->kind]->opts, option);
	struct json *was, *is;
	_Alignas(16) char cfg[CFG_MAX];
	bool same;

	if (!o)
		return json_string(v) && strcmp(json_string(v), layer_classes[n->kind]->name) == 0;
	memcpy(cfg, n->cfg, layer_classes[n->kind]->cfg_size);
	if (opt_read_value(cfg, o, v, NULL, NULL) < 0)
		return true;
	was = opt_write_value(n->cfg, o);
	is = opt_write_value(cfg, o);
	same = json_equal(was, is);
	json_free(was);
	json_free(is);
	return same;
}

/* Another value, drawn; NULL if there is none. */
static struct json *other_value(const struct node *n, const struct grid *grid, const struct space *s, struct rng *rng)
{
	const struct json *own = s ? fresh_choices(s, layer_classes[n->kind]->name, grid->option) : NULL;
	struct json *list = NULL, *v = NULL;

	if (!own && json_parse(&list, grid->values, strlen(grid->values), "grid", NULL) < 0)
		return NULL;
	for (int i = 0; i < DRAWS && !v; i++) {
		const struct json *one = json_first(list);

		for (int k = list ? (int)rng_below(rng, (uint32_t)json_count(list)) : 0; k > 0; k--)
			one = json_next(one);
		v = own ? draw_value(own, rng) : json_copy(one);
		if (is_value(n, grid->option, v)) {
			json_free(v);
			v = NULL;
		}
	}
	json_free(list);
	return v;
}

static bool is_width(const char *option)
{
	return strcmp(option, "filters") == 0 || strcmp(option, "units") == 0 || strcmp(option, "features") == 0 ||
	       strcmp(option, "multiplier") == 0;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	const struct node *n = &g->nodes[at.node];
	const struct grid *mine[OPTIONS_MAX], *chosen;
	struct json *edit, *value;
	int count = 0;

	for (size_t i = 0; i < sizeof grids / sizeof *grids; i++)
		if (grids[i].kind == n->kind && !(is_width(grids[i].option) && mutate_is_fixed(g, at.node, NULL)))
			mine[count++] = &grids[i];
	if (layer_classes[n->kind]->family == FAMILY_ACTIVATION && n->kind != LAYER_softmax)
		mine[count++] = &activations;
	if (!count)
		return NULL;
	chosen = mine[rng_below(rng, (uint32_t)count)];
	value = other_value(n, chosen, env->space, rng);
	if (!value)
		return NULL;
	edit = json_object();
	json_put(edit, "reparameterize", json_str(n->id));
	json_put(edit, "option", json_str(chosen->option));
	json_put(edit, "value", value);
	return edit;
}

const struct mutation mutation_reparameterize = {
	.name = "reparameterize",
	.help = "give one hyper-parameter of a layer another value",
	.at = MUTATE_LAYER,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
