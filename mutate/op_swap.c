/* mutate/op_swap.c - {"swap": "batchnorm_1", "with": "relu_1"}: two neighbours in a chain, layers or blocks, trade
 * places: x -> A -> B -> y becomes x -> B -> A -> y. Both keep their ids and options; widths follow.
 */
#include <string.h>

#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"

struct cfg {
	const char *with;
};

static const struct opt opts[] = {
	OPT_STR(struct cfg, with, NULL, "the layer or block behind it that reads nothing else"),
	OPT_END,
};

static bool same_edge(struct edge a, struct edge b)
{
	return a.node == b.node && a.port == b.port;
}

/* One input and one output, nothing that must stay, and the tensor's type is kept: it can stand on either side. */
static int can_move(struct draft *d, struct place at)
{
	struct edge in = draft_place_in(d, at), out;
	struct shape from, to;
	const char *why;

	for (int k = 0; k < d->n_order; k++) {
		const struct dnode *n = &d->nodes[d->order[k]];

		if (!draft_in_place(d, d->order[k], at))
			continue;
		if (draft_is_fixed(d, d->order[k], &why))
			return draft_refuse(d, "%s %s", draft_name(d, d->order[k]), why);
		for (int j = 0; j < n->n_in; j++)
			if (!same_edge(n->in[j], in) && (n->in[j].node < 0 || !draft_in_place(d, n->in[j].node, at)))
				return draft_refuse(d, "%s has several inputs", draft_place_name(d, at));
	}
	if (at.group >= 0 && draft_only_output(d, at.group, &out) < 0)
		return draft_refuse(d, "%s has several outputs", draft_place_name(d, at));
	for (int port = 1; at.node >= 0 && port < LAYER_PORTS; port++)
		if (draft_readers(d, (struct edge){ at.node, port }))
			return draft_refuse(d, "%s has several outputs", draft_place_name(d, at));
	if (draft_shape(d, in, &from) && draft_shape(d, draft_place_out(d, at), &to) && from.type != to.type)
		return draft_refuse(d, "%s makes something else of its input: its neighbours depend on it",
				    draft_place_name(d, at));
	return 1;
}

/* The edges of a chain x -> A -> B. */
struct chain {
	struct place a, b;
	struct edge x, a_out, b_out;
};

static void trade_edges(struct draft *d, const struct chain *c)
{
	for (int k = 0; k < d->n_order; k++) {
		int i = d->order[k];

		for (int j = 0; j < d->nodes[i].n_in; j++) {
			struct edge *at = &d->nodes[i].in[j];

			if (draft_in_place(d, i, c->a))
				*at = same_edge(*at, c->x) ? c->b_out : *at;
			else if (draft_in_place(d, i, c->b))
				*at = same_edge(*at, c->a_out) ? c->x : *at;
			else
				*at = same_edge(*at, c->b_out) ? c->a_out : *at;
		}
	}
	for (int k = 0; k < d->from->n_outputs; k++)
		if (same_edge(d->outputs[k], c->b_out))
			d->outputs[k] = c->a_out;
}

static void trade_ports(struct draft *d, const struct chain *c)
{
	for (int i = 0; i < d->n_groups; i++) {
		struct dgroup *b = &d->groups[i];
		bool in_a = c->a.group >= 0 && draft_within_group(d, i, c->a.group);
		bool in_b = c->b.group >= 0 && draft_within_group(d, i, c->b.group);

		for (int j = 0; j < b->n_in; j++) {
			if (in_a)
				b->in[j] = same_edge(b->in[j], c->x) ? c->b_out : b->in[j];
			else if (in_b)
				b->in[j] = same_edge(b->in[j], c->a_out) ? c->x : b->in[j];
			else
				b->in[j] = same_edge(b->in[j], c->b_out) ? c->a_out : b->in[j];
		}
		for (int j = 0; j < b->n_out && !in_a && !in_b; j++)
			b->out[j] = same_edge(b->out[j], c->b_out) ? c->a_out : b->out[j];
	}
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const char *with = ((const struct cfg *)cfg)->with;
	struct chain c = { .a = at };
	int inside = 0;

	(void)value;
	if (!with)
		return ERR(e, ERR_INVALID, "swap", "needs \"with\", the layer or block behind it");
	if (draft_find(d, &c.b, with, e) < 0)
		return -1;
	if (!can_move(d, c.a) || !can_move(d, c.b))
		return 0;
	c.x = draft_place_in(d, c.a);
	c.a_out = draft_place_out(d, c.a);
	c.b_out = draft_place_out(d, c.b);
	for (int k = 0; k < d->n_order; k++)
		for (int j = 0; j < d->nodes[d->order[k]].n_in; j++)
			inside +=
			    draft_in_place(d, d->order[k], c.b) && same_edge(d->nodes[d->order[k]].in[j], c.a_out);
	if (draft_place_group(d, c.a) != draft_place_group(d, c.b) || !same_edge(draft_place_in(d, c.b), c.a_out) ||
	    draft_readers(d, c.a_out) != inside)
		return draft_refuse(d, "%s is not the only one that reads %s, or not its neighbour",
				    draft_place_name(d, c.b), draft_place_name(d, c.a));
	draft_words(d, "swapped %s and %s", draft_place_name(d, c.a), draft_place_name(d, c.b));
	draft_touch(d, draft_place_group(d, c.a));
	trade_edges(d, &c);
	trade_ports(d, &c);
	return 1;
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

/* The place beside `at` that reads it: the reader, or the outermost block around it in the same group. */
static bool neighbour(struct place *out, const struct graph *g, struct place at)
{
	struct edge from = at.node >= 0 ? (struct edge){ at.node, 0 } : g->groups[at.group].out[0];
	int home = at.node >= 0 ? g->nodes[at.node].group : g->groups[at.group].parent;

	for (int i = 0; i < g->n_nodes; i++)
		for (int j = 0; j < g->nodes[i].n_in; j++) {
			int group = g->nodes[i].group, below = -1;

			for (; group >= 0 && group != home; group = g->groups[group].parent)
				below = group;
			if (!same_edge(g->nodes[i].in[j], from) || group != home ||
			    (at.group >= 0 && below == at.group))
				continue;
			*out = below < 0 ? (struct place){ i, -1 } : (struct place){ -1, below };
			return below >= 0 || !mutate_is_fixed(g, i, NULL);
		}
	return false;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct place other;
	struct json *edit;

	(void)env;
	(void)rng;
	if ((at.node >= 0 && (mutate_is_fixed(g, at.node, NULL) || g->nodes[at.node].n_in > 1)) ||
	    !neighbour(&other, g, at) || (other.node >= 0 && g->nodes[other.node].n_in > 1))
		return NULL;
	edit = json_object();
	json_put(edit, "swap", json_str(mutate_place_id(g, at)));
	json_put(edit, "with", json_str(mutate_place_id(g, other)));
	return edit;
}

const struct mutation mutation_swap = {
	.name = "swap",
	.help = "two neighbouring layers or blocks trade places",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
