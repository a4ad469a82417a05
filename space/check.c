/* space/check.c - mistakes in the layers of a space that can be seen without knowing any shape, so that a misspelt
 * option is a message at once and not a state that never fits. */
#include <math.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/internal.h"

struct checker {
	const struct block_set *blocks;
	const struct json *with;
	const struct json_in *in;
	struct arena *a;
};

static const char *const siblings[] = { "id", "from", "repeat", "first", "share", "frozen", "device" };

static bool is_sibling(const char *key)
{
	for (size_t i = 0; i < sizeof siblings / sizeof *siblings; i++)
		if (strcmp(siblings[i], key) == 0)
			return true;
	return false;
}

static int check_range(const struct opt *o, const struct json *v, const struct json_in *in)
{
	struct draw_range r = draw_range(v);

	if (o->type != OPT_T_REAL && o->type != OPT_T_INT && o->type != OPT_T_LONG && o->type != OPT_T_PAIR)
		return json_bad(in, v, "this option is not a number: a range cannot stand here");
	if (o->type != OPT_T_REAL && !r.whole)
		return json_bad(in, v, "this option is a whole number: low, high and step must be whole, too");
	if (r.low < o->min || r.high > o->max)
		return json_bad(in, v, "must lie between %.10g and %.10g", o->min, o->max);
	return 0;
}

static int check_value(const struct checker *c, const struct opt *o, const struct json *v, void *cfg)
{
	int rc = 0;

	switch (draw_kind(v)) {
	case DRAW_ANY:
		JSON_EACH(alt, json_get(v, "any"))
			if (check_value(c, o, alt, cfg) < 0)
				rc = -1;
		return rc;
	case DRAW_RANGE:
		return check_range(o, v, c->in);
	case DRAW_FIXED:
		break;
	}
	if (draw_open(v) || (json_string(v) && strchr(json_string(v), '$')))
		return 0; /* its parts are seen by the model reader */
	if (json_type(v) == JSON_ARRAY)
		JSON_EACH(m, v)
			if (json_string(m))
				return 0;
	return opt_read_value(cfg, o, v, c->a, c->in);
}

static int unknown_option(const struct opt *opts, const struct json *v, const struct json_in *in)
{
	const char *names[64], *near;
	int n = 0;

	for (; opts->name && n < 64; opts++)
		names[n++] = opts->name;
	near = str_nearest(json_key(v), names, n);
	if (near)
		return json_bad(in, v, "unknown key (did you mean \"%s\"?)", near);
	return json_bad(in, v, "unknown key");
}

static int check_options(const struct checker *c, int kind, const struct json *options, const struct json *where)
{
	const struct layer_class *k = layer_classes[kind];
	void *cfg = arena_alloc(c->a, k->cfg_size);
	int rc = 0;

	if (kind == LAYER_choice || draw_kind(options) != DRAW_FIXED)
		return 0;
	if (options && json_type(options) != JSON_OBJECT && json_type(options) != JSON_NULL)
		return json_bad(c->in, options, "the options of %s must be an object, not %s", k->name,
				json_type_name(json_type(options)));
	JSON_EACH(v, options) {
		const struct opt *o = opt_find(k->opts, json_key(v));

		if (o)
			rc |= check_value(c, o, v, cfg);
		else if (!(kind == LAYER_add && strcmp(json_key(v), "project") == 0))
			rc |= unknown_option(k->opts, v, c->in);
	}
	for (const struct opt *o = k->opts; o->name; o++)
		if (isnan(o->def) && !json_get(options, o->name))
			rc |= json_bad(c->in, where, "%s needs \"%s\"", k->name, o->name);
	return rc;
}

static int check_args(const struct checker *c, const struct json *def, const struct json *args)
{
	const char *known[64];
	int n = 0;

	if (!args || draw_kind(args) != DRAW_FIXED || json_type(args) == JSON_NULL)
		return 0;
	if (json_type(args) != JSON_OBJECT)
		return json_bad(c->in, args, "the arguments of %s must be an object, not %s", json_key(def),
				json_type_name(json_type(args)));
	JSON_EACH(w, json_get(def, "with"))
		if (n < 64)
			known[n++] = json_key(w);
	return json_unknown(c->in, args, known, n) ? -1 : 0;
}

static int check_kind(const struct checker *c, const char *name, const struct json *options, const struct json *where)
{
	const struct json *def = block_set_find(c->blocks, name);
	const char *names[256], *near;
	int kind = layer_find(name);

	if (name[0] == '$' || strcmp(name, "cell") == 0)
		return 0;
	if (def)
		return check_args(c, def, options);
	if (kind >= 0)
		return check_options(c, kind, options, where);
	near = layer_suggest(name);
	if (!near)
		near = str_nearest(name, names, block_set_names(c->blocks, names, 256));
	if (near)
		return json_bad(c->in, where, "unknown layer or block \"%s\" (did you mean \"%s\"?)", name, near);
	return json_bad(c->in, where, "unknown layer or block \"%s\": is a \"use\" missing?", name);
}

static int check_entry(const struct checker *c, const struct json *entry)
{
	const struct json *value = NULL;
	int rc = 0;

	if (draw_kind(entry) == DRAW_ANY) {
		JSON_EACH(alt, json_get(entry, "any"))
			rc |= check_entry(c, alt);
		return rc;
	}
	if (json_string(entry))
		return check_kind(c, json_string(entry), NULL, entry);
	if (json_type(entry) != JSON_OBJECT)
		return json_bad(c->in, entry, "a layer is a name or an object, not %s",
				json_type_name(json_type(entry)));
	JSON_EACH(v, entry) {
		if (is_sibling(json_key(v)))
			continue;
		if (value)
			return json_bad(c->in, v, "an entry holds one layer: \"%s\" or \"%s\"?", json_key(value),
					json_key(v));
		value = v;
	}
	if (!value)
		return json_bad(c->in, entry, "the layer's kind is missing");
	return check_kind(c, json_key(value), value, value);
}

/* "$name" must be $classes, $in.something or declared in "with". */
static int check_variables(const struct checker *c, const struct json *v)
{
	const char *text = json_string(v);
	char name[64];
	int rc = 0;

	for (text = text ? strchr(text, '$') : NULL; text; text = strchr(text + 1, '$')) {
		size_t n = strspn(text + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

		if (n >= sizeof name)
			n = sizeof name - 1;
		memcpy(name, text + 1, n);
		name[n] = 0;
		if (strcmp(name, "classes") && strcmp(name, "in") && !json_get(c->with, name))
			rc = json_bad(c->in, v, "unknown name \"$%s\": declare it in \"with\"", name);
	}
	if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT)
		JSON_EACH(m, v)
			rc |= check_variables(c, m);
	return rc;
}

int layers_check(const struct json *entries, const struct block_set *blocks, const struct json *with,
		 const struct json_in *in)
{
	struct checker c = { blocks, with, in, arena_new() };
	int rc = 0;

	JSON_EACH(entry, entries)
		if (draw_check(entry, in) < 0 || check_entry(&c, entry) < 0 || check_variables(&c, entry) < 0)
			rc = -1;
	arena_free(c.a);
	return rc;
}
