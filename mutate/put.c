/* mutate/put.c - new layers behind, before and in the place of what is there: what insert, prepend and replace share.
 */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/str.h"
#include "mutate/draft.h"

enum { CFG_MAX = 1024 };

/* ---- in words ------------------------------------------------------------------------------------------- */

/* A pool's stride is usually its size. */
static bool is_pool_stride(const struct draft *d, int node, const struct opt *o, const struct json *v)
{
	const struct opt *size = opt_find(layer_classes[d->nodes[node].kind]->opts, "size");
	struct json *other;
	bool same;

	if (!size || strcmp(o->name, "stride"))
		return false;
	other = opt_write_value(d->nodes[node].cfg, size);
	same = json_equal(v, other);
	json_free(other);
	return same;
}

/* "conv2d_3 (filters 16, kernel 5)": the options that are not the usual ones. */
static void describe(struct str *out, const struct draft *d, int node)
{
	const struct layer_class *k = layer_classes[d->nodes[node].kind];
	_Alignas(16) char usual[CFG_MAX] = { 0 };
	int n = 0;

	str_add(out, draft_name(d, node));
	opt_defaults(usual, k->opts);
	for (const struct opt *o = k->opts; o->name; o++) {
		struct json *a = opt_write_value(d->nodes[node].cfg, o), *b = opt_write_value(usual, o);

		if (!json_equal(a, b) && !is_pool_stride(d, node, o, a)) {
			str_addf(out, "%s%s ", n++ ? ", " : " (", o->name);
			json_brief(out, a);
		}
		json_free(a);
		json_free(b);
	}
	str_add(out, n ? ")" : "");
}

/* The layers and blocks from first_node, first_group on that stand in `group`. */
static const char *describe_new(struct draft *d, int group, int first_node, int first_group)
{
	struct str t = { 0 };
	const char *text;

	draft_name_new(d);
	for (int k = 0, last = -1; k < d->n_order; k++) {
		int i = d->order[k], at = d->nodes[i].group, below = -1;

		for (; at >= 0 && at != group; at = d->groups[at].parent)
			below = at;
		if (i < first_node || (below >= 0 && (below < first_group || below == last)))
			continue;
		str_add(&t, t.len ? ", " : "");
		if (below >= 0)
			str_add(&t, draft_place_name(d, (struct place){ -1, below }));
		else
			describe(&t, d, i);
		last = below;
	}
	text = arena_strdup(d->arena, str_get(&t));
	str_release(&t);
	return text;
}

/* ---- the three ------------------------------------------------------------------------------------------ */

static bool makes_output(const struct draft *d, struct edge at)
{
	for (int k = 0; k < d->from->n_outputs; k++)
		if (d->outputs[k].node == at.node && d->outputs[k].port == at.port)
			return true;
	return false;
}

int draft_put_after(struct draft *d, struct place at, const struct json *entry, struct err *e)
{
	int first_node = d->n_nodes, first_group = d->n_groups, rc;
	struct edge from = draft_place_out(d, at), last;

	if (makes_output(d, from))
		return draft_refuse(d, "%s is the output: new layers stand before it", draft_place_name(d, at));
	rc = draft_expand(d, entry, draft_place_last(d, at), draft_place_group(d, at), from, &last, e);
	if (rc <= 0)
		return rc;
	draft_divert(d, from, last, at.group, first_node, first_group);
	draft_words(d, "inserted %s after %s", describe_new(d, draft_place_group(d, at), first_node, first_group),
		    draft_place_name(d, at));
	return 1;
}

/* The node that stands right before a place: new layers come after it. */
static int stands_before(const struct draft *d, struct place at)
{
	int before = -1;

	for (int k = 0; k < d->n_order && !draft_in_place(d, d->order[k], at); k++)
		before = d->order[k];
	return before;
}

int draft_put_before(struct draft *d, struct place at, const struct json *entry, struct err *e)
{
	int first_node = d->n_nodes, first_group = d->n_groups, rc;
	struct edge from = draft_place_in(d, at), last;

	rc = draft_expand(d, entry, stands_before(d, at), draft_place_group(d, at), from, &last, e);
	if (rc <= 0)
		return rc;
	draft_divert_one(d, at, last);
	draft_words(d, "inserted %s before %s", describe_new(d, draft_place_group(d, at), first_node, first_group),
		    draft_place_name(d, at));
	return 1;
}

/* A merge named without "from" in the place of a merge: the kind changes, the operands stay. */
static struct json *with_operands(struct draft *d, struct place at, const struct json *entry)
{
	const char *name = json_string(entry) ? json_string(entry) : json_key(json_first(entry));
	int kind = name ? layer_find(name) : -1;
	struct json *out, *from;

	if (at.node < 0 || d->nodes[at.node].n_in < 2 || kind < 0 || layer_classes[kind]->family != FAMILY_MERGE ||
	    json_get(entry, "from"))
		return NULL;
	out = json_type(entry) == JSON_OBJECT ? json_copy(entry) : json_object();
	if (json_type(entry) != JSON_OBJECT)
		json_put(out, name, json_object());
	from = json_put(out, "from", json_array());
	for (int j = 0; j < d->nodes[at.node].n_in; j++)
		json_push(from, json_str("prev"));
	return out;
}

/* The operands of the new merge, read as as many times "prev", become those of the old one. */
static void take_operands(struct draft *d, int merge, int from)
{
	struct dnode *n = &d->nodes[merge];

	memcpy(n->in, d->nodes[from].in, (size_t)n->n_in * sizeof *n->in);
}

static int can_go(struct draft *d, struct place at)
{
	const char *why;
	struct edge out;

	for (int k = 0; k < d->n_order; k++)
		if (draft_in_place(d, d->order[k], at) && draft_is_fixed(d, d->order[k], &why))
			return draft_refuse(d, "%s %s", draft_name(d, d->order[k]), why);
	for (int port = 1; at.node >= 0 && port < LAYER_PORTS; port++)
		if (draft_readers(d, (struct edge){ at.node, port }))
			return draft_refuse(d, "%s: its state is read by others, nothing can stand for it",
					    draft_name(d, at.node));
	if (at.group >= 0 && draft_only_output(d, at.group, &out) < 0)
		return draft_refuse(d, "%s: several of its outputs are read, nothing can stand for them",
				    draft_place_name(d, at));
	return 1;
}

int draft_put_instead(struct draft *d, struct place at, const struct json *entry, struct err *e)
{
	int first_node = d->n_nodes, first_group = d->n_groups, rc;
	struct edge from, out, last;
	struct json *merge;

	if (!can_go(d, at))
		return 0;
	merge = with_operands(d, at, entry);
	out = draft_place_out(d, at);
	from = at.node >= 0 ? d->nodes[at.node].in[draft_main_operand(d, at.node)] : draft_place_in(d, at);
	rc = draft_expand(d, merge ? merge : entry, draft_place_last(d, at), draft_place_group(d, at), from, &last, e);
	if (rc > 0 && merge)
		take_operands(d, last.node, at.node);
	json_free(merge);
	if (rc <= 0)
		return rc;
	draft_divert(d, out, last, at.group, first_node, first_group);
	draft_words(d, "replaced %s by %s", draft_place_name(d, at),
		    describe_new(d, draft_place_group(d, at), first_node, first_group));
	draft_drop_place(d, at);
	return 1;
}
