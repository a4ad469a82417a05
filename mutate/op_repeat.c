/* mutate/op_repeat.c - a layer or block several times in a row: {"repeat": "residual_2", "times": 3}. */
#include "base/json.h"
#include "base/opt.h"
#include "base/rng.h"
#include "mutate/copies.h"

enum { TIMES_MAX = 64, TIMES_DRAWN = 2 }; /* 3 or 4: twice is what duplicate does */

struct cfg {
	int times;
};

static const struct opt opts[] = {
	OPT_INT(struct cfg, times, 2, 2, TIMES_MAX, "how many stand in a row then, the original among them"),
	OPT_END,
};

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct json *edit;

	(void)env;
	if (!copy_has_sense(g, at))
		return NULL;
	edit = json_object();
	json_put(edit, "repeat", json_str(mutate_place_id(g, at)));
	json_put(edit, "times", json_num(3 + rng_below(rng, TIMES_DRAWN)));
	return edit;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *options, struct err *e)
{
	const struct cfg *c = options;
	const char *name = json_string(value);
	int rc = 1;

	for (int i = 1; i < c->times && rc > 0; i++)
		rc = copy_after(d, at, name, &at, e);
	if (rc > 0)
		draft_words(d, "repeated %s %d times", name, c->times);
	return rc;
}

const struct mutation mutation_repeat = {
	.name = "repeat",
	.help = "a layer or block several times in a row; the copies have stride 1 where the original reduces the size",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.draw = draw,
	.apply = apply,
};
