/* search/strategy_grid.c - every architecture of an enumerable space with every recipe: recipes change fastest. What is
 * beyond a limit of the space is left out. In shuffled order, a part of the grid is a sample without repetition.
 */
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "search/search.h"
#include "space/draw.h"

enum order { ORDER_TEXT, ORDER_SHUFFLED };
static const char *const order_names[] = { "text", "shuffled", NULL };

struct cfg {
	int order;
	int64_t first;
};

static const struct opt opts[] = { OPT_ENUM(struct cfg, order, ORDER_TEXT, order_names,
					    "as written, or shuffled by the seed (a part is then a sample)"),
				   OPT_LONG(struct cfg, first, 0, 0, 9e15, "position in the order at which it begins"),
				   OPT_END };

struct self {
	const struct search_ctx *ctx;
	struct space_stats *stats;
	int64_t next, total, recipes;
	bool shuffled;
	struct perm perm;
};

static int create(void **self, const struct search_cfg *cfg, const struct search_ctx *ctx, struct space_stats *stats,
		  struct arena *a, struct err *e)
{
	const struct cfg *c = cfg->options;
	struct self *s = ARENA_NEW(a, struct self);
	int64_t models = space_count(ctx->space);

	*s = (struct self){ .ctx = ctx, .stats = stats, .next = c->first, .shuffled = c->order == ORDER_SHUFFLED };
	s->recipes = ctx->recipe ? draw_count(ctx->recipe) : 1;
	if (models < 0)
		return ERR(e, ERR_INVALID, "search.strategy",
			   "the space \"%s\" cannot be enumerated (a Markov space, or a range without a step): use "
			   "\"markov\"",
			   space_name(ctx->space));
	if (s->recipes < 0)
		return ERR(e, ERR_INVALID, "train",
			   "the recipe's choices cannot be enumerated: give ranges of reals a step, or use the "
			   "strategy \"markov\"");
	if (__builtin_mul_overflow(models, s->recipes, &s->total))
		return ERR(e, ERR_INVALID, "search.strategy", "the grid has more than 2^63 points: use \"markov\"");
	if (s->shuffled && s->total > UINT32_MAX)
		return ERR(e, ERR_INVALID, "search.order", "only up to 2^32 points can be shuffled: use \"markov\"");
	if (s->shuffled)
		perm_init(&s->perm, (uint32_t)s->total, philox_key(cfg->seed, PURPOSE_SAMPLE, 0), 0);
	*self = s;
	return 0;
}

static void free_json(void *v)
{
	json_free(v);
}

static int ask(void *self, int k, int retry, struct proposal *out, struct arena *a, struct err *e)
{
	struct self *s = self;

	(void)k;
	(void)retry;
	while (s->next < s->total) {
		int64_t at = s->shuffled ? perm_at(&s->perm, (uint32_t)s->next) : s->next;
		int64_t model = at / s->recipes;
		int rc = space_nth(&out->graph, s->ctx->space, &s->ctx->target, model, a, s->stats, NULL, e);

		s->next++;
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		if (s->ctx->recipe) {
			out->recipe = draw_nth(s->ctx->recipe, at % s->recipes);
			arena_defer(a, free_json, out->recipe);
		}
		out->note = arena_printf(a, "point %lld of %lld", (long long)at, (long long)s->total);
		return 1;
	}
	return 0;
}

const struct strategy strategy_grid = {
	.name = "grid",
	.help = "every architecture of an enumerable space with every recipe",
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.enumerates = true,
	.create = create,
	.ask = ask,
};
