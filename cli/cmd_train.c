/* cli/cmd_train.c - nab train: trains models by hand, recorded like the candidates of a search. */
#include "base/mem.h"
#include "cli/by_hand.h"

struct flags {
	struct by_hand hand;
};

static const struct opt flags[] = {
	BY_HAND_FLAGS,
	OPT_STR(struct by_hand, seed, NULL, "of the first run of every model; the next runs have the next ones"),
	OPT_END,
};

static int train(struct cli *c, const struct study *y, const struct target *targets, struct err *e)
{
	const struct flags *f = c->flags;
	struct engine_item *items = ARENA_ARRAY(c->arena, struct engine_item, c->n_args);
	int64_t *runs = ARENA_ARRAY(c->arena, int64_t, c->n_args);
	struct engine_outcome out = { 0 };

	for (int i = 0; i < c->n_args; i++)
		items[i] = (struct engine_item){ .graph = targets[i].graph, .label = targets[i].name };
	if (by_hand_train(c, &f->hand, y, "train", items, c->n_args, runs, &out, e) < 0)
		return -1;
	cli_outcome(c, y->store, &out);
	if (c->n_args == 1)
		cli_next(c, "nab show %lld --store %s", (long long)runs[0], y->store);
	return by_hand_lost(&out, e);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct target *targets = ARENA_ARRAY(c->arena, struct target, c->n_args);
	struct study y;

	for (int i = 0; i < c->n_args; i++)
		if (by_hand_target(c, &f->hand, c->args[i], &targets[i], e) < 0)
			return -1;
	if (by_hand_study(c, &f->hand, &targets[0], "train", "train", &y, e) < 0)
		return -1;
	return train(c, &y, targets, e);
}

const struct command command_train = {
	.name = "train",
	.usage = "MODEL... [flags]",
	.help = "train models (files, or runs of a store again), recorded like the candidates of a search",
	.more = "  nab train configs/models/lenet5.json --data idx:data/mnist --epochs 5\n"
		"  nab train a.json b.json --study configs/fashion-mnist.json --seeds 3\n"
		"  nab train my.json --set train.optimizer.adamw.lr=0.002",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
