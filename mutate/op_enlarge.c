/* mutate/op_enlarge.c - {"enlarge": "conv2d_1", "kernel": 5}: a larger window with paddings that keep the output size.
 *
 * The new taps start at zero (Wei et al., Network Morphism, 2016): the padding grows as the kernel does, whatever it
 * was before, so that the old taps see what they saw.
 */
#include "arch/kinds.h"
#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"

enum { KERNEL_MAX = 255 };

struct cfg {
	struct opt_pair kernel;
};

static const struct opt opts[] = {
	OPT_PAIR(struct cfg, kernel, OPT_NEED, 1, KERNEL_MAX, "window afterwards (of a conv1d the second number)"),
	OPT_END,
};

static bool has_kernel(enum layer_kind kind)
{
	return kind == LAYER_conv1d || kind == LAYER_conv2d || kind == LAYER_depthwise2d;
}

/* Half of what is added before, the odd one after; 'same' paddings stay 'same' where the taps meet. */
static void grow(const struct window *w, int axis, int to)
{
	int *pad = w->padding->side, d = *w->dilation[axis], was = *w->kernel[axis], more = d * (to - was);
	int before = d * ((to - was) / 2), same = d * (to - 1) / 2 - d * (was - 1) / 2;

	if (pad[axis] == d * (was - 1) / 2 && pad[axis] + pad[axis + 2] == d * (was - 1) && same % d == 0)
		before = same;
	pad[axis] += before;
	pad[axis + 2] += more - before;
	*w->kernel[axis] = to;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const int *to = ((const struct cfg *)cfg)->kernel.v;
	const char *name = draft_name(d, at.node);
	struct window w;
	int was[2] = { 1, 1 };

	(void)value;
	(void)e;
	if (!has_kernel(d->nodes[at.node].kind) || !draft_window(d, at.node, &w))
		return draft_refuse(d, "%s has no kernel: enlarge is for convolutions", name);
	for (int axis = 0; axis < 2; axis++)
		was[axis] = w.kernel[axis] ? *w.kernel[axis] : to[axis];
	if (to[0] < was[0] || to[1] < was[1] || (to[0] == was[0] && to[1] == was[1]))
		return draft_refuse(d, "%s: a kernel of %dx%d is not larger than %dx%d", name, to[0], to[1], was[0],
				    was[1]);
	for (int axis = 0; axis < 2; axis++)
		if (w.kernel[axis])
			grow(&w, axis, to[axis]);
	if (w.kernel[0])
		draft_words(d, "enlarged %s from %dx%d to %dx%d", name, was[0], was[1], to[0], to[1]);
	else
		draft_words(d, "enlarged %s from %d to %d", name, was[1], to[1]);
	return 1;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	const struct node *n = &g->nodes[at.node];
	const struct shape *in = n->n_in ? graph_shape(g, n->in[0]) : NULL;
	int more = 2 * (1 + (int)rng_below(rng, 2)), k[2] = { 1, 1 };
	struct json *edit, *pair;

	(void)env;
	if (!has_kernel(n->kind))
		return NULL;
	if (n->kind == LAYER_conv1d)
		k[1] = ((const struct conv1d *)n->cfg)->kernel;
	else if (n->kind == LAYER_conv2d)
		k[0] = ((const struct conv2d *)n->cfg)->kernel.v[0],
		k[1] = ((const struct conv2d *)n->cfg)->kernel.v[1];
	else
		k[0] = ((const struct depthwise2d *)n->cfg)->kernel.v[0],
		k[1] = ((const struct depthwise2d *)n->cfg)->kernel.v[1];
	/* a kernel that mostly sees padding is no sensible draw */
	if (k[0] + more > KERNEL_MAX || k[1] + more > KERNEL_MAX ||
	    k[1] + more > 2 * in->d[in->type == TENSOR_IMAGE ? 2 : 1])
		return NULL;
	edit = json_object();
	json_put(edit, "enlarge", json_str(n->id));
	pair = json_put(edit, "kernel", json_array());
	json_push(pair, json_num(n->kind == LAYER_conv1d ? 1 : k[0] + more));
	json_push(pair, json_num(k[1] + more));
	return edit;
}

const struct mutation mutation_enlarge = {
	.name = "enlarge",
	.help = "give a convolution a larger kernel, at the same output size",
	.at = MUTATE_LAYER,
	.morph = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
