/* search/strategy_markov.c - independent draws from the space: the chain of a Markov space, a random cell, a random
 * point of a template. Choices in the recipe are drawn together with the architecture. Candidate k has its own stream
 * of random numbers, so it does not depend on how often others had to be drawn again.
 */
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "search/search.h"
#include "space/draw.h"

struct cfg {
	char unused;
};

static const struct opt opts[] = { OPT_END };

struct self {
	const struct search_cfg *cfg;
	const struct search_ctx *ctx;
	struct space_stats *stats;
};

static int create(void **self, const struct search_cfg *cfg, const struct search_ctx *ctx, struct space_stats *stats,
		  struct arena *a, struct err *e)
{
	struct self *s = ARENA_NEW(a, struct self);

	(void)e;
	*s = (struct self){ cfg, ctx, stats };
	*self = s;
	return 0;
}

static void free_json(void *v)
{
	json_free(v);
}

static int ask(void *self, int k, int retry, struct proposal *out, struct arena *a, struct err *e)
{
	const struct self *s = self;
	struct rng rng;

	rng_init(&rng, hash_mix(hash_mix(s->cfg->seed, PURPOSE_SAMPLE), (uint64_t)k), (uint64_t)retry);
	if (space_sample(&out->graph, s->ctx->space, &s->ctx->target, &rng, a, s->stats, e) < 0)
		return -1;
	if (s->ctx->recipe) {
		out->recipe = draw_value(s->ctx->recipe, &rng);
		arena_defer(a, free_json, out->recipe);
	}
	return 1;
}

const struct strategy strategy_markov = {
	.name = "markov",
	.help = "independent random draws from the space and the recipe's choices",
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.create = create,
	.ask = ask,
};
