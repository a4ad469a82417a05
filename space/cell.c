/* space/cell.c - cell spaces: a small directed acyclic graph with a choice on every edge, stacked by a macro-structure.
 *
 * A drawn cell becomes an ordinary block named "cell": the operation on edge (i, j) has the id e<i>_<j>, node j >= 1 is
 * the merge n<j> of its edges. The block's output is its last node. Every node but the first has an edge that leads to
 * it; where there is only one, the operation itself is the node.
 */
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/internal.h"

enum { NODES_MAX = 16, EDGES_MAX = NODES_MAX * (NODES_MAX - 1) / 2 };

/* ---- reading -------------------------------------------------------------------------------------------- */

static int read_pair(int pair[2], const struct json *v, int nodes, const struct json_in *in)
{
	const struct json *a = json_first(v), *b = a ? json_next(a) : NULL;
	double from = json_number(a), to = json_number(b);

	if (json_type(v) != JSON_ARRAY || json_count(v) != 2 || !(from >= 0 && from < to && to < nodes) ||
	    from != (int)from || to != (int)to)
		return json_bad(in, v, "must be [from, to] with 0 <= from < to < %d", nodes);
	pair[0] = (int)from;
	pair[1] = (int)to;
	return 0;
}

static bool has_edge(const struct cell *c, int from, int to)
{
	for (int i = 0; i < c->n_edges; i++)
		if (c->edges[i][0] == from && c->edges[i][1] == to)
			return true;
	return false;
}

static int read_edges(struct cell *c, const struct json *v, struct arena *a, const struct json_in *in)
{
	bool all = !v || (json_string(v) && strcmp(json_string(v), "all") == 0);
	int(*edges)[2] = arena_alloc(a, sizeof(int[EDGES_MAX][2])), given[EDGES_MAX][2], n = 0;

	if (!all && (json_type(v) != JSON_ARRAY || json_count(v) > EDGES_MAX))
		return json_bad(in, v, "must be \"all\" or a list of [from, to]");
	if (!all)
		JSON_EACH(pair, v)
			if (read_pair(given[n++], pair, c->nodes, in) < 0)
				return -1;
	c->edges = (const int(*)[2])edges;
	for (int to = 1; to < c->nodes; to++) {
		int before = c->n_edges;

		for (int from = 0; from < to; from++) {
			int times = all;

			for (int i = 0; i < n; i++)
				times += given[i][0] == from && given[i][1] == to;
			if (times > 1)
				return json_bad(in, v, "the edge [%d, %d] is given twice", from, to);
			if (!times)
				continue;
			edges[c->n_edges][0] = from;
			edges[c->n_edges++][1] = to;
		}
		if (c->n_edges == before)
			return json_bad(in, v, "node %d has no edge that leads to it", to);
	}
	return 0;
}

static int check_choice(const struct json *entry, const struct json_in *in)
{
	if (json_string(entry))
		return 0;
	if (json_get(entry, "id") || json_get(entry, "from"))
		return json_bad(in, entry, "\"id\" and \"from\" are set by the cell");
	return 0;
}

int cell_read(struct cell *c, const struct json *v, const struct block_set *blocks, const struct json *with,
	      struct arena *a, const struct json_in *in)
{
	static const char *const known[] = { "nodes", "edges", "merge", "edge" };
	const struct json *nodes = json_get(v, "nodes"), *merge = json_get(v, "merge");
	const char *text = merge ? json_string(merge) : "add";
	double n = json_number(nodes);
	int rc = 0;

	if (json_type(v) != JSON_OBJECT)
		return json_bad(in, v, "must be an object with \"nodes\" and \"edge\"");
	rc = json_unknown(in, v, known, 4) ? -1 : 0;
	if (!(n >= 2 && n <= NODES_MAX && n == (int)n))
		return json_bad(in, nodes ? nodes : v, "\"nodes\" must be a whole number between 2 and %d", NODES_MAX);
	c->nodes = (int)n;
	if (!text || (strcmp(text, "add") && strcmp(text, "concat") && strcmp(text, "multiply")))
		return json_bad(in, merge, "must be \"add\", \"multiply\" or \"concat\"");
	c->merge = text;
	if (read_edges(c, json_get(v, "edges"), a, in) < 0)
		return -1;
	c->edge = json_get(v, "edge");
	if (!c->edge)
		return json_bad(in, v, "\"edge\" (the choice on every edge) is missing");
	if (draw_check(c->edge, in) < 0)
		return -1;
	if (draw_kind(c->edge) != DRAW_ANY)
		return json_bad(in, c->edge, "must be {\"any\": [...]}: the choice on every edge");
	c->choices = json_get(c->edge, "any");
	JSON_EACH(entry, c->choices)
		rc |= check_choice(entry, in);
	return layers_check(c->choices, blocks, with, in) < 0 ? -1 : rc;
}

/* ---- building ------------------------------------------------------------------------------------------- */

/* An operation as an entry of its own, with id and source. */
static struct json *edge_entry(const struct json *drawn, const char *id, int from)
{
	struct json *entry = json_string(drawn) ? json_object() : json_copy(drawn);
	char source[16];

	if (json_string(drawn))
		json_put(entry, json_string(drawn), json_object());
	snprintf(source, sizeof source, from ? "n%d" : "in", from);
	json_put(entry, "id", json_str(id));
	json_put(entry, "from", json_str(source));
	return entry;
}

static struct json *merge_entry(const struct cell *c, int node)
{
	struct json *entry = json_object(), *from;
	char id[24];

	json_put(entry, c->merge, json_object());
	snprintf(id, sizeof id, "n%d", node);
	json_put(entry, "id", json_str(id));
	from = json_put(entry, "from", json_array());
	for (int i = 0; i < node; i++) {
		if (!has_edge(c, i, node))
			continue;
		snprintf(id, sizeof id, "e%d_%d", i, node);
		json_push(from, json_str(id));
	}
	return entry;
}

/* {"cell": {"layers": [...]}} with ops[e] on edge e. */
static struct json *cell_block(const struct cell *c, struct json *const *ops)
{
	struct json *blocks = json_object(), *layers;
	char id[24];

	layers = json_put(json_put(blocks, "cell", json_object()), "layers", json_array());
	for (int e = 0; e < c->n_edges; e++) {
		int from = c->edges[e][0], to = c->edges[e][1];
		bool only = (e == 0 || c->edges[e - 1][1] != to) && (e + 1 == c->n_edges || c->edges[e + 1][1] != to);

		snprintf(id, sizeof id, only ? "n%d" : "e%d_%d", only ? to : from, to);
		json_push(layers, edge_entry(ops[e], id, from));
		if (!only && (e + 1 == c->n_edges || c->edges[e + 1][1] != to))
			json_push(layers, merge_entry(c, to));
	}
	return blocks;
}

int64_t cell_count(const struct space *s)
{
	int64_t with = s->with ? draw_count(s->with) : 1, body = draw_count(s->body.entries), per,
		n = with < 0 || body < 0 ? -1 : with * body;

	per = draw_count(s->cell.edge);
	for (int i = 0; i < s->cell.n_edges && n > 0; i++)
		n = per < 0 || n > ((int64_t)1 << 53) / per ? -1 : n * per;
	return n;
}

static void draw_ops(struct json **ops, const struct draft *d, int64_t k)
{
	const struct cell *c = &d->s->cell;
	int64_t per = k < 0 ? 0 : draw_count(c->edge);

	for (int e = c->n_edges - 1; e >= 0 && k >= 0; e--, k /= per)
		ops[e] = draw_nth(c->edge, k % per);
	for (int e = 0; e < c->n_edges && !ops[e]; e++)
		ops[e] = draw_value(c->edge, d->rng);
}

/* "with", then the stack's own open places, then the edges: the edges change fastest. */
static struct json *draw_stack(struct draft *d, int64_t *k)
{
	const struct space *s = d->s;
	int64_t cells = 1, body, per;

	if (*k < 0) {
		d->vars = s->with ? draw_value(s->with, d->rng) : json_object();
		return draw_value(s->body.entries, d->rng);
	}
	per = draw_count(s->cell.edge);
	for (int i = 0; i < s->cell.n_edges; i++)
		cells *= per;
	body = draw_count(s->body.entries);
	d->vars = s->with ? draw_nth(s->with, *k / cells / body) : json_object();
	return draw_nth(s->body.entries, *k / cells % body);
}

int cell_build(struct draft *d, int64_t k)
{
	const struct cell *c = &d->s->cell;
	struct json *ops[EDGES_MAX] = { NULL }, *stack, *block;
	const struct json *library = json_get(d->s->doc, "blocks");
	int64_t cells = 1;
	int rc;

	stack = draw_stack(d, &k);
	json_put(d->vars, "classes", json_num(d->t->classes));
	for (int i = 0; i < c->n_edges && k >= 0; i++)
		cells *= draw_count(c->edge);
	draw_ops(ops, d, k < 0 ? k : k % cells);
	block = cell_block(c, ops);
	d->own_blocks = block_set_new();
	if (library)
		block_set_add(d->own_blocks, library, true, NULL);
	block_set_add(d->own_blocks, block, true, NULL);
	d->blocks = d->own_blocks;
	rc = draft_entries(d, stack, true);
	for (int e = 0; e < c->n_edges; e++)
		json_free(ops[e]);
	json_free(block);
	json_free(stack);
	return rc ? 1 : draft_reject(d, CAUSE_HEAD);
}
