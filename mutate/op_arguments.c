/* mutate/op_arguments.c - a block instance with other arguments: {"arguments": "residual_2", "set": {"filters": 24}}.
 *
 * The instance is expanded anew from its parameterised definition. Its layers keep their ids where the new expansion
 * has a layer of the same kind and local id, and their weights where nothing about them has changed.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/rng.h"
#include "base/str.h"
#include "mutate/copies.h"
#include "space/draw.h"
#include "space/space.h"

struct cfg {
	const struct json *set;
};

static const struct opt opts[] = {
	OPT_JSON(struct cfg, set, "the arguments to change, by name"),
	OPT_END,
};

/* ---- drawing -------------------------------------------------------------------------------------------- */

/* The open place that the space has for an argument of this block, anywhere in it; NULL if there is none. */
static const struct json *choice_in(const struct json *v, const struct json *with, const char *block, const char *arg)
{
	const struct json *found = json_get(json_get(v, block), arg);
	const char *name = json_string(found);

	if (name && name[0] == '$')
		found = json_get(with, name + 1);
	if (found && draw_kind(found) != DRAW_FIXED)
		return found;
	JSON_EACH(c, v) {
		found = choice_in(c, with, block, arg);
		if (found)
			return found;
	}
	return NULL;
}

static struct json *near_number(const char *name, double v, struct rng *rng)
{
	static const double factors[] = { 0.5, 0.75, 1.5, 2 };
	double step, to;

	if (v != floor(v)) /* a rate */
		return json_num(round(v * (rng_below(rng, 2) ? 1.5 : 0.5) * 1000) / 1000);
	if (strcmp(name, "stride") == 0)
		return json_num(v == 1 ? 2 : 1);
	if (strcmp(name, "kernel") == 0 || strcmp(name, "size") == 0)
		return json_num(v < 3 || rng_below(rng, 2) ? v + 2 : v - 2);
	if (v < 8)
		return json_num(v < 2 || rng_below(rng, 2) ? v + 1 : v - 1);
	step = fmod(v, 8) == 0 && v >= 16 ? 8 : fmod(v, 4) == 0 ? 4 : fmod(v, 2) == 0 ? 2 : 1;
	to = round(v * factors[rng_below(rng, 4)] / step) * step;
	return json_num(to < 1 ? 1 : to);
}

/* Another layer kind that may stand where this activation stands. */
static struct json *near_kind(const char *now, struct rng *rng)
{
	static const char *const known[] = { "relu", "silu", "gelu", "hard_swish", "leaky_relu" };
	enum { N = sizeof known / sizeof *known };
	int at = (int)rng_below(rng, N);

	if (layer_find(now) < 0 || layer_classes[layer_find(now)]->family != FAMILY_ACTIVATION)
		return NULL;
	if (strcmp(known[at], now) == 0)
		at = (at + 1) % N;
	return json_str(known[at]);
}

/* A value beside the present one; NULL if this kind of value has none. */
static struct json *near_value(const struct json *now, struct rng *rng)
{
	if (json_type(now) == JSON_NUMBER)
		return near_number(json_key(now), json_number(now), rng);
	if (json_type(now) == JSON_BOOL)
		return json_bool(!json_true(now));
	return json_string(now) ? near_kind(json_string(now), rng) : NULL;
}

/* Another value for an argument: from the space's choices where it has some. */
static struct json *other_value(const struct json *now, const char *block, const struct space *space, struct rng *rng)
{
	enum { TRIES = 16 };
	const struct json *doc = space ? space_json(space) : NULL, *with = json_get(doc, "with"), *choice;
	struct json *v;

	choice = choice_in(doc, with, block, json_key(now));
	if (!choice)
		return near_value(now, rng);
	for (int i = 0; i < TRIES; i++) {
		v = draw_value(choice, rng);
		if (!json_equal(v, now) && !json_string(v))
			return v;
		if (json_string(v) && json_string(v)[0] != '$' && !json_equal(v, now))
			return v;
		json_free(v);
	}
	return NULL;
}

static struct json *pick_argument(const struct json *args, const char *block, const struct space *space,
				  struct rng *rng)
{
	int n = json_count(args), skip = n ? (int)rng_below(rng, (uint32_t)n) : 0;
	struct json *set = json_object();

	for (int i = 0; i < n && !json_count(set); i++) { /* from a random one on, round */
		const struct json *now = json_first(args);
		struct json *v;

		for (int k = (skip + i) % n; k > 0; k--)
			now = json_next(now);
		v = other_value(now, block, space, rng);
		if (v && !json_equal(v, now))
			json_put(set, json_key(now), v);
		else
			json_free(v);
	}
	if (json_count(set))
		return set;
	json_free(set);
	return NULL;
}

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	const struct group *b = at.group >= 0 ? &g->groups[at.group] : NULL;
	struct json *args = NULL, *set, *edit;

	if (!b || b->n_in != 1 || !copy_has_arguments(g, b->block, b->args) ||
	    json_parse(&args, b->args, strlen(b->args), b->block, NULL) < 0)
		return NULL;
	set = pick_argument(args, b->block, env->space, rng);
	json_free(args);
	if (!set)
		return NULL;
	edit = json_object();
	json_put(edit, "arguments", json_str(b->id));
	json_put(edit, "set", set);
	return edit;
}

/* ---- applying ------------------------------------------------------------------------------------------- */

/* The arguments as they shall be, in `args`; what changes goes to `words`. */
static int change(struct json *args, const struct json *set, const char *name, const char *block, struct str *words,
		  struct err *e)
{
	JSON_EACH(v, set) {
		const struct json *now = json_get(args, json_key(v));
		const char *names[64], *near;
		int n = 0;

		if (!now) {
			JSON_EACH(a, args)
				if (n < 64)
					names[n++] = json_key(a);
			near = str_nearest(json_key(v), names, n);
			return ERR(e, ERR_INVALID, NULL, "the block %s has no parameter \"%s\"%s%s%s", block,
				   json_key(v), near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
		}
		if (json_equal(now, v))
			continue;
		str_addf(words, "%sset %s of %s from ", words->len ? ", " : "", json_key(v), name);
		json_brief(words, now);
		str_add(words, " to ");
		json_brief(words, v);
	}
	JSON_EACH(v, set)
		json_put(args, json_key(v), json_copy(v));
	return 0;
}

struct swap {
	struct draft *d;
	int old, made;         /* the instances */
	int n_nodes, n_groups; /* before the new one was added */
};

/* The path of a new layer or inner block below the new instance, as flat ids spell it. */
static const char *path_in(const struct swap *s, int group, const char *local)
{
	const char *path = local;

	for (; group != s->made; group = s->d->groups[group].parent)
		path = arena_printf(s->d->arena, "%s__%s", s->d->groups[group].prefer, path);
	return path;
}

/* Whether something of the old instance has this path below it. */
static bool has_path(const struct swap *s, const char *flat, const char *path)
{
	const char *instance = s->d->groups[s->old].id;
	size_t n = strlen(instance);

	return flat && strncmp(flat, instance, n) == 0 && strncmp(flat + n, "__", 2) == 0 &&
	       strcmp(flat + n + 2, path) == 0;
}

/* The new layer goes on with the old one's id, and with its weights if it is the same layer. */
static void inherit_node(struct draft *d, int made, int old)
{
	struct dnode *to = &d->nodes[made], *was = &d->nodes[old];

	to->id = was->id;
	to->frozen = was->frozen;
	to->device = was->device;
	if (memcmp(to->cfg, was->cfg, layer_classes[to->kind]->cfg_size))
		return;
	to->origin = was->origin;
	to->out_map = was->out_map;
	to->n_out_map = was->n_out_map;
}

static void inherit_ids(const struct swap *s)
{
	struct draft *d = s->d;

	if (!d->groups[s->old].id) /* an earlier edit has added it */
		return;
	draft_name_new(d);
	for (int i = s->n_nodes; i < d->n_nodes; i++) {
		const char *path = path_in(s, d->nodes[i].group, d->nodes[i].prefer);

		for (int k = 0; k < s->n_nodes; k++)
			if (!d->nodes[k].gone && d->nodes[k].kind == d->nodes[i].kind &&
			    has_path(s, d->nodes[k].id, path))
				inherit_node(d, i, k);
	}
	for (int i = s->n_groups; i < d->n_groups; i++)
		for (int k = 0; k < s->n_groups && i != s->made; k++)
			if (!d->groups[k].gone &&
			    has_path(s, d->groups[k].id, path_in(s, d->groups[i].parent, d->groups[i].prefer)))
				d->groups[i].id = d->groups[k].id;
	d->groups[s->made].id = d->groups[s->old].id;
	d->groups[s->made].origin = d->groups[s->old].origin;
}

static void drop_old(const struct swap *s)
{
	struct draft *d = s->d;
	int n = 0;

	for (int k = 0; k < d->n_order; k++) {
		struct dnode *node = &d->nodes[d->order[k]];

		if (!draft_within_group(d, node->group, s->old)) {
			d->order[n++] = d->order[k];
			continue;
		}
		node->gone = true;
		node->id = NULL;
	}
	d->n_order = n;
	for (int i = 0; i < s->n_groups; i++)
		if (draft_within_group(d, i, s->old)) {
			d->groups[i].gone = true;
			d->groups[i].id = NULL;
		}
}

/* The old instance's outputs are read from the new one's of the same names. */
static int reconnect(const struct swap *s, const char *name)
{
	struct draft *d = s->d;
	const struct dgroup *old = &d->groups[s->old], *made = &d->groups[s->made];

	for (int j = 0; j < old->n_out; j++) {
		int k = 0;

		while (k < made->n_out && strcmp(made->out_names[k], old->out_names[j]) != 0)
			k++;
		if (k == made->n_out)
			return draft_refuse(d, "%s: with these arguments it has no output \"%s\"", name,
					    old->out_names[j]);
		copy_read_instead(d, old->out[j], made->out[k], s->n_nodes, s->n_groups, s->old);
	}
	return 1;
}

static int expand_again(struct draft *d, int group, struct json *args, const char *name, struct err *e)
{
	struct swap s = { .d = d, .old = group, .made = d->n_groups, .n_nodes = d->n_nodes, .n_groups = d->n_groups };
	const struct dgroup *b = &d->groups[group];
	struct json *entry = json_object();
	struct edge last;
	int rc;

	json_put(entry, b->block, args);
	rc = draft_expand(d, entry, b->out[0].node, b->parent, b->in[0], &last, e);
	json_free(entry);
	if (rc > 0)
		rc = reconnect(&s, name);
	if (rc <= 0)
		return rc;
	inherit_ids(&s);
	drop_old(&s);
	return 1;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *options, struct err *e)
{
	const struct cfg *c = options;
	const struct dgroup *b = &d->groups[at.group];
	const char *name = json_string(value);
	struct json *args = NULL;
	struct str words = { 0 };
	int rc = -1;

	if (json_type(c->set) != JSON_OBJECT || !json_count(c->set))
		return ERR(e, ERR_INVALID, NULL, "\"set\" names the arguments to change: {\"set\": {\"filters\": 24}}");
	if (!copy_has_arguments(d->from, b->block, b->args))
		return draft_refuse(d, "%s was edited inside, or its block has no parameters: it has no arguments",
				    name);
	if (!copy_is_whole(d, at.group))
		return draft_refuse(d, "an earlier edit has taken %s apart", name);
	if (b->n_in != 1)
		return draft_refuse(d, "%s reads %d tensors: its arguments cannot be changed", name, b->n_in);
	TRY(json_parse(&args, b->args, strlen(b->args), b->block, e));
	TRY(change(args, c->set, name, b->block, &words, e));
	rc = expand_again(d, at.group, args, name, e);
	args = NULL; /* it has been taken over */
	if (rc > 0)
		draft_words(d, "%s", words.len ? words.s : arena_printf(d->arena, "%s as it was", name));
out:
	json_free(args);
	str_release(&words);
	return rc;
}

const struct mutation mutation_arguments = {
	.name = "arguments",
	.help = "a block with other arguments, expanded anew from its definition",
	.at = MUTATE_BLOCK,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
