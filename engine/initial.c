/* engine/initial.c - see initial.h. */
#include "engine/initial.h"

#include <stdio.h>
#include <string.h>

#include "arch/safetensors.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "mutate/carry.h"

static const size_t largest_file = (size_t)1 << 40;

/* ---- from a parent -------------------------------------------------------------------------------------- */

static bool same_shape(const struct tensor *x, const struct tensor *y)
{
	return x->spec.rank == y->spec.rank && memcmp(x->spec.d, y->spec.d, sizeof x->spec.d) == 0;
}

static const struct tensor *tensor_named(const struct weights *w, const char *name)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->tensors[i].name, name) == 0)
			return &w->tensors[i];
	return NULL;
}

static void count(struct initial *out, const struct tensor *t, bool inherited)
{
	if (t->spec.role == PARAM_STAT)
		return;
	out->inherited += inherited;
	out->drawn += !inherited;
}

/* Without edits that say more: tensors of the same name and shape. */
static void by_name(struct initial *out, const struct weights *parent)
{
	struct weights *w = out->weights;

	for (int i = 0; i < w->n; i++) {
		struct tensor *t = &w->tensors[i];
		const struct tensor *p = tensor_named(parent, t->name);
		bool same = p && same_shape(t, p);

		if (same)
			memcpy(w->data + t->first, parent->data + p->first, (size_t)t->count * sizeof *w->data);
		count(out, t, same);
	}
}

static void put_blocks(struct block_set *set, const struct graph *g)
{
	struct json *sources = NULL;

	if (g->sources && json_parse(&sources, g->sources, strlen(g->sources), "sources", NULL) == 0)
		block_set_add(set, sources, true, NULL);
	json_free(sources);
}

/* Blocks that an edit inserts are among the definitions that the child was stored with. */
static int by_edits(struct initial *out, const struct graph *g, const struct initial_parent *p,
		    const struct weights *parent, uint64_t seed, struct arena *a, struct err *e)
{
	struct block_set *set = block_set_new();
	struct mutate_env env = { .blocks = set, .weights = parent };
	struct carry_result r = { 0 };
	int rc;

	put_blocks(set, p->graph);
	put_blocks(set, g);
	rc = mutate_carry(&out->weights, g, p->graph, parent, p->edits, &env, seed, INITIAL_NOISE, &r, a, e);
	block_set_free(set);
	if (rc < 0)
		return -1;
	out->inherited = r.inherited;
	out->drawn = r.drawn;
	if (r.preserves)
		snprintf(out->text, sizeof out->text, "; the function is preserved");
	else if (r.why)
		snprintf(out->text, sizeof out->text, "; the function is not preserved: %.160s", r.why);
	return 0;
}

/* Puts the counts before what is said already. */
static void say_counts(struct initial *out)
{
	char rest[sizeof out->text];

	memcpy(rest, out->text, sizeof rest);
	snprintf(out->text, sizeof out->text, "%d of %d tensors%.250s", out->inherited, out->inherited + out->drawn,
		 rest);
}

int initial_inherit(struct initial *out, const struct graph *g, const struct initial_parent *p, uint64_t seed,
		    struct arena *a, struct err *e)
{
	struct weights *parent = weights_new(p->graph, e);
	int rc = -1;

	*out = (struct initial){ 0 };
	TRY(parent ? 0 : -1);
	TRY(weights_load(parent, p->path, e));
	if (p->edits) {
		TRY(by_edits(out, g, p, parent, seed, a, e));
	} else {
		out->weights = weights_new(g, e);
		TRY(out->weights ? 0 : -1);
		weights_init(out->weights, g, seed);
		by_name(out, parent);
	}
	say_counts(out);
	rc = 0;
out:
	weights_free(parent);
	return rc;
}

/* ---- from a file ---------------------------------------------------------------------------------------- */

bool initial_is_head(const struct graph *g, int node)
{
	for (int i = 0; i < g->n_outputs; i++) {
		int at = g->outputs[i].from.node;

		while (at >= 0 && g->nodes[at].params + g->nodes[at].stats == 0 && g->nodes[at].share < 0 &&
		       g->nodes[at].n_in == 1)
			at = g->nodes[at].in[0].node;
		if (at >= 0 && g->nodes[at].share >= 0)
			at = g->nodes[at].share;
		if (at == node && g->nodes[at].params > 0)
			return true;
	}
	return false;
}

struct loading {
	struct initial *out;
	const struct graph *g;
	const char *path;
	struct safetensor_found *found;
	int n_found;
	struct diag *diag;
	int missing, unexpected, misshapen;
	int head, head_before; /* layer that gets a new head, or -1; classes in the file */
};

static const struct safetensor_found *find(const struct loading *l, const char *name)
{
	for (int i = 0; i < l->n_found; i++)
		if (strcmp(l->found[i].name, name) == 0)
			return &l->found[i];
	return NULL;
}

static bool fits(const struct tensor *t, const struct safetensor_found *f, int from)
{
	bool same = t->spec.rank == f->rank;

	for (int i = from; same && i < f->rank; i++)
		same = t->spec.d[i] == f->d[i];
	return same;
}

/* The tensors of a head are there, and differ from the model's in the first size alone: the number of classes. */
static bool other_classes(const struct loading *l, int node, int *before)
{
	const struct weights *w = l->out->weights;
	bool differs = false;

	for (int i = 0; i < w->n; i++) {
		const struct tensor *t = &w->tensors[i];
		const struct safetensor_found *f = t->node == node ? find(l, t->name) : NULL;

		if (t->node != node)
			continue;
		if (!f || f->rank < 1 || !fits(t, f, 1))
			return false;
		differs = differs || f->d[0] != t->spec.d[0];
		*before = (int)f->d[0];
	}
	return differs;
}

static void shape_words(char *buf, size_t size, const int64_t *d, int rank)
{
	size_t at = 0;

	buf[0] = 0;
	for (int i = 0; i < rank && at + 24 < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%lld", i ? "x" : "", (long long)d[i]);
}

static void complain(struct loading *l, const struct tensor *t, const struct safetensor_found *f)
{
	char has[100], wants[100];
	int64_t d[PARAM_DIMS];

	if (!f) {
		l->missing++;
		diag_add(l->diag, DIAG_ERROR, t->name, "is missing in the file");
		return;
	}
	for (int i = 0; i < t->spec.rank; i++)
		d[i] = t->spec.d[i];
	shape_words(has, sizeof has, f->d, f->rank);
	shape_words(wants, sizeof wants, d, t->spec.rank);
	l->misshapen++;
	diag_add(l->diag, DIAG_ERROR, t->name, "has the shape %s in the file, but %s in the model", has, wants);
}

static void take_tensors(struct loading *l)
{
	struct weights *w = l->out->weights;

	for (int i = 0; i < w->n; i++) {
		struct tensor *t = &w->tensors[i];
		const struct safetensor_found *f = find(l, t->name);
		bool taken = t->node != l->head && f && fits(t, f, 0);

		if (taken)
			memcpy(w->data + t->first, f->data, (size_t)t->count * sizeof *w->data);
		else if (t->node != l->head)
			complain(l, t, f);
		count(l->out, t, taken);
	}
	for (int i = 0; i < l->n_found; i++) {
		if (tensor_named(w, l->found[i].name))
			continue;
		l->unexpected++;
		diag_add(l->diag, DIAG_ERROR, l->found[i].name, "is in the file, but not in the model");
	}
}

static int verdict(struct loading *l, struct err *e)
{
	struct initial *out = l->out;
	const struct weights *w = out->weights;

	if (l->missing + l->unexpected + l->misshapen)
		return ERR(e, ERR_INVALID, l->path,
			   "the weights are of another model: %d tensors are missing, %d unexpected, %d of another "
			   "shape (%s: %s%s)",
			   l->missing, l->unexpected, l->misshapen, l->diag->items[0].where, l->diag->items[0].msg,
			   l->diag->n > 1 ? ", ..." : "");
	if (l->head >= 0)
		snprintf(out->text, sizeof out->text, "; a new head: %.80s has %d classes in the file, %d here",
			 l->g->nodes[l->head].id, l->head_before, w->tensors[w->of_node[l->head]].spec.d[0]);
	say_counts(out);
	return 0;
}

int initial_load(struct initial *out, const struct graph *g, const char *path, uint64_t seed, struct diag *d,
		 struct err *e)
{
	struct diag own = { 0 };
	struct loading l = { .out = out, .g = g, .path = path, .diag = d ? d : &own, .head = -1 };
	struct arena *a = arena_new();
	char *bytes = NULL;
	size_t len;
	int rc = -1;

	*out = (struct initial){ 0 };
	TRY(file_read(&bytes, &len, path, largest_file, false, e));
	out->digest = hash128(bytes, len);
	TRY(safetensors_list(&l.found, &l.n_found, bytes, len, path, a, e));
	out->weights = weights_new(g, e);
	TRY(out->weights ? 0 : -1);
	weights_init(out->weights, g, seed);
	for (int i = 0; i < g->n_nodes && l.head < 0; i++)
		if (initial_is_head(g, i) && other_classes(&l, i, &l.head_before))
			l.head = i;
	take_tensors(&l);
	rc = verdict(&l, e);
out:
	mem_free(bytes);
	arena_free(a);
	diag_release(&own);
	return rc;
}
