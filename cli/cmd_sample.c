/* cli/cmd_sample.c - nab sample: draws architectures from a search space, without training them. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cli/target.h"
#include "space/space.h"

struct flags {
	const char *data, *seed, *output;
	int count;
	bool draw, stats;
};

static const struct opt flags[] = {
	OPT_INT(struct flags, count, 5, 1, 10000000, "how many"),
	OPT_STR(struct flags, seed, "1", "of the draws"),
	OPT_STR(struct flags, data, NULL,
		"what the models are for; else what the space says, else 1x28x28 and 10 classes"),
	OPT_STR(struct flags, output, NULL, "folder: write every model as a JSON file"),
	OPT_BOOL(struct flags, draw, 0, "draw every model's layers"),
	OPT_BOOL(struct flags, stats, 1, "say at the end what was rejected, and why"),
	OPT_END,
};

static int find_target(struct cli *c, const struct space *s, struct space_target *t, struct err *e)
{
	const struct flags *f = c->flags;
	struct dataset *d = NULL;

	if (f->data) {
		if (cli_open_data(c, f->data, &d, e) < 0)
			return -1;
		*t = (struct space_target){ d->shape, d->task, d->classes };
		dataset_close(d);
		return 0;
	}
	if (space_own_target(s, t) < 0)
		*t = (struct space_target){ shape_image(1, 28, 28), TASK_CLASSIFY, 10 };
	return 0;
}

static int write_model(struct cli *c, const struct graph *g, int i, struct err *e)
{
	const struct flags *f = c->flags;
	struct str t = { 0 };
	int rc;

	model_print(&t, g);
	rc = file_write(arena_printf(c->arena, "%s/%04d.json", f->output, i), str_get(&t), t.len, e);
	str_release(&t);
	return rc;
}

static void print_line(struct cli *c, const struct graph *g, int i)
{
	const struct flags *f = c->flags;
	char hash[HASH_TEXT], params[32], macs[32];
	struct str t = { 0 };
	struct cost cost;

	graph_cost(g, &cost, NULL);
	hash_text(hash, graph_hash(g));
	if (c->json) {
		struct json *v = json_object();

		json_put(v, "index", json_num(i));
		json_put(v, "hash", json_str(hash));
		json_put(v, "params", json_num((double)cost.params));
		json_put(v, "macs", json_num((double)cost.macs));
		json_put(v, "model", model_write(g));
		json_print(&t, v);
		str_addc(&t, '\n');
		json_free(v);
	} else {
		str_addf(&t, "%4d  %.10s %12s parameters %14s multiply-adds  ", i, hash,
			 str_thousands(params, cost.params), str_thousands(macs, cost.macs));
		graph_summary(&t, g);
		str_addc(&t, '\n');
		if (f->draw)
			graph_draw(&t, g);
	}
	cli_print(&t);
	str_release(&t);
}

static void print_stats(struct cli *c, const struct space *s, const struct space_stats *st)
{
	struct json *v = space_stats_write(st, s);
	struct str t = { 0 };

	json_print(&t, v);
	if (!c->quiet)
		fprintf(stderr, "%s\n", str_get(&t));
	str_release(&t);
	json_free(v);
}

static int sample_all(struct cli *c, const struct space *s, const struct space_target *t, struct err *e)
{
	const struct flags *f = c->flags;
	struct arena *scratch = arena_new();
	struct space_stats st = { 0 };
	uint64_t seed;
	int rc = 0;

	if (str_u64(&seed, f->seed) < 0) {
		arena_free(scratch);
		return ERR(e, ERR_USAGE, "--seed", "must be a whole number, not \"%s\"", f->seed);
	}

	for (int i = 0; i < f->count && rc == 0; i++) {
		struct graph *g;
		struct rng rng;

		arena_reset(scratch);
		rng_init(&rng, seed, (uint64_t)i);
		rc = space_sample(&g, s, t, &rng, scratch, &st, e);
		if (rc < 0)
			break;
		print_line(c, g, i);
		if (f->output)
			rc = write_model(c, g, i, e);
	}
	if (f->stats)
		print_stats(c, s, &st);
	arena_free(scratch);
	return rc;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct json *doc;
	struct diag d = { 0 };
	struct space *s = NULL;
	struct space_target t;
	struct json_in in;
	int rc;

	if (cli_load_document(c, &doc, c->args[0], e) < 0)
		return -1;
	in = (struct json_in){ doc, &d, NULL };
	rc = space_read(&s, doc, path_dir(c->arena, c->args[0]), &c->lib, c->arena, &in);
	json_free(doc);
	if (cli_report(c, &d, c->args[0], e) < 0 || rc < 0 || find_target(c, s, &t, e) < 0)
		return -1;
	if (f->output && file_mkdirs(f->output, e) < 0)
		return -1;
	return sample_all(c, s, &t, e);
}

const struct command command_sample = {
	.name = "sample",
	.usage = "SPACE.json [flags]",
	.help = "draw architectures from a search space, without training them",
	.more = "  nab sample configs/spaces/blocks-100k.json --count 10\n"
		"  nab sample my-space.json --data cifar:data/cifar-10 --output models/",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
