/* mutate/op_deepen.c - {"deepen": "conv2d_1"}: a second layer like this one behind it, with the norm and the activation
 * that follow it.
 *
 * Net2Deeper (Chen, Goodfellow, Shlens 2016): the new layer starts as the identity, the batch norm undoes its
 * statistics, and relu changes nothing the second time. After other activations the function is not kept.
 */
#include "arch/kinds.h"
#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"

struct cfg {
	char unused;
};

static const struct opt opts[] = { OPT_END };

static bool can_repeat(enum layer_kind kind)
{
	return kind == LAYER_dense || kind == LAYER_conv1d || kind == LAYER_conv2d || kind == LAYER_depthwise2d;
}

/* The only reader of a layer, if it is of this family and in the same block; else -1. */
static int follower(const struct draft *d, int node, enum layer_family family)
{
	int reader = -1;

	if (draft_readers(d, (struct edge){ node, 0 }) != 1)
		return -1;
	for (int k = 0; k < d->n_order; k++)
		for (int j = 0; j < d->nodes[d->order[k]].n_in; j++)
			if (d->nodes[d->order[k]].in[j].node == node)
				reader = d->order[k];
	if (reader < 0 || d->nodes[reader].group != d->nodes[node].group || d->nodes[reader].kind == LAYER_softmax)
		return -1;
	return layer_classes[d->nodes[reader].kind]->family == family ? reader : -1;
}

static int odd(int n)
{
	return n | 1;
}

/* The same layer with as many outputs as inputs and the output size of its input. */
static void make_square(struct draft *d, int node)
{
	void *cfg = d->nodes[node].cfg;
	struct window w;

	if (draft_window(d, node, &w)) {
		for (int axis = 0; axis < 2; axis++) {
			if (!w.kernel[axis])
				continue;
			*w.kernel[axis] = odd(*w.kernel[axis]);
			*w.stride[axis] = *w.dilation[axis] = 1;
			w.padding->side[axis] = w.padding->side[axis + 2] = *w.kernel[axis] / 2;
		}
		w.padding->same = 0;
	}
	if (d->nodes[node].kind == LAYER_depthwise2d)
		((struct depthwise2d *)cfg)->multiplier = 1;
}

/* A copy of a layer behind `at`, at the end of what is read there. */
static int add_copy(struct draft *d, int node, int after, enum start start)
{
	struct edge in = { after, 0 };
	int made = draft_add(d, after, d->nodes[node].group, d->nodes[node].kind, d->nodes[node].cfg, &in, 1);

	d->nodes[made].start = start;
	return made;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	int norm, act, last = at.node, first, end;
	const char *why;

	(void)value;
	(void)cfg;
	(void)e;
	if (!can_repeat(d->nodes[at.node].kind))
		return draft_refuse(d, "%s: only dense layers and convolutions can start as the identity",
				    draft_name(d, at.node));
	if (draft_is_fixed(d, at.node, &why))
		return draft_refuse(d, "%s %s", draft_name(d, at.node), why);
	norm = follower(d, last, FAMILY_NORM);
	last = norm >= 0 ? norm : last;
	act = follower(d, last, FAMILY_ACTIVATION);
	last = act >= 0 ? act : last;
	first = end = add_copy(d, at.node, last, START_IDENTITY);
	make_square(d, first);
	if (norm >= 0)
		end = add_copy(d, norm, end, START_IDENTITY);
	if (act >= 0)
		end = add_copy(d, act, end, START_DRAWN);
	draft_redirect(d, (struct edge){ last, 0 }, (struct edge){ end, 0 }, first);
	draft_words(d, "deepened %s by another %s%s%s%s%s behind %s", draft_name(d, at.node),
		    layer_classes[d->nodes[at.node].kind]->name, norm >= 0 ? ", " : "",
		    norm >= 0 ? layer_classes[d->nodes[norm].kind]->name : "", act >= 0 ? ", " : "",
		    act >= 0 ? layer_classes[d->nodes[act].kind]->name : "", draft_name(d, last));
	return 1;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct json *edit;

	(void)env;
	(void)rng;
	if (!can_repeat(g->nodes[at.node].kind) || mutate_is_fixed(g, at.node, NULL))
		return NULL;
	edit = json_object();
	json_put(edit, "deepen", json_str(g->nodes[at.node].id));
	return edit;
}

const struct mutation mutation_deepen = {
	.name = "deepen",
	.help = "put another layer like this one behind it, with its norm and activation",
	.at = MUTATE_LAYER,
	.morph = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
