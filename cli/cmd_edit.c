/* cli/cmd_edit.c - nab edit: changes a model by hand, edit by edit, in the order in which they are written. */
#include <glob.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/by_hand.h"
#include "cli/edit_words.h"
#include "cli/made.h"
#include "mutate/mutate.h"

struct flags {
	struct by_hand hand;
	const char *output, *log, *label;
	bool train, undo;
	struct edit_words words; /* no row: filled in order by read_own() */
};

static const struct opt flags[] = {
	OPT_STR(struct flags, output, NULL, "file to write; default: the model to stdout, what changed to stderr"),
	OPT_STR(struct flags, log, NULL, "file for the edits with what they did and repaired; can be a --script again"),
	OPT_BOOL(struct flags, undo, 0, "the model that a stored run was made from, instead of edits"),
	OPT_BOOL(struct flags, train, 0, "train it at once, under the conditions of the run that it was made from"),
	OPT_STR(struct flags, label, NULL, "with --train: its label in the store; default: the parent's with -edit"),
	BY_HAND_FLAGS,
	OPT_STR(struct by_hand, seed, NULL, "of the first run; the next runs have the next ones"),
	OPT_END,
};

/* ---- edits ---------------------------------------------------------------------------------------------- */

/* A list of edits, one edit, or the log of an earlier command: {"edits": [...]}. */
static int read_script(struct edit_words *w, const char *path, struct err *e)
{
	struct json *doc;

	if (json_load(&doc, path, e) < 0)
		return -1;
	edit_words_add(w, json_get(doc, "edits") ? json_get(doc, "edits") : doc);
	json_free(doc);
	return 1;
}

static int read_own(struct cli *c, const char *flag, const char *value, struct err *e)
{
	struct flags *f = c->flags;

	if (strcmp(flag, "script"))
		return edit_word(&f->words, flag, value, e);
	if (!value)
		return ERR(e, ERR_USAGE, "--script", "needs a value: a JSON file with edits");
	return read_script(&f->words, value, e);
}

static int own_names(const char **out, int most)
{
	int n = 0;

	out[n++] = "script";
	for (int i = 0; mutations[i]; i++) {
		if (n < most)
			out[n++] = mutations[i]->name;
		for (const struct opt *o = mutations[i]->opts; o->name && n < most; o++)
			out[n++] = o->name;
	}
	return n;
}

static void own_help(struct str *out)
{
	str_add(out,
		"\nedits, carried out in the order in which they are written; the name of an operator is a flag (its "
		"value: the\nlayer or block it acts on), and so are the options that follow it:\n"
		"  --script FILE    edits from a JSON file: a list like [{\"remove\": \"relu_1\"}, ...]\n");
	mutate_help(out);
}

static const struct command_own own = { read_own, own_names, own_help };

static void free_blocks(void *set)
{
	block_set_free(set);
}

/* Inserted entries may use the blocks of the library. */
static int library(struct cli *c, const struct block_set **out, struct err *e)
{
	struct block_set *set = block_set_new();
	struct json *files = json_array();
	struct diag d = { 0 };
	struct json_in in = { files, &d, NULL };
	int rc = 0;

	arena_defer(c->arena, free_blocks, set);
	for (int i = 0; i < c->lib.n; i++) {
		glob_t found;

		if (glob(path_join(c->arena, c->lib.dirs[i], "*.json"), 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			json_push(files, json_str(found.gl_pathv[k]));
		globfree(&found);
	}
	if (json_count(files))
		rc = block_set_use(set, files, NULL, &c->lib, &in);
	json_free(files);
	*out = set;
	return cli_report(c, &d, "block library", e) < 0 ? -1 : rc;
}

static void free_weights(void *w)
{
	weights_free(w);
}

/* Narrowing keeps the largest filters, if the numbers are there. */
static int environment(struct cli *c, const struct target *t, struct mutate_env *env, struct err *e)
{
	struct weights *w = NULL;

	*env = (struct mutate_env){ 0 };
	if (library(c, &env->blocks, e) < 0)
		return -1;
	if (!t->weights_path || !file_exists(t->weights_path))
		return 0;
	if (cli_target_weights(t, NULL, &w, e) < 0)
		return -1;
	arena_defer(c->arena, free_weights, w);
	env->weights = w;
	return 0;
}

static int apply(struct cli *c, const struct target *t, struct graph **out, struct mutate_log *log, struct err *e)
{
	const struct flags *f = c->flags;
	struct diag d = { 0 };
	struct json_in in = { f->words.list, &d, "edits" };
	struct mutate_env env;
	int rc;

	if (environment(c, t, &env, e) < 0)
		return -1;
	rc = mutate_apply(out, t->graph, f->words.list, &env, log, c->arena, &in);
	if (cli_report(c, &d, t->name ? t->name : "the model", e) < 0)
		return -1;
	return rc > 0 ? 0 : ERR(e, ERR_INVALID, t->name, "%s", log->refusal ? log->refusal : "the edits do not apply");
}

/* ---- what comes out ------------------------------------------------------------------------------------- */

/* The log's words, a line an edit, and its repairs. */
static void log_lines(struct cli *c, const struct mutate_log *log, struct opt_strs *lines)
{
	const char *rest = log->words;

	while (*rest) {
		const char *end = strstr(rest, "; ");
		size_t n = end ? (size_t)(end - rest) : strlen(rest);

		cli_add_text(lines, arena_printf(c->arena, "%.*s", (int)n, rest), c->arena);
		rest += n + (end ? 2 : 0);
	}
	for (int i = 0; i < log->n_repairs; i++)
		cli_add_text(lines, arena_printf(c->arena, "repaired: %s", log->repairs[i]), c->arena);
}

static struct json *change_of(const struct target *t, const struct mutate_log *log)
{
	struct json *v = mutate_change(log);
	char hash[HASH_TEXT];

	json_put(v, "parent", json_str(hash_text(hash, graph_hash(t->graph))));
	return v;
}

static int write_log(const struct target *t, const char *path, const struct mutate_log *log, struct err *e)
{
	struct json *v = change_of(t, log);
	struct str text = { 0 };
	int rc;

	json_pretty(&text, v);
	str_addc(&text, '\n');
	rc = file_write(path, str_get(&text), text.len, e);
	str_release(&text);
	json_free(v);
	return rc;
}

static int train(struct cli *c, const struct target *t, const struct graph *child, const struct mutate_log *log,
		 struct err *e)
{
	const struct flags *f = c->flags;
	const char *label = f->label ? f->label : arena_printf(c->arena, "%s-edit", t->name ? t->name : "model");
	struct json *change = mutate_change(log);
	struct engine_item item = { .graph = child, .label = label, .made_from = t->graph, .change = change };
	struct engine_outcome out = { 0 };
	struct study y;
	int64_t run = 0;
	int rc = -1;

	TRY(by_hand_study(c, &f->hand, t, "train", "edit", &y, e));
	TRY(by_hand_train(c, &f->hand, &y, "train", &item, 1, &run, &out, e));
	cli_outcome(c, y.store, &out);
	cli_next(c, "nab show %lld --store %s", (long long)run, y.store);
	rc = by_hand_lost(&out, e);
out:
	json_free(change);
	return rc;
}

static int edit(struct cli *c, const struct target *t, struct err *e)
{
	const struct flags *f = c->flags;
	struct opt_strs lines = { 0 };
	struct mutate_log log;
	struct made made = { .from = t->graph, .verb = "edited", .output = f->output, .kept = f->train };

	if (apply(c, t, &made.graph, &log, e) < 0)
		return -1;
	log_lines(c, &log, &lines);
	made.lines = lines.v;
	made.n_lines = lines.n;
	if (f->log && write_log(t, f->log, &log, e) < 0)
		return -1;
	if (c->json)
		made.extra = change_of(t, &log);
	if (cli_made(c, &made, e) < 0)
		return -1;
	if (f->train)
		return train(c, t, made.graph, &log, e);
	if (f->output)
		cli_next(c, "nab train %s", f->output);
	return 0;
}

/* ---- undo ----------------------------------------------------------------------------------------------- */

static int print_model(struct cli *c, const char *json, const char *name, struct err *e)
{
	const struct flags *f = c->flags;
	struct json *doc;
	struct str text = { 0 };
	int rc = 0;

	if (json_parse(&doc, json, strlen(json), name, e) < 0)
		return -1;
	json_pretty(&text, doc);
	str_addc(&text, '\n');
	if (f->output)
		rc = file_write(f->output, str_get(&text), text.len, e);
	else
		cli_print(&text);
	str_release(&text);
	json_free(doc);
	return rc;
}

static int undo(struct cli *c, const struct target *t, struct err *e)
{
	struct store *s = NULL;
	struct store_model parent;
	int rc = -1;

	if (!t->item.run.id)
		return ERR(e, ERR_USAGE, "--undo", "only stored runs know the model that they were made from");
	if (!t->item.candidate.parent)
		return ERR(e, ERR_INVALID, t->name, "was not made from another model: there is nothing to undo");
	TRY(store_open(&s, t->store, STORE_READ, e));
	TRY(store_model_get(s, t->item.candidate.parent, &parent, c->arena, e));
	rc = print_model(c, parent.json, parent.name ? parent.name : "the parent", e);
out:
	store_close(s);
	return rc;
}

static int run(struct cli *c, struct err *e)
{
	struct flags *f = c->flags;
	struct target t;
	int rc = -1;

	if (!f->words.list && !f->undo) {
		ERR(e, ERR_USAGE, NULL,
		    "say what to change: --remove ID, --widen ID --to N, --script FILE ... (--help "
		    "lists the operators)");
		goto out;
	}
	if (f->words.list && f->undo) {
		ERR(e, ERR_USAGE, "--undo", "stands alone: first undo, then edit what it gives");
		goto out;
	}
	TRY(by_hand_target(c, &f->hand, c->args[0], &t, e));
	rc = f->undo ? undo(c, &t, e) : edit(c, &t, e);
out:
	edit_words_release(&f->words);
	return rc;
}

const struct command command_edit = {
	.name = "edit",
	.usage = "MODEL --OPERATOR LAYER [--OPTION VALUE]... [flags]",
	.help = "change a model by hand: insert, remove, replace, set, widen ... layers and blocks",
	.more =
	    "MODEL is a file or a stored run. Shapes that no longer fit are repaired, and every repair is said; what "
	    "cannot be\nrepaired is refused. New layers are JSON as in a model, or words: \"conv2d:16,3 batchnorm "
	    "relu\". --set is the operator here: --set LAYER.OPTION=VALUE.\n\n"
	    "  nab edit resnet8.json --remove relu_1 --set conv2d_1.filters=24 -o narrow.json\n"
	    "  nab edit best --store fashion.db --insert \"dropout:0.3\" --before dense_1 --train\n"
	    "  nab edit lenet5.json --replace relu_2 --with gelu --insert 'conv2d:16,3,padding=same' --after relu_1\n"
	    "  nab edit 12 --store fashion.db --undo > parent.json",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.own = &own,
};
