/* cli/cmd_train.c - nab train: trains models by hand, recorded like the candidates of a search. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/progress.h"
#include "cli/study_file.h"
#include "cli/target.h"

struct flags {
	const char *study, *data, *recipe, *store, *name, *backend, *seed;
	struct opt_strs devices;
	int epochs, seeds, threads;
	bool no_wait, retry_failed;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, study, NULL, "study file whose data set, recipe and devices are used"),
	OPT_STR(struct flags, data, NULL,
		"data set, if no study is given (default: glyphs, or that of the stored run)"),
	OPT_STR(struct flags, recipe, NULL, "JSON file with a recipe"),
	OPT_INT(struct flags, epochs, 0, 0, 1000000, "epochs; 0: as the recipe says"),
	OPT_INT(struct flags, seeds, 1, 1, 1000, "runs of every model, with different seeds"),
	OPT_STR(struct flags, seed, NULL, "the first of them"),
	OPT_STR(struct flags, store, NULL, "file for the results; default: the study's, else train.db"),
	OPT_STR(struct flags, name, NULL, "name of the study in the store; default: train, or the study's with -train"),
	OPT_STR(struct flags, backend, NULL, "cpu or ref"),
	OPT_INT(struct flags, threads, 0, 0, 1024, "threads of a slot"),
	OPT_STRS(struct flags, devices, "device slot (cpu:0); may be repeated"),
	OPT_BOOL(struct flags, no_wait, 0, "hand the work to the running coordinator and return"),
	OPT_BOOL(struct flags, retry_failed, 0, "try runs again that ended failed, out of memory or timed out"),
	OPT_END,
};

/* The value of a file as "train" object: a recipe, or the recipe of a study. */
static int put_recipe(struct cli *c, struct json *doc, const char *path, struct err *e)
{
	struct json *r;

	if (json_load(&r, path, e) < 0)
		return -1;
	json_put(doc, "train", json_copy(json_get(r, "train") ? json_get(r, "train") : r));
	json_free(r);
	(void)c;
	return 0;
}

static int put_data(struct cli *c, struct json *doc, const struct target *first, struct err *e)
{
	const struct flags *f = c->flags;
	const char *text = f->data ? f->data : "glyphs", *colon = strchr(text, ':');
	struct json *v = NULL;

	if (!f->data && first->data_spec) {
		if (json_parse(&v, first->data_spec, strlen(first->data_spec), "data set", e) < 0)
			return -1;
	} else if (strlen(text) > 5 && strcmp(text + strlen(text) - 5, ".json") == 0) {
		struct json *file;

		if (json_load(&file, text, e) < 0)
			return -1;
		v = json_copy(json_get(file, "dataset") ? json_get(file, "dataset") : file);
		json_free(file);
		if (json_string(json_get(v, "dir")))
			json_put(
			    v, "dir",
			    json_str(path_join(c->arena, path_dir(c->arena, text), json_string(json_get(v, "dir")))));
	} else {
		v = json_object();
		json_put(
		    v, "format",
		    json_str(arena_printf(c->arena, "%.*s", (int)(colon ? colon - text : (long)strlen(text)), text)));
		if (colon)
			json_put(v, "dir", json_str(colon + 1));
	}
	json_put(doc, "dataset", v);
	return 0;
}

static void put_flags(struct json *doc, const struct flags *f)
{
	if (f->epochs) {
		if (!json_mutable(doc, "train"))
			json_put(doc, "train", json_object());
		json_put(json_mutable(doc, "train"), "epochs", json_num(f->epochs));
	}
	if (f->seeds > 1)
		json_put(doc, "replicates", json_num(f->seeds));
	if (f->seed)
		json_put(doc, "seed", json_str(f->seed));
	if (f->store)
		json_put(doc, "store", json_str(f->store));
	if (f->backend)
		json_put(doc, "backend", json_str(f->backend));
	if (f->threads)
		json_put(doc, "threads", json_num(f->threads));
	if (f->devices.n) {
		struct json *list = json_put(doc, "devices", json_array());

		for (int i = 0; i < f->devices.n; i++)
			json_push(list, json_str(f->devices.v[i]));
	}
}

/* The study document of this command: that of --study without its search, or one made of flags. */
static int make_document(struct cli *c, const struct target *first, struct json **out, const char **dir, struct err *e)
{
	const struct flags *f = c->flags;
	struct json *doc;
	const char *name;

	*dir = NULL;
	if (f->study) {
		if (json_load(&doc, f->study, e) < 0)
			return -1;
		*dir = path_dir(c->arena, f->study);
		json_drop(doc, "space");
		json_drop(doc, "search");
		json_drop(doc, "baselines");
		json_drop(doc, "stop");
	} else {
		doc = json_object();
		json_put(doc, "store", json_str("train.db"));
	}
	*out = doc;
	if ((!f->study || f->data) && put_data(c, doc, first, e) < 0)
		return -1;
	if (f->recipe && put_recipe(c, doc, f->recipe, e) < 0)
		return -1;
	name = json_string(json_get(doc, "study"));
	json_put(doc, "study", json_str(f->name ? f->name : name ? arena_printf(c->arena, "%s-train", name) : "train"));
	put_flags(doc, f);
	return cli_apply_set(c, doc, e);
}

static int train(struct cli *c, const struct study *y, const struct target *targets, struct err *e)
{
	const struct flags *f = c->flags;
	struct engine_item *items = ARENA_ARRAY(c->arena, struct engine_item, c->n_args);
	struct engine_outcome out = { 0 };
	struct engine_conf conf = { .program = c->program,
				    .store = f->store,
				    .no_wait = f->no_wait,
				    .retry_failed = f->retry_failed,
				    .on_event = progress_event };
	int64_t *runs = ARENA_ARRAY(c->arena, int64_t, c->n_args);
	int rc;

	for (int i = 0; i < c->n_args; i++)
		items[i] = (struct engine_item){ .graph = targets[i].graph, .label = targets[i].name };
	conf.arg = progress_new(c);
	rc = engine_train(y, "train", items, c->n_args, runs, &conf, &out, e);
	progress_free(conf.arg);
	if (rc < 0 && e->code == ERR_INTERRUPTED && out.signal)
		e->code = (enum err_code)(128 + out.signal);
	if (rc < 0)
		return -1;
	cli_outcome(c, y->store, &out);
	if (!c->quiet && !c->json && c->n_args == 1)
		cli_next(c, "nab show %lld --store %s", (long long)runs[0], y->store);
	return out.lost ? ERR(e, ERR_LOST, NULL, "%lld runs were lost to the machine", (long long)out.lost) : 0;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct target *targets = ARENA_ARRAY(c->arena, struct target, c->n_args);
	struct json *doc = NULL;
	struct opt_strs set = c->set;
	const char *dir;
	struct study y;
	int rc = -1;

	c->set = (struct opt_strs){ 0 }; /* --set is about the study, not about the model files */
	for (int i = 0; i < c->n_args; i++)
		TRY(cli_target(c, c->args[i], f->store, &targets[i], e));
	c->set = set;
	TRY(make_document(c, &targets[0], &doc, &dir, e));
	TRY(cli_read_study(c, doc, f->study ? f->study : "nab train", dir, false, &y, e));
	rc = train(c, &y, targets, e);
out:
	json_free(doc);
	return rc;
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
