/* report/model_diff.c - see model_diff.h. Alignment: Needleman and Wunsch 1970, without a penalty for gaps. */
#include "report/model_diff.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/str.h"

const char *const diff_kind_names[] = { "same", "changed", "reshaped", "removed", "added", NULL };

/* ---- values --------------------------------------------------------------------------------------------- */

static struct json *copy_or_null(const struct json *v)
{
	return v ? json_copy(v) : json_null();
}

void json_changes(struct json *list, const char *path, const struct json *old, const struct json *now)
{
	struct json *one;

	if ((!old && !now) || (old && now && json_equal(old, now)))
		return;
	if (json_type(old) != JSON_OBJECT || json_type(now) != JSON_OBJECT) {
		one = json_push(list, json_object());
		json_put(one, "key", json_str(path));
		json_put(one, "old", copy_or_null(old));
		json_put(one, "new", copy_or_null(now));
		return;
	}
	for (int side = 0; side < 2; side++)
		JSON_EACH(v, side ? now : old) {
			struct str sub = { 0 };

			if (side && json_get(old, json_key(v)))
				continue;
			str_addf(&sub, "%s%s%s", path, path[0] ? "." : "", json_key(v));
			json_changes(list, sub.s, json_get(old, json_key(v)), json_get(now, json_key(v)));
			str_release(&sub);
		}
}

/* ---- aligning ------------------------------------------------------------------------------------------- */

static bool same_options(const struct node *x, const struct node *y)
{
	size_t size = layer_classes[x->kind]->cfg_size;

	return x->kind == y->kind && (!size || memcmp(x->cfg, y->cfg, size) == 0);
}

/* What a pair is worth; 0: they are no pair. */
static int worth(const struct node *x, const struct node *y, bool related)
{
	int id = strcmp(x->id, y->id) == 0 ? (related ? 12 : 1) : 0;

	if (x->kind != y->kind)
		return 0;
	return 2 + id + (same_options(x, y) ? 4 : 0);
}

/* Beyond this many cells of the table (a model of thousands of layers) only ids are compared. */
enum { CELLS_MAX = 4000000 };

/* to[i]: the node of b that stands for node i of a, or -1. */
static void align_by_table(const struct graph *a, const struct graph *b, bool related, int *to)
{
	int n = a->n_nodes, m = b->n_nodes, w = m + 1;
	int *best = mem_new((size_t)(n + 1) * (size_t)w * sizeof *best);

	/* best[i][j]: of the nodes from i and from j on */
	for (int i = n - 1; i >= 0; i--)
		for (int j = m - 1; j >= 0; j--) {
			int pair = worth(&a->nodes[i], &b->nodes[j], related), *at = &best[i * w + j];

			*at = best[(i + 1) * w + j] > best[i * w + j + 1] ? best[(i + 1) * w + j] : best[i * w + j + 1];
			if (pair && pair + best[(i + 1) * w + j + 1] > *at)
				*at = pair + best[(i + 1) * w + j + 1];
		}
	for (int i = 0, j = 0; i < n && j < m;) {
		int pair = worth(&a->nodes[i], &b->nodes[j], related);

		if (pair && best[i * w + j] == pair + best[(i + 1) * w + j + 1])
			to[i++] = j++;
		else if (best[i * w + j] == best[(i + 1) * w + j])
			i++;
		else
			j++;
	}
	mem_free(best);
}

static void align_by_id(const struct graph *a, const struct graph *b, int *to)
{
	int last = -1;

	for (int i = 0; i < a->n_nodes; i++) {
		int j = graph_find(b, a->nodes[i].id);

		if (j > last && a->nodes[i].kind == b->nodes[j].kind)
			to[i] = last = j;
	}
}

/* ---- steps ---------------------------------------------------------------------------------------------- */

static const char *source_id(const struct graph *g, struct edge e)
{
	return e.node < 0 ? g->inputs[-1 - e.node].name : g->nodes[e.node].id;
}

static const char *sources(const struct graph *g, const struct node *x, struct arena *arena)
{
	struct str t = { 0 };
	const char *out;

	for (int k = 0; k < x->n_in; k++)
		str_addf(&t, "%s%s", k ? ", " : "", source_id(g, x->in[k]));
	out = arena_strdup(arena, str_get(&t));
	str_release(&t);
	return out;
}

/* Where the layers that it reads are still there, it should read the same ones; a layer that went or came between two
 * others says enough by itself. */
static bool rewired(const struct graph *a, const struct graph *b, int i, int j, const int *to, const int *from)
{
	const struct node *x = &a->nodes[i], *y = &b->nodes[j];

	if (x->n_in != y->n_in)
		return true;
	for (int k = 0; k < x->n_in; k++) {
		int p = x->in[k].node, q = y->in[k].node;

		if ((p >= 0 && to[p] < 0) || (q >= 0 && from[q] < 0))
			continue;
		if ((p < 0 ? p : to[p]) != q || x->in[k].port != y->in[k].port)
			return true;
	}
	return false;
}

static void free_json(void *v)
{
	json_free(v);
}

static const struct json *option_changes(const struct node *x, const struct node *y, struct arena *arena)
{
	const struct opt *opts = layer_classes[x->kind]->opts;
	struct json *old = opt_write(x->cfg, opts), *now = opt_write(y->cfg, opts), *list = json_array();

	json_changes(list, "", old, now);
	json_free(old);
	json_free(now);
	arena_defer(arena, free_json, list);
	return list;
}

static bool same_shapes(const struct node *x, const struct node *y)
{
	if (x->n_out != y->n_out || x->params != y->params)
		return false;
	for (int k = 0; k < x->n_out; k++)
		if (!shape_equal(&x->out[k], &y->out[k]))
			return false;
	return true;
}

static void add_pair(struct model_diff *d, int i, int j, const int *to, const int *from, struct arena *arena)
{
	const struct node *x = &d->a->nodes[i], *y = &d->b->nodes[j];
	struct diff_step *s = &d->steps[d->n++];

	*s = (struct diff_step){ .kind = same_shapes(x, y) ? DIFF_SAME : DIFF_RESHAPED, .a = i, .b = j };
	if (!same_options(x, y)) {
		s->kind = DIFF_CHANGED;
		s->options = option_changes(x, y, arena);
	}
	if (rewired(d->a, d->b, i, j, to, from)) {
		s->kind = DIFF_CHANGED;
		s->reads_a = sources(d->a, x, arena);
		s->reads_b = sources(d->b, y, arena);
	}
}

static void make_steps(struct model_diff *d, const int *to, const int *from, struct arena *arena)
{
	int j = 0;

	for (int i = 0; i <= d->a->n_nodes; i++) {
		int until = i == d->a->n_nodes ? d->b->n_nodes : to[i];

		if (until < 0) {
			d->steps[d->n++] = (struct diff_step){ .kind = DIFF_REMOVED, .a = i, .b = -1 };
			continue;
		}
		for (; j < until; j++)
			d->steps[d->n++] = (struct diff_step){ .kind = DIFF_ADDED, .a = -1, .b = j };
		if (i < d->a->n_nodes)
			add_pair(d, i, j++, to, from, arena);
	}
	for (int k = 0; k < d->n; k++)
		d->count[d->steps[k].kind]++;
}

struct model_diff *model_diff(const struct graph *a, const struct graph *b, bool related, struct arena *arena)
{
	struct model_diff *d = ARENA_NEW(arena, struct model_diff);
	int *to = ARENA_ARRAY(arena, int, a->n_nodes + 1), *from = ARENA_ARRAY(arena, int, b->n_nodes + 1);

	*d = (struct model_diff){ .a = a, .b = b };
	d->steps = ARENA_ARRAY(arena, struct diff_step, a->n_nodes + b->n_nodes + 1);
	for (int i = 0; i < a->n_nodes; i++)
		to[i] = -1;
	for (int j = 0; j < b->n_nodes; j++)
		from[j] = -1;
	if ((int64_t)a->n_nodes * b->n_nodes <= CELLS_MAX)
		align_by_table(a, b, related, to);
	else
		align_by_id(a, b, to);
	for (int i = 0; i < a->n_nodes; i++)
		if (to[i] >= 0)
			from[to[i]] = i;
	make_steps(d, to, from, arena);
	return d;
}
