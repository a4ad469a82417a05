/* mutate/op_branch.c - {"branch": "conv2d_1", "with": {"conv2d": {...}}, "merge": "add"}: new layers beside a layer or
 * a block, on the same input, joined to its output.
 *
 * When weights are inherited, a branch that is added starts at zero: its last layer with weights does, if only layers
 * follow that keep zero, else a 1x1 convolution behind it (also where the shapes differ). Concatenated channels are
 * read with weights of zero.
 */
#include "arch/kinds.h"
#include "base/json.h"
#include "base/opt.h"
#include "mutate/connect.h"

struct cfg {
	const struct json *with;
	int merge;
};

static const struct opt opts[] = {
	OPT_JSON(struct cfg, with, "the new layers: an entry of \"layers\" or a list of them"),
	OPT_ENUM(struct cfg, merge, MERGE_ADD, merge_kind_names, "how"),
	OPT_END,
};

/* What a point reads: a layer's input, a block's first one. False if it reads several tensors. */
static bool input_of(const struct draft *d, const struct point *p, struct edge *in)
{
	if (p->at.node >= 0) {
		*in = d->nodes[p->at.node].in[0];
		return d->nodes[p->at.node].n_in == 1;
	}
	*in = d->groups[p->at.group].in[0];
	return d->groups[p->at.group].n_in == 1;
}

/* The new layer that makes the branch zero when it is, or -1. */
static int zero_maker(const struct draft *d, struct edge end, int first_new)
{
	int at = end.node;

	while (at >= first_new) {
		const struct dnode *n = &d->nodes[at];
		enum layer_family f = layer_classes[n->kind]->family;

		if (f == FAMILY_CONV || f == FAMILY_DENSE ||
		    (n->kind == LAYER_batchnorm && ((const struct batchnorm *)n->cfg)->affine))
			return at;
		if (n->n_in != 1 || f == FAMILY_NORM || n->kind == LAYER_sigmoid || n->kind == LAYER_softmax ||
		    !(f == FAMILY_ACTIVATION || f == FAMILY_POOL || f == FAMILY_DROPOUT || f == FAMILY_RESHAPE))
			return -1;
		at = n->in[0].node;
	}
	return -1;
}

static int join(struct draft *d, const struct point *p, struct edge end, int first_new, bool concat)
{
	int maker = concat ? -1 : zero_maker(d, end, first_new), after = end.node < first_new ? p->last : end.node;
	struct shape shape, made;
	bool through;

	if (!draft_shape(d, p->out, &shape) || !draft_shape(d, end, &made))
		return draft_refuse(d, "%s does not fit where it stands now", p->name);
	through = !connect_fits(&made, &shape, concat) || (!concat && maker < 0);
	if (through &&
	    !connect_project(d, end, &shape, concat, after, p->scope, concat ? START_DRAWN : START_ZERO, &end))
		return 0;
	if (maker >= 0 && !through)
		d->nodes[maker].start = START_ZERO;
	connect_merge(d, p, end, through ? end.node : after, concat);
	return 1;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct cfg *c = cfg;
	int first_new = d->n_nodes, rc;
	struct edge in, end;
	struct point p;

	(void)value;
	if (!c->with)
		return ERR(e, ERR_INVALID, NULL, "branch needs \"with\": the new layers");
	point_of(&p, d, at);
	if (!input_of(d, &p, &in))
		return draft_refuse(d, "%s reads several tensors: there is no one input to branch from", p.name);
	if (draft_is_fixed(d, p.out.node, NULL))
		return draft_refuse(d, "%s makes the output: nothing can stand beside it", p.name);
	rc = draft_expand(d, c->with, p.last, p.scope, in, &end, e);
	if (rc <= 0)
		return rc;
	draft_words(d, "put a branch beside %s, joined by %s", p.name,
		    c->merge == MERGE_CONCAT ? "concatenation" : "addition");
	return join(d, &p, end, first_new, c->merge == MERGE_CONCAT);
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static int stride_of(int from, int to)
{
	for (int s = 1; s <= from && s <= 64; s++)
		if ((from - 1) / s + 1 == to)
			return s;
	return 0;
}

/* A convolution or dense layer that takes one shape to the size of the other; NULL if none does. */
static struct json *draw_layer(const struct shape *in, const struct shape *out, int width, struct rng *rng)
{
	static const int kernels[] = { 1, 3, 5 };
	int rows = in->type == TENSOR_VECTOR ? 1 : stride_of(in->d[1], out->d[1]);
	int columns = in->type == TENSOR_IMAGE ? stride_of(in->d[2], out->d[2]) : rows;
	struct json *entry, *options;
	const char *kind = in->type == TENSOR_IMAGE ? "conv2d" : in->type == TENSOR_SEQUENCE ? "conv1d" : "dense";

	if (in->type != out->type || in->open != out->open || in->type == TENSOR_TOKENS || !rows || !columns)
		return NULL;
	entry = json_object();
	options = json_put(entry, kind, json_object());
	json_put(options, in->type == TENSOR_VECTOR ? "units" : "filters", json_num(width));
	if (in->type == TENSOR_VECTOR)
		return entry;
	json_put(options, "kernel", json_num(kernels[rng_below(rng, 3)]));
	json_put(options, "padding", json_str("same"));
	if (in->type == TENSOR_SEQUENCE) {
		json_put(options, "stride", json_num(rows));
	} else {
		struct json *stride = json_put(options, "stride", json_array());

		json_push(stride, json_num(rows));
		json_push(stride, json_num(columns));
	}
	return entry;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct edge out = at.node >= 0 ? (struct edge){ at.node, 0 } : g->groups[at.group].out[0];
	int n_in = at.node >= 0 ? g->nodes[at.node].n_in : g->groups[at.group].n_in;
	const struct shape *to = graph_shape(g, out), *from;
	bool concat = rng_below(rng, 3) == 0;
	struct json *edit, *layer;

	(void)env;
	if (n_in != 1 || mutate_is_fixed(g, out.node, NULL))
		return NULL;
	from = graph_shape(g, at.node >= 0 ? g->nodes[at.node].in[0] : g->groups[at.group].in[0]);
	layer = draw_layer(from, to, concat ? 1 + to->d[0] / (2 << rng_below(rng, 2)) : to->d[0], rng);
	if (!layer)
		return NULL;
	edit = json_object();
	json_put(edit, "branch", json_str(mutate_place_id(g, at)));
	json_put(edit, "with", layer);
	json_put(edit, "merge", json_str(merge_kind_names[concat ? MERGE_CONCAT : MERGE_ADD]));
	return edit;
}

const struct mutation mutation_branch = {
	.name = "branch",
	.help = "put new layers beside a layer or block, on the same input, joined to its output",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.morph = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
