/* mutate/op_duplicate.c - a layer or block once more, right after itself: {"duplicate": "residual_2"}. */
#include "arch/kinds.h"
#include "base/json.h"
#include "mutate/copies.h"

static struct json *draw(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng)
{
	struct json *edit;

	(void)env;
	(void)rng;
	if (!copy_has_sense(g, at))
		return NULL;
	edit = json_object();
	json_put(edit, "duplicate", json_str(mutate_place_id(g, at)));
	return edit;
}

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const char *name = json_string(value);
	struct place copy;
	int rc = copy_after(d, at, name, &copy, e);

	(void)cfg;
	if (rc > 0)
		draft_words(d, "duplicated %s", name);
	return rc;
}

const struct mutation mutation_duplicate = {
	.name = "duplicate",
	.help = "a copy of a layer or block right after it, with stride 1 where the original reduces the size",
	.at = MUTATE_LAYER | MUTATE_BLOCK,
	.opts = empty_opts,
	.cfg_size = sizeof(struct empty),
	.draw = draw,
	.apply = apply,
};
