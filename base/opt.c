/* base/opt.c - see opt.h. */
#include "base/opt.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static void *field(void *cfg, const struct opt *o)
{
	return (char *)cfg + o->offset;
}

static const void *cfield(const void *cfg, const struct opt *o)
{
	return (const char *)cfg + o->offset;
}

const struct opt *opt_find(const struct opt *opts, const char *name)
{
	for (; opts->name; opts++)
		if (strcmp(opts->name, name) == 0)
			return opts;
	return NULL;
}

void opt_defaults(void *cfg, const struct opt *opts)
{
	for (const struct opt *o = opts; o->name; o++) {
		double d = isnan(o->def) ? 0 : o->def;
		void *f = field(cfg, o);

		switch (o->type) {
		case OPT_T_INT:
		case OPT_T_ENUM:
			*(int *)f = (int)d;
			break;
		case OPT_T_LONG:
			*(int64_t *)f = (int64_t)d;
			break;
		case OPT_T_REAL:
			*(double *)f = d;
			break;
		case OPT_T_BOOL:
			*(bool *)f = d != 0;
			break;
		case OPT_T_STR:
			*(const char **)f = o->def_text;
			break;
		case OPT_T_PAIR:
			*(struct opt_pair *)f = (struct opt_pair){ { (int)d, (int)d } };
			break;
		case OPT_T_PAD:
			memset(f, 0, sizeof(struct opt_pad));
			break;
		case OPT_T_INTS:
			memset(f, 0, sizeof(struct opt_ints));
			break;
		case OPT_T_STRS:
			memset(f, 0, sizeof(struct opt_strs));
			break;
		case OPT_T_GROUP:
			opt_defaults(f, o->group);
			break;
		case OPT_T_JSON:
			*(const struct json **)f = NULL;
			break;
		case OPT_T_END:
			break;
		}
	}
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static int read_number(double *out, const struct opt *o, const struct json *v, bool whole, const struct json_in *in)
{
	double x = json_number(v);
	char lo[32], hi[32];

	if (json_type(v) != JSON_NUMBER)
		return json_bad(in, v, "must be %s, not %s", whole ? "a whole number" : "a number",
				json_type_name(json_type(v)));
	if (whole && x != floor(x))
		return json_bad(in, v, "must be a whole number, got %s", str_real(lo, x));
	if (x < o->min || x > o->max) {
		char got[32];

		return json_bad(in, v, "must be between %s and %s, got %s", str_real(lo, o->min), str_real(hi, o->max),
				str_real(got, x));
	}
	*out = x;
	return 0;
}

static int names_count(const char *const *names)
{
	int n = 0;

	while (names[n])
		n++;
	return n;
}

static int read_enum(int *out, const struct opt *o, const struct json *v, const struct json_in *in)
{
	const char *s = json_string(v), *near;
	struct str all = { 0 };
	int n = names_count(o->names);

	for (int i = 0; s && i < n; i++) {
		if (strcmp(o->names[i], s) == 0) {
			*out = i;
			return 0;
		}
	}
	for (int i = 0; i < n; i++)
		str_addf(&all, "%s\"%s\"", i ? ", " : "", o->names[i]);
	near = s ? str_nearest(s, o->names, n) : NULL;
	if (near)
		json_bad(in, v, "unknown value \"%s\" (did you mean \"%s\"?)", s, near);
	else
		json_bad(in, v, "must be one of %s", str_get(&all));
	str_release(&all);
	return -1;
}

/* A list of 1..most numbers, or a single one. Returns how many, or -1. */
static int read_list(int *out, int most, const struct opt *o, const struct json *v, const struct json_in *in)
{
	double x;
	int n = 0;

	if (json_type(v) != JSON_ARRAY) {
		if (read_number(&x, o, v, true, in) < 0)
			return -1;
		out[0] = (int)x;
		return 1;
	}
	if (json_count(v) < 1 || json_count(v) > most)
		return json_bad(in, v, "must hold 1 to %d numbers, has %d", most, json_count(v));
	JSON_EACH(c, v) {
		if (read_number(&x, o, c, true, in) < 0)
			return -1;
		out[n++] = (int)x;
	}
	return n;
}

static int read_pad(struct opt_pad *p, const struct opt *o, const struct json *v, const struct json_in *in)
{
	const char *s = json_string(v);
	int q[4], n;

	memset(p, 0, sizeof *p);
	if (s && strcmp(s, "valid") == 0)
		return 0;
	if (s && strcmp(s, "same") == 0) {
		p->same = 1;
		return 0;
	}
	if (s)
		return json_bad(in, v,
				"must be \"same\", \"valid\", a number, [rows, columns] or [top, left, bottom, "
				"right]");
	n = read_list(q, 4, o, v, in);
	if (n < 0)
		return -1;
	if (n == 3)
		return json_bad(in, v, "must hold 1, 2 or 4 numbers, has 3");
	p->side[0] = q[0];
	p->side[1] = n > 1 ? q[1] : q[0];
	p->side[2] = n > 2 ? q[2] : p->side[0];
	p->side[3] = n > 2 ? q[3] : p->side[1];
	return 0;
}

static int read_strs(struct opt_strs *out, const struct json *v, struct arena *a, const struct json_in *in)
{
	int n = 0;

	if (json_type(v) == JSON_STRING) {
		out->v = ARENA_ARRAY(a, const char *, 1);
		out->v[0] = arena_strdup(a, json_string(v));
		out->n = 1;
		return 0;
	}
	if (json_type(v) != JSON_ARRAY)
		return json_bad(in, v, "must be a list of texts, not %s", json_type_name(json_type(v)));
	out->v = ARENA_ARRAY(a, const char *, json_count(v));
	JSON_EACH(c, v) {
		if (!json_string(c))
			return json_bad(in, c, "must be a text, not %s", json_type_name(json_type(c)));
		out->v[n++] = arena_strdup(a, json_string(c));
	}
	out->n = n;
	return 0;
}

int opt_read_value(void *cfg, const struct opt *o, const struct json *v, struct arena *a, const struct json_in *in)
{
	void *f = field(cfg, o);
	struct opt_ints list = { 0 };
	double x;

	switch (o->type) {
	case OPT_T_INT:
		if (read_number(&x, o, v, true, in) < 0)
			return -1;
		*(int *)f = (int)x;
		return 0;
	case OPT_T_LONG:
		if (read_number(&x, o, v, true, in) < 0)
			return -1;
		*(int64_t *)f = (int64_t)x;
		return 0;
	case OPT_T_REAL:
		return read_number(f, o, v, false, in);
	case OPT_T_BOOL:
		if (json_type(v) != JSON_BOOL)
			return json_bad(in, v, "must be true or false, not %s", json_type_name(json_type(v)));
		*(bool *)f = json_true(v);
		return 0;
	case OPT_T_STR:
		if (json_type(v) == JSON_NULL) {
			*(const char **)f = NULL;
			return 0;
		}
		if (json_type(v) == JSON_NUMBER && json_number(v) == floor(json_number(v))) { /* seed: 42 for "42" */
			*(const char **)f = arena_printf(a, "%.0f", json_number(v));
			return 0;
		}
		if (!json_string(v))
			return json_bad(in, v, "must be a text, not %s", json_type_name(json_type(v)));
		*(const char **)f = arena_strdup(a, json_string(v));
		return 0;
	case OPT_T_ENUM:
		return read_enum(f, o, v, in);
	case OPT_T_PAIR:
		list.n = read_list(list.v, 2, o, v, in);
		if (list.n < 0)
			return -1;
		*(struct opt_pair *)f = (struct opt_pair){ { list.v[0], list.v[list.n - 1] } };
		return 0;
	case OPT_T_PAD:
		return read_pad(f, o, v, in);
	case OPT_T_INTS:
		list.n = read_list(list.v, OPT_LIST_MAX, o, v, in);
		if (list.n < 0)
			return -1;
		*(struct opt_ints *)f = list;
		return 0;
	case OPT_T_STRS:
		return read_strs(f, v, a, in);
	case OPT_T_GROUP:
		if (json_type(v) != JSON_OBJECT)
			return json_bad(in, v, "must be an object, not %s", json_type_name(json_type(v)));
		return opt_read(f, o->group, v, NULL, a, in);
	case OPT_T_JSON:
		*(const struct json **)f = v;
		return 0;
	case OPT_T_END:
		break;
	}
	return 0;
}

static bool is_reserved(const char *const *reserved, const char *key)
{
	for (; reserved && *reserved; reserved++)
		if (strcmp(*reserved, key) == 0)
			return true;
	return false;
}

static int unknown_key(const struct opt *opts, const char *const *reserved, const struct json *v,
		       const struct json_in *in)
{
	const char *known[96], *near;
	int n = 0;

	for (; opts->name && n < 64; opts++)
		known[n++] = opts->name;
	for (; reserved && *reserved && n < 96; reserved++)
		known[n++] = *reserved;
	near = str_nearest(json_key(v), known, n);
	if (near)
		return json_bad(in, v, "unknown key (did you mean \"%s\"?)", near);
	return json_bad(in, v, n ? "unknown key" : "unknown key (nothing can be set here)");
}

static bool needed(const struct opt *o)
{
	return isnan(o->def) && o->type != OPT_T_STR && o->type != OPT_T_JSON;
}

int opt_read(void *cfg, const struct opt *opts, const struct json *object, const char *const *reserved, struct arena *a,
	     const struct json_in *in)
{
	int bad = 0;

	opt_defaults(cfg, opts);
	JSON_EACH(v, object) {
		const struct opt *o = opt_find(opts, json_key(v));

		if (o)
			bad |= opt_read_value(cfg, o, v, a, in);
		else if (!is_reserved(reserved, json_key(v)))
			bad |= unknown_key(opts, reserved, v, in);
	}
	for (const struct opt *o = opts; o->name; o++)
		if (needed(o) && !json_get(object, o->name))
			bad |= json_bad(in, object ? object : in->root, "\"%s\" is missing (%s)", o->name, o->help);
	return bad ? -1 : 0;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static struct json *write_ints(const int *v, int n)
{
	struct json *out = json_array();

	for (int i = 0; i < n; i++)
		json_push(out, json_num(v[i]));
	return out;
}

static struct json *write_pair(const struct opt_pair *p)
{
	return p->v[0] == p->v[1] ? json_num(p->v[0]) : write_ints(p->v, 2);
}

static struct json *write_pad(const struct opt_pad *p)
{
	const int *s = p->side;

	if (p->same)
		return json_str("same");
	if (s[0] == s[2] && s[1] == s[3])
		return s[0] == s[1] ? json_num(s[0]) : write_ints(s, 2);
	return write_ints(s, 4);
}

struct json *opt_write_value(const void *cfg, const struct opt *o)
{
	const void *f = cfield(cfg, o);
	const struct opt_strs *strs;
	struct json *out;

	switch (o->type) {
	case OPT_T_INT:
		return json_num(*(const int *)f);
	case OPT_T_LONG:
		return json_num((double)*(const int64_t *)f);
	case OPT_T_REAL:
		return json_num(*(const double *)f);
	case OPT_T_BOOL:
		return json_bool(*(const bool *)f);
	case OPT_T_STR:
		return *(const char *const *)f ? json_str(*(const char *const *)f) : NULL;
	case OPT_T_ENUM:
		return json_str(o->names[*(const int *)f]);
	case OPT_T_PAIR:
		return write_pair(f);
	case OPT_T_PAD:
		return write_pad(f);
	case OPT_T_INTS:
		return write_ints(((const struct opt_ints *)f)->v, ((const struct opt_ints *)f)->n);
	case OPT_T_STRS:
		strs = f;
		out = json_array();
		for (int i = 0; i < strs->n; i++)
			json_push(out, json_str(strs->v[i]));
		return out;
	case OPT_T_GROUP:
		return opt_write(f, o->group);
	case OPT_T_JSON:
		return *(const struct json *const *)f ? json_copy(*(const struct json *const *)f) : NULL;
	case OPT_T_END:
		break;
	}
	return NULL;
}

struct json *opt_write(const void *cfg, const struct opt *opts)
{
	struct json *out = json_object();

	for (const struct opt *o = opts; o->name; o++) {
		struct json *v = opt_write_value(cfg, o);

		if (v)
			json_put(out, o->name, v);
	}
	return out;
}

uint64_t opt_hash(const void *cfg, const struct opt *opts, uint64_t seed)
{
	uint64_t h = seed;

	for (const struct opt *o = opts; o->name; o++) {
		const void *f = cfield(cfg, o);
		int d = isnan(o->def) ? 0 : (int)o->def;
		uint64_t v[5] = { 0 };
		bool differs = false;

		switch (o->type) {
		case OPT_T_INT:
		case OPT_T_ENUM:
			v[0] = (uint64_t) * (const int *)f;
			differs = isnan(o->def) || *(const int *)f != d;
			break;
		case OPT_T_LONG:
			v[0] = (uint64_t) * (const int64_t *)f;
			differs = *(const int64_t *)f != (int64_t)o->def;
			break;
		case OPT_T_BOOL:
			v[0] = *(const bool *)f;
			differs = v[0] != (uint64_t)d;
			break;
		case OPT_T_REAL:
			memcpy(v, f, sizeof(double));
			differs = isnan(o->def) || *(const double *)f != o->def;
			break;
		case OPT_T_PAIR:
			v[0] = (uint64_t)((const int *)f)[0];
			v[1] = (uint64_t)((const int *)f)[1];
			differs = isnan(o->def) || ((const int *)f)[0] != d || ((const int *)f)[1] != d;
			break;
		case OPT_T_PAD:
			for (int i = 0; i < 5; i++)
				differs |= (v[i] = (uint64_t)((const int *)f)[i]) != 0;
			break;
		case OPT_T_INTS:
			v[0] = hash64(f, sizeof(struct opt_ints), 0);
			differs = ((const struct opt_ints *)f)->n > 0;
			break;
		case OPT_T_STR:
		case OPT_T_STRS:
		case OPT_T_GROUP:
		case OPT_T_JSON:
		case OPT_T_END:
			assert(!"opt_hash: only for number-like options");
		}
		if (!differs)
			continue;
		h = hash_mix(h, hash64_text(o->name));
		for (int i = 0; i < 5; i++)
			h = hash_mix(h, v[i]);
	}
	return h;
}

/* ---- help and schema ------------------------------------------------------------------------------------ */

static void help_value(struct str *out, const struct opt *o)
{
	char a[32], b[32], d[32];

	switch (o->type) {
	case OPT_T_BOOL:
		str_addf(out, "true|false (%s)", o->def != 0 ? "true" : "false");
		return;
	case OPT_T_ENUM:
		for (const char *const *n = o->names; *n; n++)
			str_addf(out, "%s%s", n == o->names ? "" : "|", *n);
		if (!isnan(o->def))
			str_addf(out, " (%s)", o->names[(int)o->def]);
		return;
	case OPT_T_STR:
		str_addf(out, "text%s%s%s", o->def_text ? " (" : "", o->def_text ? o->def_text : "",
			 o->def_text ? ")" : "");
		return;
	case OPT_T_STRS:
		str_add(out, "list of texts");
		return;
	case OPT_T_JSON:
		str_add(out, "see below");
		return;
	case OPT_T_PAD:
		str_add(out, "same|valid|n|[rows, columns]|[top, left, bottom, right] (valid)");
		return;
	case OPT_T_INT:
	case OPT_T_LONG:
	case OPT_T_REAL:
	case OPT_T_PAIR:
	case OPT_T_INTS:
	case OPT_T_GROUP:
	case OPT_T_END:
		break;
	}
	str_addf(out, "%s%s..%s", o->type == OPT_T_PAIR ? "n or [rows, columns], " : "", str_real(a, o->min),
		 str_real(b, o->max));
	if (isnan(o->def))
		str_add(out, " (needed)");
	else
		str_addf(out, " (%s)", str_real(d, o->def));
}

void opt_help(struct str *out, const struct opt *opts, const char *prefix)
{
	char nested[160];

	for (const struct opt *o = opts; o->name; o++) {
		if (o->type == OPT_T_GROUP) {
			snprintf(nested, sizeof nested, "%s%s.", prefix, o->name);
			opt_help(out, o->group, nested);
			continue;
		}
		str_addf(out, "  %s%-*s  %s; ", prefix, (int)(26 - strlen(prefix) > 60 ? 1 : 26 - strlen(prefix)),
			 o->name, o->help);
		help_value(out, o);
		str_addc(out, '\n');
	}
}

static struct json *schema_number(const struct opt *o, const char *type)
{
	struct json *s = json_object();

	json_put(s, "type", json_str(type));
	json_put(s, "minimum", json_num(o->min));
	json_put(s, "maximum", json_num(o->max));
	return s;
}

static struct json *schema_list(const struct opt *o, int least, int most)
{
	struct json *s = json_object();

	json_put(s, "type", json_str("array"));
	json_put(s, "items", schema_number(o, "integer"));
	json_put(s, "minItems", json_num(least));
	json_put(s, "maxItems", json_num(most));
	return s;
}

static struct json *schema_of(const struct opt *o)
{
	struct json *s = json_object(), *any, *list;

	switch (o->type) {
	case OPT_T_INT:
	case OPT_T_LONG:
		json_free(s);
		return schema_number(o, "integer");
	case OPT_T_REAL:
		json_free(s);
		return schema_number(o, "number");
	case OPT_T_BOOL:
		json_put(s, "type", json_str("boolean"));
		break;
	case OPT_T_STR:
		list = json_put(s, "type", json_array());
		json_push(list, json_str("string"));
		json_push(list, json_str("integer"));
		break;
	case OPT_T_ENUM:
		list = json_put(s, "enum", json_array());
		for (const char *const *n = o->names; *n; n++)
			json_push(list, json_str(*n));
		break;
	case OPT_T_PAIR:
	case OPT_T_INTS:
		any = json_put(s, "anyOf", json_array());
		json_push(any, schema_number(o, "integer"));
		json_push(any, schema_list(o, 1, o->type == OPT_T_PAIR ? 2 : OPT_LIST_MAX));
		break;
	case OPT_T_PAD:
		any = json_put(s, "anyOf", json_array());
		list = json_put(json_push(any, json_object()), "enum", json_array());
		json_push(list, json_str("same"));
		json_push(list, json_str("valid"));
		json_push(any, schema_number(o, "integer"));
		json_push(any, schema_list(o, 1, 4));
		break;
	case OPT_T_STRS:
		any = json_put(s, "anyOf", json_array());
		json_put(json_push(any, json_object()), "type", json_str("string"));
		list = json_push(any, json_object());
		json_put(list, "type", json_str("array"));
		json_put(json_put(list, "items", json_object()), "type", json_str("string"));
		break;
	case OPT_T_GROUP:
		json_free(s);
		return opt_schema(o->group, NULL);
	case OPT_T_JSON:
	case OPT_T_END:
		break;
	}
	return s;
}

struct json *opt_schema(const struct opt *opts, struct json *extra)
{
	struct json *s = json_object(), *props = extra ? extra : json_object(), *need = json_array();

	json_put(s, "type", json_str("object"));
	json_put(s, "properties", props);
	for (const struct opt *o = opts; o->name; o++) {
		struct json *p = schema_of(o), *def;

		json_put(p, "description", json_str(o->help));
		if (needed(o)) {
			json_push(need, json_str(o->name));
		} else if (o->type == OPT_T_INT || o->type == OPT_T_LONG || o->type == OPT_T_REAL ||
			   o->type == OPT_T_PAIR) {
			json_put(p, "default", json_num(o->def));
		} else if (o->type == OPT_T_BOOL) {
			json_put(p, "default", json_bool(o->def != 0));
		} else if (o->type == OPT_T_ENUM) {
			def = json_str(o->names[(int)o->def]);
			json_put(p, "default", def);
		}
		json_put(props, o->name, p);
	}
	if (json_count(need))
		json_put(s, "required", need);
	else
		json_free(need);
	json_put(s, "additionalProperties", json_bool(false));
	return s;
}

/* ---- variants ------------------------------------------------------------------------------------------- */

/* Takes such a value apart: its name, and the options (NULL: none given). -1 with a message if it has another form. */
static int variant_split(const char **name, const struct json **options, const struct json *v, const struct json_in *in)
{
	const struct json *only = json_type(v) == JSON_OBJECT ? json_first(v) : NULL;

	*name = json_string(v);
	*options = NULL;
	if (*name)
		return 0;
	if (!only || json_next(only))
		return json_bad(in, v, "must be a name or an object of one name with its options: {\"name\": {...}}");
	if (json_type(only) != JSON_OBJECT)
		return json_bad(in, only, "must be an object of options, not %s", json_type_name(json_type(only)));
	*name = json_key(only);
	*options = only;
	return 0;
}

static int variant_unknown(const struct opt_variant *variants, int n, const char *name, const struct json *v,
			   const struct json_in *in)
{
	const char *names[64], *near;
	struct str all = { 0 };

	assert(n <= 64);
	for (int i = 0; i < n; i++) {
		names[i] = variants[i].name;
		str_addf(&all, "%s\"%s\"", i ? ", " : "", names[i]);
	}
	near = str_nearest(name, names, n);
	if (near)
		json_bad(in, v, "unknown name \"%s\" (did you mean \"%s\"?)", name, near);
	else
		json_bad(in, v, "unknown name \"%s\": must be one of %s", name, str_get(&all));
	str_release(&all);
	return -1;
}

int opt_variant_read(void *cfg, const struct opt_variant *variants, int n, const struct json *v, struct arena *a,
		     const struct json_in *in)
{
	const char *name;
	const struct json *options;

	if (variant_split(&name, &options, v, in) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (strcmp(variants[i].name, name) == 0)
			return opt_read(cfg, variants[i].opts, options, NULL, a, in) < 0 ? -1 : i;
	return variant_unknown(variants, n, name, v, in);
}

struct json *opt_variant_write(const void *cfg, const struct opt_variant *variant)
{
	struct json *out = json_object();

	json_put(out, variant->name, opt_write(cfg, variant->opts));
	return out;
}

struct json *opt_variant_schema(const struct opt_variant *variants, int n)
{
	struct json *s = json_object(), *any = json_put(s, "anyOf", json_array());
	struct json *names = json_put(json_push(any, json_object()), "enum", json_array());

	for (int i = 0; i < n; i++) {
		struct json *one = json_push(any, json_object()), *props;

		json_push(names, json_str(variants[i].name));
		json_put(one, "type", json_str("object"));
		props = json_put(one, "properties", json_object());
		json_put(json_put(props, variants[i].name, opt_schema(variants[i].opts, NULL)), "description",
			 json_str(variants[i].help));
		json_push(json_put(one, "required", json_array()), json_str(variants[i].name));
		json_put(one, "additionalProperties", json_bool(false));
	}
	return s;
}

void opt_variant_help(struct str *out, const struct opt_variant *variants, int n, const char *prefix)
{
	char nested[160];

	for (int i = 0; i < n; i++) {
		str_addf(out, "  %s%s: %s\n", prefix, variants[i].name, variants[i].help);
		snprintf(nested, sizeof nested, "%s%s.", prefix, variants[i].name);
		opt_help(out, variants[i].opts, nested);
	}
}

const char *opt_check(const struct opt *opts)
{
	for (const struct opt *o = opts; o->name; o++) {
		if (opt_find(opts, o->name) != o)
			return "two options have the same name";
		if (!o->help || !o->help[0])
			return "an option has no help";
		if (o->type == OPT_T_ENUM && !isnan(o->def) &&
		    ((int)o->def < 0 || (int)o->def >= names_count(o->names)))
			return "an enum's default is not one of its names";
		if ((o->type == OPT_T_INT || o->type == OPT_T_LONG || o->type == OPT_T_REAL || o->type == OPT_T_PAIR) &&
		    !isnan(o->def) && (o->def < o->min || o->def > o->max))
			return "a default lies outside its bounds";
		if (o->type == OPT_T_GROUP && opt_check(o->group))
			return opt_check(o->group);
	}
	return NULL;
}
