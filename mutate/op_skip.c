/* mutate/op_skip.c - {"skip": "relu_1", "to": "batchnorm_4", "merge": "add"}: what the first hands out joins what the
 * second hands out.
 *
 * Both stand in the same scope: in one block instance, or in the model (where block instances are points as a whole).
 * Where the shapes differ, or with "project", the connection goes through a 1x1 convolution (a dense layer for vectors)
 * that starts at zero when weights are inherited, so that the function stays. New channels of a concat are read with
 * weights of zero.
 */
#include <string.h>

#include "base/json.h"
#include "base/opt.h"
#include "mutate/connect.h"

struct cfg {
	const char *to;
	int merge;
	bool project;
};

static const struct opt opts[] = {
	OPT_STR(struct cfg, to, NULL, "layer or block whose output it joins"),
	OPT_ENUM(struct cfg, merge, MERGE_ADD, merge_kind_names, "how"),
	OPT_BOOL(struct cfg, project, 0, "through a 1x1 convolution also where the shapes agree"),
	OPT_END,
};

static int order_of(const struct draft *d, int node)
{
	int k = 0;

	while (k < d->n_order && d->order[k] != node)
		k++;
	return k;
}

static int check(struct draft *d, const struct point *from, const struct point *to, bool concat)
{
	const char *why;

	if (from->scope != to->scope)
		return draft_refuse(d, "%s and %s do not stand in the same block: name the blocks that do", from->name,
				    to->name);
	if (order_of(d, from->out.node) >= order_of(d, to->out.node) || from->last == to->last)
		return draft_refuse(d, "%s does not come before %s", from->name, to->name);
	if (concat && draft_is_fixed(d, to->out.node, &why))
		return draft_refuse(d, "%s %s as wide as it is", to->name, why);
	return 1;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct cfg *c = cfg;
	bool concat = c->merge == MERGE_CONCAT, through = c->project && !concat;
	struct shape shape, read;
	struct point from, to;
	struct place end;
	struct edge with;

	(void)value;
	if (!c->to)
		return ERR(e, ERR_INVALID, NULL, "skip needs \"to\": the layer or block whose output it joins");
	if (draft_find(d, &end, c->to, e) < 0)
		return -1;
	point_of(&from, d, at);
	point_of(&to, d, end);
	if (!check(d, &from, &to, concat))
		return 0;
	if (!draft_shape(d, from.out, &read) || !draft_shape(d, to.out, &shape))
		return draft_refuse(d, "%s or %s does not fit where it stands now", from.name, to.name);
	with = from.out;
	through = through || !connect_fits(&read, &shape, concat);
	if (through &&
	    !connect_project(d, from.out, &shape, concat, to.last, to.scope, concat ? START_DRAWN : START_ZERO, &with))
		return 0;
	connect_merge(d, &to, with, through ? with.node : to.last, concat);
	draft_words(d, "connected %s to %s by %s%s", from.name, to.name, concat ? "concatenation" : "addition",
		    through ? " through a projection" : "");
	return 1;
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static struct edge out_of(const struct graph *g, struct place at)
{
	return at.node >= 0 ? (struct edge){ at.node, 0 } : g->groups[at.group].out[0];
}

static bool reaches(int from, int to)
{
	for (int s = 1; s <= from && s <= 64; s++)
		if ((from - 1) / s + 1 == to)
			return true;
	return from == to;
}

static bool can_join(const struct graph *g, struct place from, struct place to)
{
	struct edge a = out_of(g, from), b = out_of(g, to);
	const struct shape *s = graph_shape(g, a), *t = graph_shape(g, b);

	return a.node < b.node && s->type == t->type && s->open == t->open && s->type != TENSOR_TOKENS &&
	       reaches(s->d[1], t->d[1]) && reaches(s->d[2], t->d[2]) && !mutate_is_fixed(g, b.node, NULL);
}

/* The k-th place of the scope that `from` can be connected to; false if there are not that many. */
static bool candidate(const struct graph *g, struct place from, int scope, int k, struct place *out)
{
	for (int i = 0; i < g->n_nodes + g->n_groups; i++) {
		struct place to = { i < g->n_nodes ? i : -1, i < g->n_nodes ? -1 : i - g->n_nodes };

		if ((to.node >= 0 ? g->nodes[to.node].group : g->groups[to.group].parent) != scope ||
		    !can_join(g, from, to) || k--)
			continue;
		*out = to;
		return true;
	}
	return false;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	int scope = at.node >= 0 ? g->nodes[at.node].group : g->groups[at.group].parent, n = 0;
	struct place to;
	struct json *edit;

	(void)env;
	while (candidate(g, at, scope, n, &to))
		n++;
	if (!n)
		return NULL;
	candidate(g, at, scope, (int)rng_below(rng, (uint32_t)n), &to);
	edit = json_object();
	json_put(edit, "skip", json_str(mutate_place_id(g, at)));
	json_put(edit, "to", json_str(mutate_place_id(g, to)));
	json_put(edit, "merge", json_str(merge_kind_names[rng_below(rng, 3) ? MERGE_ADD : MERGE_CONCAT]));
	return edit;
}

const struct mutation mutation_skip = {
	.name = "skip",
	.help = "add a connection past the layers between two points",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.morph = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
