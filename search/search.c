/* search/search.c - what all strategies share: the order of calls, the lag, novelty. See search.h. */
#include "search/search.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "space/draw.h"

const struct strategy *const strategies[] = {
#define STRATEGY(n) &strategy_##n,
#include "search/strategies.def"
#undef STRATEGY
};

int strategies_count(void)
{
	return (int)(sizeof strategies / sizeof *strategies);
}

const struct strategy *strategy_find(const char *name)
{
	for (int i = 0; i < strategies_count(); i++)
		if (strcmp(strategies[i]->name, name) == 0)
			return strategies[i];
	return NULL;
}

/* ---- configuration -------------------------------------------------------------------------------------- */

struct common { /* what every strategy has */
	const char *strategy, *seed;
	int64_t candidates;
	int lag;
};

static const struct opt common_opts[] = {
	OPT_STR(struct common, strategy, "markov", "how candidates are proposed"),
	OPT_LONG(struct common, candidates, 20, 0, 1000000, "how many to propose; 0: as many as there are"),
	OPT_STR(struct common, seed, "1", "of the search: decimal digits, written as a text"),
	OPT_INT(struct common, lag, 0, 0, 100000,
		"candidate k is proposed from the results up to k - lag; 0: as the strategy says"),
	OPT_END
};

enum { KEYS_MAX = 64 };

/* The names of a table, NULL-terminated: what the other table passes over. */
static void names_of(const char *names[KEYS_MAX], const struct opt *opts)
{
	int n = 0;

	for (; opts->name && n < KEYS_MAX - 1; opts++)
		names[n++] = opts->name;
	names[n] = NULL;
}

/* The keys of an object that are not in the table. */
static void names_besides(const char *names[KEYS_MAX], const struct json *object, const struct opt *opts)
{
	int n = 0;

	JSON_EACH(v, object)
		if (!opt_find(opts, json_key(v)) && n < KEYS_MAX - 1)
			names[n++] = json_key(v);
	names[n] = NULL;
}

static const struct strategy *named_strategy(const struct json *object, const struct json_in *in)
{
	const struct json *v = json_get(object, "strategy");
	const char *name = v ? json_string(v) : "markov", *names[KEYS_MAX];
	const struct strategy *s = name ? strategy_find(name) : NULL;
	struct str list = { 0 };
	int n = strategies_count();

	if (s)
		return s;
	for (int i = 0; i < n && i < KEYS_MAX; i++) {
		names[i] = strategies[i]->name;
		str_addf(&list, "%s%s", i ? ", " : "", names[i]);
	}
	if (name && str_nearest(name, names, n))
		json_bad(in, v, "there is no strategy \"%s\" (did you mean \"%s\"?)", name,
			 str_nearest(name, names, n));
	else
		json_bad(in, v, "must be one of: %s", str_get(&list));
	str_release(&list);
	return NULL;
}

int search_cfg_read(struct search_cfg *c, const struct json *object, struct arena *a, const struct json_in *in)
{
	const char *other[KEYS_MAX];
	struct common common = { 0 };
	int rc;

	*c = (struct search_cfg){ 0 };
	if (object && json_type(object) != JSON_OBJECT)
		return json_bad(in, object, "must be an object, not %s", json_type_name(json_type(object)));
	c->strategy = named_strategy(object, in);
	if (!c->strategy)
		return -1;
	names_of(other, c->strategy->opts);
	rc = opt_read(&common, common_opts, object, other, a, in);
	c->options = arena_alloc(a, c->strategy->cfg_size);
	names_besides(other, object, c->strategy->opts);
	rc |= opt_read(c->options, c->strategy->opts, object, other, a, in);
	if (common.seed && str_u64(&c->seed, common.seed) < 0)
		rc = json_bad(in, json_get(object, "seed"), "must be a text of decimal digits such as \"42\"");
	c->seed_text = common.seed;
	c->candidates = common.candidates;
	c->lag = common.lag;
	return rc < 0 ? -1 : 0;
}

struct json *search_cfg_write(const struct search_cfg *c)
{
	struct common common = { c->strategy->name, c->seed_text, c->candidates, c->lag };
	struct json *out = opt_write(&common, common_opts), *own = opt_write(c->options, c->strategy->opts);

	JSON_EACH(v, own)
		json_put(out, json_key(v), json_copy(v));
	json_free(own);
	return out;
}

/* One object with the keys of all strategies: which of them go together is checked when it is read. */
struct json *search_schema(void)
{
	struct json *extra = json_object();

	for (int i = 0; i < strategies_count(); i++) {
		struct json *one = opt_schema(strategies[i]->opts, NULL);

		JSON_EACH(v, json_get(one, "properties"))
			json_put(extra, json_key(v), json_copy(v));
		json_free(one);
	}
	return opt_schema(common_opts, extra);
}

void search_help(struct str *out)
{
	opt_help(out, common_opts, "search.");
	for (int i = 0; i < strategies_count(); i++) {
		str_addf(out, "  strategy %s: %s\n", strategies[i]->name, strategies[i]->help);
		opt_help(out, strategies[i]->opts, "search.");
	}
}

/* ---- recipes with open places --------------------------------------------------------------------------- */

enum { RECIPES_ALL = 256, RECIPES_SOME = 64 };

static int check_one_recipe(struct json *drawn, const struct json_in *in)
{
	struct json_in inner = { drawn, in->diag, in->at };
	struct arena *a = arena_new();
	struct recipe r;
	int rc = recipe_read(&r, drawn, a, &inner);

	arena_free(a);
	json_free(drawn);
	return rc;
}

int search_recipe_check(const struct json *recipe, const struct json_in *in)
{
	int64_t n;
	struct rng rng;
	int rc = 0;

	if (!recipe)
		return 0;
	if (draw_check(recipe, in) < 0)
		return -1;
	n = draw_count(recipe);
	rng_init(&rng, 1, PURPOSE_SAMPLE);
	for (int64_t i = 0; i < (n > 0 && n <= RECIPES_ALL ? n : RECIPES_SOME) && rc == 0; i++)
		rc = check_one_recipe(n > 0 && n <= RECIPES_ALL ? draw_nth(recipe, i) : draw_value(recipe, &rng), in);
	return rc;
}

/* ---- identity ------------------------------------------------------------------------------------------- */

struct hash128 proposal_identity(const struct proposal *p)
{
	struct str text = { 0 };
	struct hash128 h;
	char hex[HASH_TEXT];

	str_addf(&text, "%s %d %a %a %a %d %d ", hash_text(hex, graph_hash(p->graph)), p->fidelity.epochs,
		 p->fidelity.data, p->fidelity.image, p->fidelity.width, p->continue_from, p->inherit_from);
	if (p->recipe)
		json_print(&text, p->recipe);
	h = hash128(text.s, text.len);
	str_release(&text);
	return h;
}

/* An open-addressing set of identities; {0, 0} marks an empty slot (no identity is ever that). */
struct known {
	struct hash128 *slots;
	int size, used;
};

static bool known_add(struct known *k, struct hash128 h)
{
	int at;

	if (2 * (k->used + 1) > k->size) {
		struct known old = *k;

		k->size = old.size ? 2 * old.size : 64;
		k->slots = mem_new((size_t)k->size * sizeof *k->slots);
		k->used = 0;
		for (int i = 0; i < old.size; i++)
			if (old.slots[i].lo | old.slots[i].hi)
				known_add(k, old.slots[i]);
		mem_free(old.slots);
	}
	for (at = (int)(h.lo & (uint64_t)(k->size - 1)); k->slots[at].lo | k->slots[at].hi;
	     at = (at + 1) & (k->size - 1))
		if (k->slots[at].lo == h.lo && k->slots[at].hi == h.hi)
			return false;
	k->slots[at] = h;
	k->used++;
	return true;
}

/* ---- the search ----------------------------------------------------------------------------------------- */

struct search {
	struct search_cfg cfg;
	struct search_ctx ctx;
	struct arena *arena;
	void *self;
	struct space_stats stats;
	struct known known;
	struct told {
		struct search_result result;
		bool here;
	} * told;                        /* [cap_told] by index */
	int cap_told, asked, front, fed; /* results before `front` are all here; those before `fed` were handed on */
	char note[240];
};

int search_new(struct search **out, const struct search_cfg *cfg, const struct search_ctx *ctx, struct err *e)
{
	struct search *s = mem_new(sizeof *s);

	*out = NULL;
	s->cfg = *cfg;
	s->ctx = *ctx;
	s->arena = arena_new();
	if (cfg->strategy->create(&s->self, &s->cfg, &s->ctx, &s->stats, s->arena, e) < 0) {
		s->self = NULL;
		search_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void search_free(struct search *s)
{
	if (!s)
		return;
	if (s->self && s->cfg.strategy->free)
		s->cfg.strategy->free(s->self);
	mem_free(s->known.slots);
	mem_free(s->told);
	arena_free(s->arena);
	mem_free(s);
}

int search_lag(const struct search *s)
{
	if (s->cfg.strategy->lag == 0)
		return INT_MAX;
	return s->cfg.lag ? s->cfg.lag : s->cfg.strategy->lag;
}

bool search_ready(const struct search *s, int k)
{
	return k < search_lag(s) || s->front > k - search_lag(s);
}

void search_tell(struct search *s, const struct search_result *r)
{
	assert(r->index >= 0 && r->index < s->asked);
	if (r->index >= s->cap_told) {
		int cap = 2 * r->index + 16;

		s->told = mem_resize(s->told, (size_t)cap * sizeof *s->told);
		memset(s->told + s->cap_told, 0, (size_t)(cap - s->cap_told) * sizeof *s->told);
		s->cap_told = cap;
	}
	s->told[r->index] = (struct told){ *r, true };
	while (s->front < s->cap_told && s->told[s->front].here)
		s->front++;
}

/* Hands the strategy exactly the results that candidate k may depend on. */
static void feed(struct search *s, int k)
{
	if (!s->cfg.strategy->tell)
		return;
	for (; s->fed <= k - search_lag(s); s->fed++)
		s->cfg.strategy->tell(s->self, &s->told[s->fed].result);
}

static int stop(struct search *s, const char *why, long long n)
{
	snprintf(s->note, sizeof s->note, why, n);
	return 0;
}

static int nothing_feasible(const struct search *s, struct err *e)
{
	struct str causes = { 0 };
	char n[32];

	for (int i = 0; i < CAUSE_COUNT; i++)
		if (s->stats.rejected[i])
			str_addf(&causes, "%s%s %s", causes.len ? ", " : "", space_cause_name((enum space_cause)i),
				 str_thousands(n, (long long)s->stats.rejected[i]));
	ERR(e, ERR_INFEASIBLE, space_name(s->ctx.space), "none of its %s points is acceptable (%s)",
	    str_thousands(n, (long long)s->stats.drawn), str_get(&causes));
	str_release(&causes);
	return -1;
}

int search_ask(struct search *s, int k, struct proposal *out, struct arena *a, struct err *e)
{
	const struct strategy *how = s->cfg.strategy;
	int rc = 0;

	assert(k == s->asked && search_ready(s, k));
	if (s->cfg.candidates && k >= s->cfg.candidates)
		return stop(s, "all %lld candidates have been proposed", (long long)s->cfg.candidates);
	feed(s, k);
	for (int retry = 0; how->enumerates || retry < SEARCH_RETRIES; retry++) {
		struct arena_mark mark = arena_mark(a);

		*out = (struct proposal){
			.index = k, .continue_from = -1, .inherit_from = -1, .fidelity = { 0, 1, 1, 1 }
		};
		rc = how->ask(s->self, k, retry, out, a, e);
		if (rc <= 0)
			break;
		out->identity = proposal_identity(out);
		if (known_add(&s->known, out->identity)) {
			s->asked++;
			return 1;
		}
		s->stats.accepted--;
		s->stats.rejected[CAUSE_DUPLICATE]++;
		arena_rewind(a, mark);
		rc = 0;
	}
	if (rc < 0)
		return -1;
	if (how->enumerates && s->asked == 0)
		return nothing_feasible(s, e);
	if (how->enumerates)
		return stop(s, "the space is exhausted: it holds %lld different candidates", k);
	return stop(s, "the space is exhausted: after %lld candidates, many draws gave only what is known already", k);
}

void search_forbid(struct search *s, const struct proposal *p)
{
	known_add(&s->known, proposal_identity(p));
}

const char *search_note(const struct search *s)
{
	return s->note;
}

const struct space_stats *search_stats(const struct search *s)
{
	return &s->stats;
}
