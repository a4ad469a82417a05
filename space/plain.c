/* space/plain.c - layers compiled for speed: a list of plain layers whose open options are short lists, ranges or
 * $classes is drawn without touching JSON. What is drawn, and with which random numbers, is the same as draw_value()
 * would draw.
 */
#include <math.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/internal.h"

static size_t field_size(enum opt_type t)
{
	switch (t) {
	case OPT_T_INT:
	case OPT_T_ENUM:
		return sizeof(int);
	case OPT_T_LONG:
		return sizeof(int64_t);
	case OPT_T_REAL:
		return sizeof(double);
	case OPT_T_BOOL:
		return sizeof(bool);
	case OPT_T_PAIR:
		return sizeof(struct opt_pair);
	case OPT_T_PAD:
		return sizeof(struct opt_pad);
	case OPT_T_INTS:
		return sizeof(struct opt_ints);
	case OPT_T_END:
	case OPT_T_STR:
	case OPT_T_STRS:
	case OPT_T_GROUP:
	case OPT_T_JSON:
		break;
	}
	return 0;
}

static const double *weights_of(const struct json *v, struct arena *a)
{
	const struct json *list = json_get(v, "weights");
	double *w = list ? ARENA_ARRAY(a, double, json_count(list)) : NULL;
	int n = 0;

	JSON_EACH(at, list)
		w[n++] = json_number(at);
	return w;
}

static bool has_dollar(const struct json *v)
{
	if (json_string(v) && strchr(json_string(v), '$'))
		return true;
	if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT)
		JSON_EACH(c, v)
			if (has_dollar(c))
				return true;
	return false;
}

static bool compile_any(struct slot *s, const struct json *v, void *cfg, struct arena *a)
{
	const struct json *list = json_get(v, "any");
	char *values = arena_alloc(a, (size_t)json_count(list) * s->size);

	JSON_EACH(alt, list) {
		if (draw_open(alt) || has_dollar(alt) || opt_read_value(cfg, s->opt, alt, a, NULL) < 0)
			return false;
		memcpy(values + (size_t)s->n++ * s->size, (char *)cfg + s->opt->offset, s->size);
	}
	s->values = values;
	s->weights = weights_of(v, a);
	return true;
}

/* One option: fixed (read into cfg) or a slot. */
static bool compile_option(struct alt *alt, struct slot *slots, const struct opt *opt, const struct json *v, void *cfg,
			   struct arena *a)
{
	struct slot *s = &slots[alt->n_slots];

	*s = (struct slot){ .opt = opt, .size = field_size(opt->type) };
	if (!s->size)
		return false;
	if (json_string(v) && strcmp(json_string(v), "$classes") == 0) {
		s->classes = true;
		alt->n_slots++;
		return opt->type == OPT_T_INT;
	}
	switch (draw_kind(v)) {
	case DRAW_FIXED:
		return !draw_open(v) && !has_dollar(v) && opt_read_value(cfg, opt, v, a, NULL) == 0;
	case DRAW_ANY:
		alt->n_slots++;
		return compile_any(s, v, cfg, a);
	case DRAW_RANGE:
		break;
	}
	s->range = draw_range(v);
	alt->n_slots++;
	return opt->type == OPT_T_REAL || (opt->type == OPT_T_INT && s->range.whole);
}

static bool compile_alt(struct alt *alt, const struct json *entry, const struct block_set *blocks, struct arena *a)
{
	const struct json *options = json_string(entry) ? NULL : json_first(entry);
	const char *name = json_string(entry) ? json_string(entry) : json_key(options);
	int kind = name ? layer_find(name) : -1;
	const struct layer_class *k = kind < 0 ? NULL : layer_classes[kind];
	struct slot *slots;
	void *cfg;

	if (!k || block_set_find(blocks, name) || k->min_in != 1 || k->cfg_size > CFG_MAX || kind == LAYER_choice)
		return false;
	if (options && (json_next(options) || json_type(options) != JSON_OBJECT))
		return false;
	cfg = arena_alloc(a, k->cfg_size);
	slots = ARENA_ARRAY(a, struct slot, json_count(options) + 1);
	opt_defaults(cfg, k->opts);
	JSON_EACH(v, options) {
		const struct opt *opt = opt_find(k->opts, json_key(v));

		if (!opt || !compile_option(alt, slots, opt, v, cfg, a))
			return false;
	}
	alt->kind = (enum layer_kind)kind;
	alt->cfg = cfg;
	alt->slots = slots;
	return true;
}

static bool compile_place(struct place *p, const struct json *entry, const struct block_set *blocks, struct arena *a)
{
	struct alt *alts;

	p->drawn = draw_kind(entry) == DRAW_ANY;
	p->n = p->drawn ? json_count(json_get(entry, "any")) : 1;
	p->weights = p->drawn ? weights_of(entry, a) : NULL;
	p->alts = alts = ARENA_ARRAY(a, struct alt, p->n);
	if (!p->drawn)
		return compile_alt(alts, entry, blocks, a);
	JSON_EACH(v, json_get(entry, "any"))
		if (!compile_alt(alts++, v, blocks, a))
			return false;
	return true;
}

void layers_compile(struct layers *l, const struct block_set *blocks, struct arena *a)
{
	struct place *places;
	int n = json_count(l->entries);

	if (n > PLACES_MAX)
		return;
	places = ARENA_ARRAY(a, struct place, n);
	l->n = 0;
	JSON_EACH(entry, l->entries)
		if (!compile_place(&places[l->n++], entry, blocks, a))
			return;
	l->places = places;
}

static int pick(const double *weights, int n, struct rng *rng)
{
	return weights ? rng_pick(rng, weights, n) : (int)rng_below(rng, (uint32_t)n);
}

static void fill_slot(const struct slot *s, int classes, void *cfg, struct rng *rng)
{
	char *field = (char *)cfg + s->opt->offset;
	int whole = classes;
	double real;

	if (s->n) {
		memcpy(field, s->values + (size_t)pick(s->weights, s->n, rng) * s->size, s->size);
		return;
	}
	if (!s->classes) {
		real = draw_range_value(&s->range, rng);
		whole = (int)real;
		if (s->opt->type == OPT_T_REAL) {
			memcpy(field, &real, sizeof real);
			return;
		}
	}
	memcpy(field, &whole, sizeof whole);
}

enum layer_kind place_draw(const struct place *p, int classes, void *cfg, struct rng *rng)
{
	const struct alt *alt = &p->alts[p->drawn ? pick(p->weights, p->n, rng) : 0];

	memcpy(cfg, alt->cfg, layer_classes[alt->kind]->cfg_size);
	for (int i = 0; i < alt->n_slots; i++)
		fill_slot(&alt->slots[i], classes, cfg, rng);
	return alt->kind;
}
