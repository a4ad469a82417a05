/* cli/by_hand.c - see by_hand.h. */
#include "cli/by_hand.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/progress.h"
#include "space/draw.h"

int by_hand_target(struct cli *c, const struct by_hand *h, const char *text, struct target *out, struct err *e)
{
	struct opt_strs set = c->set;
	int rc;

	c->set = (struct opt_strs){ 0 };
	rc = cli_target(c, text, h->store, out, e);
	c->set = set;
	return rc;
}

/* ---- the recipe ----------------------------------------------------------------------------------------- */

/* {"adamw": {...}} over {"sgd": {...}}: another variant, whose options are not those of the first. */
static bool other_variant(const struct json *base, const struct json *over)
{
	return json_count(base) == 1 && json_count(over) == 1 && !json_get(base, json_key(json_first(over)));
}

/* Puts what `over` says into base, key by key. */
static void merge(struct json *base, const struct json *over)
{
	JSON_EACH(v, over) {
		struct json *old = json_mutable(base, json_key(v));
		bool into = json_type(old) == JSON_OBJECT && json_type(v) == JSON_OBJECT && !other_variant(old, v) &&
			    draw_kind(v) == DRAW_FIXED;

		if (into)
			merge(old, v);
		else
			json_put(base, json_key(v), json_copy(v));
	}
}

/* The recipe in a file, or that of a study file; caller frees. */
static int load_recipe(struct json **out, const char *path, struct err *e)
{
	struct json *file;

	if (json_load(&file, path, e) < 0)
		return -1;
	*out = json_copy(json_get(file, "train") ? json_get(file, "train") : file);
	json_free(file);
	if (json_type(*out) == JSON_OBJECT)
		return 0;
	json_free(*out);
	return ERR(e, ERR_INVALID, path, "a recipe is an object");
}

static int put_recipe(const struct by_hand *h, struct json *doc, struct err *e)
{
	struct json *given, *now = json_mutable(doc, "train");

	if (!h->recipe)
		return 0;
	if (load_recipe(&given, h->recipe, e) < 0)
		return -1;
	if (!now)
		now = json_put(doc, "train", json_object());
	if (h->keep_open) {
		struct json *closed = json_object();

		JSON_EACH(v, given)
			if (!draw_open(v))
				json_put(closed, json_key(v), json_copy(v));
		json_free(given);
		given = closed;
	}
	merge(now, given);
	json_free(given);
	return 0;
}

int by_hand_open_recipe(struct cli *c, const struct by_hand *h, const struct json **out, struct err *e)
{
	struct json *given, *open;
	struct diag d = { 0 };
	struct json_in in;

	*out = NULL;
	if (!h->recipe)
		return 0;
	if (load_recipe(&given, h->recipe, e) < 0)
		return -1;
	in = (struct json_in){ given, &d, NULL };
	draw_check(given, &in);
	if (cli_report(c, &d, h->recipe, e) < 0) {
		json_free(given);
		return -1;
	}
	open = json_object();
	arena_defer(c->arena, (void (*)(void *))json_free, open);
	JSON_EACH(v, given)
		if (draw_open(v))
			json_put(open, json_key(v), json_copy(v));
	json_free(given);
	if (json_count(open))
		*out = open;
	return 0;
}

/* ---- the document --------------------------------------------------------------------------------------- */

/* Folders in flags are relative to the working directory, whatever the study file's are relative to. */
static void put_folder(struct json *data, const char *dir)
{
	char full[PATH_MAX];

	json_put(data, "dir", json_str(realpath(dir, full) ? full : dir));
}

static int put_data(struct cli *c, struct json *doc, const char *text, struct err *e)
{
	const char *colon = strchr(text, ':');
	size_t n = strlen(text);
	struct json *v, *file;

	if (n > 5 && strcmp(text + n - 5, ".json") == 0) {
		if (json_load(&file, text, e) < 0)
			return -1;
		v = json_copy(json_get(file, "dataset") ? json_get(file, "dataset") : file);
		json_free(file);
		if (json_string(json_get(v, "dir")))
			put_folder(v, path_join(c->arena, path_dir(c->arena, text), json_string(json_get(v, "dir"))));
	} else {
		v = json_object();
		json_put(v, "format",
			 json_str(arena_printf(c->arena, "%.*s", (int)(colon ? colon - text : (long)n), text)));
		if (colon)
			put_folder(v, colon + 1);
	}
	json_put(doc, "dataset", v);
	return 0;
}

/* What a stored run was trained under. Its model has the width that its recipe's fidelity asks for already. */
static int from_run(struct json *doc, const struct target *t, struct err *e)
{
	static const char *const keys[] = {
		"dataset", "seed", "replicates", "objective", "backend", "threads", "tune"
	};
	struct json *config = NULL, *recipe = NULL, *limits;
	int rc = -1;

	TRY(json_parse(&config, t->config, strlen(t->config), "study", e));
	TRY(json_parse(&recipe, t->recipe, strlen(t->recipe), "recipe", e));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (json_get(config, keys[i]))
			json_put(doc, keys[i], json_copy(json_get(config, keys[i])));
	limits = json_put(doc, "limits", json_object());
	JSON_EACH(v, json_get(config, "limits"))
		if (strcmp(json_key(v), "max_disk") != 0)
			json_put(limits, json_key(v), json_copy(v));
	if (json_get(recipe, "fidelity"))
		json_put(json_mutable(recipe, "fidelity"), "width", json_num(1));
	json_put(doc, "train", recipe);
	rc = 0;
out:
	json_free(config);
	return rc;
}

/* The study document of --study without its search. */
static int from_study(struct json **doc, const char *path, struct err *e)
{
	if (json_load(doc, path, e) < 0)
		return -1;
	json_drop(*doc, "space");
	json_drop(*doc, "search");
	json_drop(*doc, "baselines");
	json_drop(*doc, "stop");
	return 0;
}

static void put_flags(struct json *doc, const struct by_hand *h)
{
	if (h->epochs) {
		if (!json_mutable(doc, "train"))
			json_put(doc, "train", json_object());
		json_put(json_mutable(doc, "train"), "epochs", json_num(h->epochs));
	}
	if (h->seeds)
		json_put(doc, "replicates", json_num(h->seeds));
	if (h->seed)
		json_put(doc, "seed", json_str(h->seed));
	if (h->store)
		json_put(doc, "store", json_str(h->store));
	if (h->backend)
		json_put(doc, "backend", json_str(h->backend));
	if (h->threads)
		json_put(doc, "threads", json_num(h->threads));
	if (h->devices.n) {
		struct json *list = json_put(doc, "devices", json_array());

		for (int i = 0; i < h->devices.n; i++)
			json_push(list, json_str(h->devices.v[i]));
	}
}

static const char *as_name(struct cli *c, const char *text)
{
	enum { MOST = 100 };
	char *out = arena_printf(c->arena, "%.*s", MOST, text);

	for (char *p = out; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			*p = '_';
	return out;
}

static void put_names(struct cli *c, struct json *doc, const struct by_hand *h, const struct target *first,
		      const char *command, const char *default_name)
{
	const char *name = json_string(json_get(doc, "study"));

	if (h->name)
		name = h->name;
	else if (name)
		name = arena_printf(c->arena, "%s-%s", name, command);
	else
		name = as_name(c, default_name);
	json_put(doc, "study", json_str(name));
	if (!json_get(doc, "store"))
		json_put(doc, "store",
			 json_str(first->store ? first->store : arena_printf(c->arena, "%s.db", command)));
}

static int make_document(struct cli *c, const struct by_hand *h, const struct target *first, const char *command,
			 const char *default_name, struct json *doc, struct err *e)
{
	if (!h->study && first->config && from_run(doc, first, e) < 0)
		return -1;
	if (h->data || (!h->study && !first->config))
		if (put_data(c, doc, h->data ? h->data : "glyphs", e) < 0)
			return -1;
	if (put_recipe(h, doc, e) < 0)
		return -1;
	put_names(c, doc, h, first, command, default_name);
	put_flags(doc, h);
	return cli_apply_set(c, doc, e);
}

int by_hand_study(struct cli *c, const struct by_hand *h, const struct target *first, const char *command,
		  const char *default_name, struct study *y, struct err *e)
{
	struct json *doc;
	int rc;

	if (h->study && from_study(&doc, h->study, e) < 0)
		return -1;
	if (!h->study)
		doc = json_object();
	rc = make_document(c, h, first, command, default_name, doc, e);
	if (rc == 0)
		rc = cli_read_study(c, doc, h->study ? h->study : arena_printf(c->arena, "nab %s", command),
				    h->study ? path_dir(c->arena, h->study) : NULL, false, y, e);
	json_free(doc);
	return rc;
}

/* ---- training ------------------------------------------------------------------------------------------- */

int by_hand_train(struct cli *c, const struct by_hand *h, const struct study *y, const char *kind,
		  const struct engine_item *items, int n, int64_t *runs, struct engine_outcome *out, struct err *e)
{
	struct engine_conf conf = { .program = c->program,
				    .no_wait = h->no_wait,
				    .retry_failed = h->retry_failed,
				    .on_event = progress_event };
	int rc;

	if (cli_check_cards(y, e) < 0)
		return -1;
	conf.arg = progress_new(c, y, NULL);
	rc = engine_train(y, kind, items, n, runs, &conf, out, e);
	progress_free(conf.arg);
	if (rc < 0 && e->code == ERR_INTERRUPTED && out->signal)
		e->code = (enum err_code)(128 + out->signal);
	return rc;
}

int by_hand_lost(const struct engine_outcome *out, struct err *e)
{
	return out->lost ? ERR(e, ERR_LOST, NULL, "%lld runs were lost to the machine", (long long)out->lost) : 0;
}
