/* cli/cmd_train.c - nab train: trains models by hand, recorded like the candidates of a search. */
#include "arch/weights.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/by_hand.h"
#include "cli/freeze.h"
#include "engine/initial.h"

struct flags {
	struct by_hand hand;
	const char *weights;
	struct opt_strs freeze;
};

static const struct opt flags[] = {
	BY_HAND_FLAGS,
	OPT_STR(struct by_hand, seed, NULL, "of the first run of every model; the next runs have the next ones"),
	OPT_STR(struct flags, weights, NULL,
		"safetensors file to start from; a last layer for other classes starts anew"),
	OPT_STRS(struct flags, freeze,
		 "layers that are not trained: ids of layers or blocks, ranges a..b, or all-but-head"),
	OPT_END,
};

/* Says what the file gives before anything is trained; all that does not fit, in one go. */
static int check_weights(struct cli *c, const struct graph *g, const char *path, struct err *e)
{
	struct initial start;
	struct diag d = { 0 };
	int rc = initial_load(&start, g, path, 0, &d, e);

	if (rc < 0 && d.errors)
		cli_report(c, &d, path, e);
	else if (rc == 0 && !c->quiet)
		fprintf(stderr, "%s: %s\n", path_base(path), start.text);
	weights_free(start.weights);
	return rc;
}

static int train(struct cli *c, const struct study *y, const struct target *targets, struct err *e)
{
	const struct flags *f = c->flags;
	struct engine_item *items = ARENA_ARRAY(c->arena, struct engine_item, c->n_args);
	int64_t *runs = ARENA_ARRAY(c->arena, int64_t, c->n_args);
	struct engine_outcome out = { 0 };

	for (int i = 0; i < c->n_args; i++)
		items[i] =
		    (struct engine_item){ .graph = targets[i].graph, .label = targets[i].name, .weights = f->weights };
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
	for (int i = 0; i < c->n_args; i++)
		if (cli_freeze(targets[i].graph, &f->freeze, e) < 0 ||
		    (f->weights && check_weights(c, targets[i].graph, f->weights, e) < 0))
			return -1;
	if (by_hand_study(c, &f->hand, &targets[0], "train", "train", &y, e) < 0)
		return -1;
	return train(c, &y, targets, e);
}

const struct command command_train = {
	.name = "train",
	.usage = "MODEL... [flags]",
	.help = "train models (files, or runs of a store again), recorded like the candidates of a search",
	.more =
	    "  nab train configs/models/lenet5.json --data idx:data/mnist --epochs 5\n"
	    "  nab train a.json b.json --study configs/fashion-mnist.json --seeds 3\n"
	    "  nab train my.json --set train.optimizer.adamw.lr=0.002\n"
	    "  nab train my.json --weights trained.safetensors --freeze all-but-head\n"
	    "\n"
	    "--weights: the file must hold every tensor of the model by name and shape, and no others. Only the last\n"
	    "layer may be there for another number of classes: then the model gets a new head. The file's digest is\n"
	    "part of what a run is known by, and a copy of it is kept beside the store.\n"
	    "--freeze: frozen layers keep what they start with: parameters, and the running statistics of norms, "
	    "which\n"
	    "they use while training, too. It is written into the stored model.",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
