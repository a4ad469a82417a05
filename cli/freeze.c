/* cli/freeze.c - see freeze.h. */
#include "cli/freeze.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/initial.h"

struct span {
	int first, last; /* nodes, both included */
};

static int unknown(const struct graph *g, const char *id, struct err *e)
{
	const char **ids = mem_new((size_t)(g->n_nodes + g->n_groups + 1) * sizeof *ids), *near;
	int n = 0;

	for (int i = 0; i < g->n_nodes; i++)
		ids[n++] = g->nodes[i].id;
	for (int i = 0; i < g->n_groups; i++)
		ids[n++] = g->groups[i].id;
	near = str_nearest(id, ids, n);
	ERR(e, ERR_USAGE, "--freeze", "the model has no layer or block \"%s\"%s%s%s", id,
	    near ? "; did you mean \"" : " (`nab validate` draws it with all ids)", near ? near : "",
	    near ? "\"?" : "");
	mem_free(ids);
	return -1;
}

static int find_one(struct span *out, const struct graph *g, const char *id, struct err *e)
{
	int node = graph_find(g, id), group = node < 0 ? graph_find_group(g, id) : -1;

	if (node < 0 && group < 0)
		return unknown(g, id, e);
	*out = node >= 0 ? (struct span){ node, node }
			 : (struct span){ g->groups[group].first, g->groups[group].first + g->groups[group].n - 1 };
	return 0;
}

static int find(struct span *out, const struct graph *g, char *text, struct err *e)
{
	char *dots = strstr(text, "..");
	struct span to;

	if (strcmp(text, "all-but-head") == 0) {
		*out = (struct span){ 0, g->n_nodes - 1 };
		return 0;
	}
	if (!dots)
		return find_one(out, g, text, e);
	*dots = 0;
	if (find_one(out, g, text, e) < 0 || find_one(&to, g, dots + 2, e) < 0)
		return -1;
	if (to.last < out->first)
		return ERR(e, ERR_USAGE, "--freeze",
			   "\"%s\" comes after \"%s\" in the model: write the range the "
			   "other way round",
			   text, dots + 2);
	out->last = to.last;
	return 0;
}

/* The layer that has the parameters which node i uses, or -1. */
static int owner(const struct graph *g, int i)
{
	int o = g->nodes[i].share >= 0 ? g->nodes[i].share : i;

	return g->nodes[o].params + g->nodes[o].stats > 0 ? o : -1;
}

static int freeze_one(struct graph *g, char *text, struct err *e)
{
	bool heads = strcmp(text, "all-but-head") != 0;
	struct span s;
	int n = 0;

	if (find(&s, g, text, e) < 0)
		return -1;
	for (int i = s.first; i <= s.last; i++) {
		int o = owner(g, i);

		if (o < 0 || (!heads && initial_is_head(g, o)))
			continue;
		g->nodes[o].frozen = true;
		n++;
	}
	return n ? 0 : ERR(e, ERR_USAGE, "--freeze", "\"%s\" has no parameters: there is nothing to freeze", text);
}

static bool trains(const struct graph *g)
{
	for (int i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].params > 0 && !g->nodes[i].frozen)
			return true;
	return false;
}

int cli_freeze(struct graph *g, const struct opt_strs *what, struct err *e)
{
	for (int i = 0; i < what->n; i++) {
		char *list = mem_strdup(what->v[i]), *rest = NULL;
		int rc = 0;

		for (char *t = strtok_r(list, ",", &rest); t && rc == 0; t = strtok_r(NULL, ",", &rest))
			rc = freeze_one(g, t, e);
		mem_free(list);
		if (rc < 0)
			return -1;
	}
	if (what->n && !trains(g))
		return ERR(e, ERR_USAGE, "--freeze", "every layer would be frozen: nothing is left to train");
	return 0;
}
