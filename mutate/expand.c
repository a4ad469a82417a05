/* mutate/expand.c - new layers from JSON: an entry of "layers" becomes nodes and groups of a draft.
 *
 * The entry is read into a scratch graph whose first input has the shape at the place of insertion, by the same code
 * that reads models; further inputs of the scratch graph stand for the layers of the draft that it names in "from".
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "mutate/draft.h"
#include "space/space.h"

struct splice {
	struct draft *d;
	struct graph *g; /* scratch */
	int group;       /* of the draft, where the entry stands */
	int after;
	struct edge source[LAYER_INPUTS]; /* what the scratch graph's inputs stand for */
	int *node, *box;                  /* scratch node, group -> draft */
};

static void free_set(void *set)
{
	block_set_free(set);
}

static void free_doc(void *doc)
{
	json_free(doc);
}

/* Definitions by name: the space's, then the env's, then the model's own, which win. */
static int load_blocks(struct draft *d, const struct json *entries, struct err *e)
{
	const struct block_set *from[2] = { d->env->space ? space_blocks(d->env->space) : NULL, d->env->blocks };
	struct json *own = NULL;
	int rc = 0;

	if (!d->blocks) {
		d->blocks = block_set_new();
		arena_defer(d->arena, free_set, d->blocks);
	}
	for (int i = 0; i < 2; i++) {
		struct json *needed = block_set_needed(from[i], entries);

		rc |= block_set_add(d->blocks, needed, true, NULL);
		json_free(needed);
	}
	if (d->from->sources && json_parse(&own, d->from->sources, strlen(d->from->sources), "sources", e) == 0) {
		rc |= block_set_add(d->blocks, own, true, NULL);
		json_free(own);
	}
	return rc;
}

/* The model has to embed the definitions that it uses from now on. */
static void keep_sources(struct draft *d, const struct json *entries)
{
	struct json *needed = block_set_needed(d->blocks, entries);

	JSON_EACH(def, needed) {
		if (!d->sources) {
			d->sources = json_object();
			arena_defer(d->arena, free_doc, d->sources);
		}
		json_put(d->sources, json_key(def), json_copy(def));
	}
	json_free(needed);
}

static bool defined_in(const struct json *entries, const char *id)
{
	JSON_EACH(v, entries)
		if (json_string(json_get(v, "id")) && strcmp(json_string(json_get(v, "id")), id) == 0)
			return true;
	return false;
}

/* "from" may name layers and blocks that stand beside the new ones: each becomes an input of the scratch graph. */
static int add_source(struct splice *s, const struct json *entries, const struct json *ref, struct err *e)
{
	const char *text = json_string(ref), *colon = text ? strchr(text, ':') : NULL, *id;
	struct draft *d = s->d;
	struct place p = { -1, -1 };
	struct shape shape;
	struct edge at;

	if (!text || strcmp(text, "prev") == 0 || strcmp(text, "in") == 0)
		return 0;
	for (int i = 0; i < s->g->n_inputs; i++)
		if (strcmp(s->g->inputs[i].name, text) == 0)
			return 0;
	id = arena_printf(d->arena, "%.*s", (int)(colon ? colon - text : (long)strlen(text)), text);
	if (defined_in(entries, id))
		return 0;
	if (colon)
		return ERR(e, ERR_INVALID, NULL, "\"%s\": only first outputs can be read from here", text);
	if (draft_find(d, &p, id, e) < 0)
		return -1;
	at = p.node >= 0 ? (struct edge){ p.node, 0 } : d->groups[p.group].out[0];
	if (s->g->n_inputs == LAYER_INPUTS || !draft_shape(d, at, &shape))
		return ERR(e, ERR_INVALID, NULL, "\"%s\" cannot be read from here", text);
	s->source[s->g->n_inputs] = at;
	return graph_input(s->g, text, &shape, e);
}

static int add_sources(struct splice *s, const struct json *entries, struct err *e)
{
	JSON_EACH(entry, entries) {
		const struct json *from = json_get(entry, "from");

		if (json_type(from) == JSON_STRING && add_source(s, entries, from, e) < 0)
			return -1;
		if (json_type(from) == JSON_ARRAY)
			JSON_EACH(ref, from)
				if (add_source(s, entries, ref, e) < 0)
					return -1;
	}
	return 0;
}

static struct edge mapped(const struct splice *s, struct edge at)
{
	return at.node < 0 ? s->source[-1 - at.node] : (struct edge){ s->node[at.node], at.port };
}

static const char *last_part(const char *flat)
{
	const char *s = flat, *next;

	while ((next = strstr(s, "__")))
		s = next + 2;
	return s;
}

/* The local id to keep: always inside new blocks, and where the entry gave one. */
static const char *wanted(const struct splice *s, const char *flat, bool outermost, const char *given)
{
	const char *local = last_part(flat);

	if (outermost && (!given || strncmp(local, given, strlen(given))))
		return NULL;
	return arena_strdup(s->d->arena, local);
}

static struct edge *map_edges(const struct splice *s, const struct edge *at, int n)
{
	struct edge *out = ARENA_ARRAY(s->d->arena, struct edge, n);

	for (int i = 0; i < n; i++)
		out[i] = mapped(s, at[i]);
	return out;
}

static const char **copy_names(struct arena *a, const char *const *names, int n)
{
	const char **out = ARENA_ARRAY(a, const char *, n);

	for (int i = 0; i < n; i++)
		out[i] = arena_strdup(a, names[i]);
	return out;
}

static void splice_group(struct splice *s, int i, const char *given)
{
	struct draft *d = s->d;
	const struct group *b = &s->g->groups[i];

	if (d->n_groups == d->cap_groups) {
		struct dgroup *more = ARENA_ARRAY(d->arena, struct dgroup, 2 * d->cap_groups + 4);

		memcpy(more, d->groups, (size_t)d->n_groups * sizeof *more);
		d->groups = more;
		d->cap_groups = 2 * d->cap_groups + 4;
	}
	s->box[i] = d->n_groups++;
	d->groups[s->box[i]] = (struct dgroup){ .block = arena_strdup(d->arena, b->block),
						.prefer = wanted(s, b->id, b->parent < 0, given),
						.parent = b->parent < 0 ? s->group : s->box[b->parent],
						.in = map_edges(s, b->in, b->n_in),
						.in_names = copy_names(d->arena, b->in_names, b->n_in),
						.out_names = copy_names(d->arena, b->out_names, b->n_out),
						.n_in = b->n_in,
						.n_out = b->n_out,
						.origin = -1 };
}

static void splice_node(struct splice *s, int i, const char *given)
{
	const struct node *n = &s->g->nodes[i];
	struct dnode *to;

	s->after = draft_add(s->d, s->after, n->group < 0 ? s->group : s->box[n->group], n->kind, n->cfg,
			     map_edges(s, n->in, n->n_in), n->n_in);
	s->node[i] = s->after;
	to = &s->d->nodes[s->after];
	to->prefer = wanted(s, n->id, n->group < 0, given);
	to->share = n->share < 0 ? -1 : s->node[n->share];
	to->frozen = n->frozen;
	to->device = n->device ? arena_strdup(s->d->arena, n->device) : NULL;
}

/* Moves scratch nodes first .. and groups first_group .. over; `given` is the id that their entry gave, or NULL. */
static void splice_from(struct splice *s, int first, int first_group, const char *given)
{
	struct graph *g = s->g;
	int *node = ARENA_ARRAY(s->d->arena, int, g->n_nodes), *box = ARENA_ARRAY(s->d->arena, int, g->n_groups);

	if (first)
		memcpy(node, s->node, (size_t)first * sizeof *node);
	if (first_group)
		memcpy(box, s->box, (size_t)first_group * sizeof *box);
	s->node = node;
	s->box = box;
	for (int i = first, k = first_group; i < g->n_nodes; i++) {
		for (; k < g->n_groups && g->groups[k].first == i; k++)
			splice_group(s, k, given);
		splice_node(s, i, given);
	}
	for (int k = first_group; k < g->n_groups; k++) { /* adding layers to it was not an edit of its inside */
		struct dgroup *b = &s->d->groups[s->box[k]];

		b->out = map_edges(s, g->groups[k].out, g->groups[k].n_out);
		b->args = arena_strdup(s->d->arena, g->groups[k].args);
	}
}

/* An id that the entry gives must be free. */
static int check_id(struct draft *d, const struct json *entry, int group, struct err *e)
{
	const char *id = json_string(json_get(entry, "id")), *flat;
	struct place p;

	if (!id)
		return 0;
	flat = group < 0 ? id : arena_printf(d->arena, "%s__%s", d->groups[group].id, id);
	if (graph_find(d->from, flat) >= 0 || graph_find_group(d->from, flat) >= 0 ||
	    draft_find(d, &p, flat, NULL) == 0)
		return ERR(e, ERR_INVALID, NULL, "the id \"%s\" is taken: give the new layer another one", id);
	return 0;
}

/* 1; 0: the entry does not fit (refused); -1: it is wrong in itself. */
static int append(struct splice *s, const struct json *entry, const struct scope *outer, struct edge *last,
		  struct err *e)
{
	struct scope scope = { outer->outer, outer->vars, graph_shape(s->g, *last) };
	struct diag diag = { 0 };
	struct json_in in = { entry, &diag, NULL };
	struct edge unused = *last;
	struct err why = { 0 };
	int rc = 1;

	if (model_append(NULL, entry, s->d->blocks, &scope, &unused, &in) < 0) {
		rc = diag_check(&diag, ERR_INVALID, NULL, e) < 0 ? -1 : ERR(e, ERR_INVALID, NULL, "is not a layer");
	} else if (model_append(s->g, entry, s->d->blocks, &scope, last, &in) < 0) {
		diag_check(&diag, ERR_INVALID, NULL, &why);
		rc = draft_refuse(s->d, "%s", why.msg[0] ? why.msg : "the new layers do not fit there");
	}
	diag_release(&diag);
	return rc;
}

static int expand(struct splice *s, const struct json *entries, struct edge *last, struct err *e)
{
	struct json *vars = json_object();
	struct scope scope = { NULL, vars, NULL };
	struct edge at = { -1, 0 };
	int rc = 1;

	json_put(vars, "classes", json_num(s->d->from->outputs[0].classes));
	JSON_EACH(entry, entries) {
		int first = s->g->n_nodes, first_group = s->g->n_groups;

		rc = check_id(s->d, entry, s->group, e) < 0 ? -1 : append(s, entry, &scope, &at, e);
		if (rc <= 0)
			break;
		splice_from(s, first, first_group, json_string(json_get(entry, "id")));
	}
	json_free(vars);
	if (rc > 0)
		*last = mapped(s, at);
	return rc;
}

int draft_expand(struct draft *d, const struct json *entry, int after, int group, struct edge prev, struct edge *last,
		 struct err *e)
{
	struct splice s = { .d = d, .g = graph_new(d->arena), .group = group, .after = after, .source = { prev } };
	struct json *list = json_type(entry) == JSON_ARRAY ? json_copy(entry) : json_array();
	struct shape shape;
	int rc = -1;

	if (json_type(entry) != JSON_ARRAY)
		json_push(list, json_copy(entry));
	if (!json_count(list)) {
		ERR(e, ERR_INVALID, NULL, "no layer is given");
		goto out;
	}
	if (!draft_shape(d, prev, &shape) && (!draft_sort(d) || !draft_settle(d) || !draft_shape(d, prev, &shape))) {
		rc = draft_refuse(d, "what stands before the new layers does not fit any more");
		goto out;
	}
	TRY(graph_input(s.g, "in", &shape, e));
	TRY(load_blocks(d, list, e));
	TRY(add_sources(&s, list, e));
	rc = expand(&s, list, last, e);
	if (rc > 0)
		keep_sources(d, list);
out:
	json_free(list);
	return rc;
}
