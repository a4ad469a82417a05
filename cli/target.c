/* cli/target.c - see target.h. */
#include "cli/target.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/batch.h"

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

/* ---- data sets ------------------------------------------------------------------------------------------ */

static int spec_from_json(struct cli *c, const struct json *v, const char *file, const char *dir,
			  struct dataset_spec *out, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in = { v, &d, NULL };
	int rc = dataset_spec_read(out, v, dir, c->arena, &in);

	if (cli_report(c, &d, file, e) < 0)
		return -1;
	return rc;
}

static int spec_from_file(struct cli *c, const char *path, struct dataset_spec *out, struct err *e)
{
	struct json *doc;
	const struct json *v;
	int rc;

	if (json_load(&doc, path, e) < 0)
		return -1;
	if (c->set_data && cli_apply_set(c, doc, e) < 0) {
		json_free(doc);
		return -1;
	}
	v = json_get(doc, "dataset");
	rc = spec_from_json(c, v ? v : doc, path, path_dir(c->arena, path), out, e);
	if (rc == 0 && (out->slices || out->options)) /* the specification borrows parts of the document */
		arena_defer(c->arena, (void (*)(void *))json_free, doc);
	else
		json_free(doc);
	return rc;
}

static int data_spec(struct cli *c, const char *text, struct dataset_spec *out, struct err *e)
{
	const char *colon = strchr(text, ':');
	struct json *v;
	int rc;

	if (ends_with(text, ".json"))
		return spec_from_file(c, text, out, e);
	v = json_object();
	json_put(v, "format",
		 json_str(arena_printf(c->arena, "%.*s", (int)(colon ? colon - text : (long)strlen(text)), text)));
	if (colon)
		json_put(v, "dir", json_str(colon + 1));
	rc = c->set_data ? cli_apply_set(c, v, e) : 0;
	if (rc == 0)
		rc = spec_from_json(c, v, arena_printf(c->arena, "--data %s", text), NULL, out, e);
	arena_defer(c->arena, (void (*)(void *))json_free, v); /* the specification may borrow parts of it */
	return rc;
}

int cli_open_data(struct cli *c, const char *text, struct dataset **out, struct err *e)
{
	struct dataset_spec spec = { 0 };

	if (data_spec(c, text, &spec, e) < 0)
		return -1;
	return dataset_open(out, &spec, e);
}

/* The input of the model and the data set (images scaled by `image`) agree, or ERR_INVALID. */
static int data_fits(const struct graph *g, const struct dataset *d, double image, struct err *e)
{
	struct shape shape = batch_shape(d, image);
	char want[48], have[48];

	if (!shape_equal(&g->inputs[0].shape, &shape))
		return ERR(e, ERR_INVALID, g->name, "the model's input is %s %s, the data set's examples are %s %s",
			   tensor_type_names[g->inputs[0].shape.type], shape_text(want, &g->inputs[0].shape),
			   tensor_type_names[shape.type], shape_text(have, &shape));
	if (d->task == TASK_CLASSIFY && g->outputs[0].classes != d->classes)
		return ERR(e, ERR_INVALID, g->name, "the model has %d classes, the data set %d", g->outputs[0].classes,
			   d->classes);
	return 0;
}

/* ---- stores --------------------------------------------------------------------------------------------- */

int cli_store_path(struct cli *c, const char *flag, const char **out, struct err *e)
{
	const char *env = getenv("NAB_STORE");
	glob_t found;
	int rc = 0;

	if (flag || (env && env[0])) {
		*out = flag ? flag : env;
		return 0;
	}
	if (glob("*.db", 0, NULL, &found) == 0 && found.gl_pathc == 1)
		*out = arena_strdup(c->arena, found.gl_pathv[0]);
	else
		rc = ERR(e, ERR_USAGE, NULL, "name the store with --store FILE (%s here)",
			 found.gl_pathc > 1 ? "several *.db files are" : "no *.db file is");
	globfree(&found);
	return rc;
}

int cli_open_store(struct cli *c, const char *flag, struct store **out, struct err *e)
{
	const char *path;

	if (cli_store_path(c, flag, &path, e) < 0)
		return -1;
	return store_open(out, path, STORE_READ, e);
}

int cli_study_id(struct store *s, const char *name, int64_t *out, struct arena *a, struct err *e)
{
	struct store_study y;
	int found = name ? store_study_find(s, name, &y, a, e) : 0;

	if (found < 0)
		return -1;
	if (name && !found)
		return ERR(e, ERR_USAGE, "--study", "the store has no study \"%s\" (`nab status` lists them)", name);
	*out = found ? y.id : 0;
	return 0;
}

/* ---- models and runs ------------------------------------------------------------------------------------ */

static int graph_from_text(struct cli *c, const char *json, const char *name, struct graph **out, struct err *e)
{
	struct json *doc;
	struct diag d = { 0 };
	struct json_in in;
	int rc;

	if (json_parse(&doc, json, strlen(json), name, e) < 0)
		return -1;
	in = (struct json_in){ doc, &d, NULL };
	rc = model_read(out, doc, NULL, &c->lib, c->arena, &in);
	json_free(doc);
	return cli_report(c, &d, name, e) < 0 ? -1 : rc;
}

static int weights_file(struct cli *c, struct store *s, struct target *t, struct err *e)
{
	struct store_file *files;
	int n;

	if (store_files(s, t->item.run.id, &files, &n, c->arena, e) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (files[i].kind == FILE_WEIGHTS)
			t->weights_path = path_join(c->arena, path_dir(c->arena, store_path(s)), files[i].path);
	return 0;
}

static int from_store(struct cli *c, const char *text, struct store *s, struct target *t, struct err *e)
{
	struct store_study y = { 0 };
	struct store_data data = { 0 };
	struct store_model m;
	int64_t run;

	TRY(store_resolve(s, text, 0, &run, e));
	TRY(store_item_get(s, run, &t->item, c->arena, e));
	TRY(store_model_get(s, t->item.model, &m, c->arena, e));
	t->name = t->item.candidate.label ? t->item.candidate.label : m.name ? m.name : text;
	t->recipe = t->item.candidate.recipe;
	TRY(graph_from_text(c, m.json, t->name, &t->graph, e));
	if (!t->graph->name)
		t->graph->name = t->name;
	TRY(store_study_get(s, t->item.candidate.study, &y, c->arena, e));
	t->store = arena_strdup(c->arena, store_path(s));
	t->config = y.config;
	if (y.data) {
		TRY(store_data_get(s, y.data, &data, c->arena, e));
		t->data_spec = data.spec;
		t->data_digest = data.digest;
	}
	return weights_file(c, s, t, e);
out:
	return -1;
}

int cli_target(struct cli *c, const char *text, const char *store, struct target *out, struct err *e)
{
	struct store *s = NULL;
	int rc;

	memset(out, 0, sizeof *out);
	if (ends_with(text, ".json")) {
		rc = cli_load_model(c, &out->graph, text, e);
		out->name = rc == 0 ? out->graph->name : NULL;
		return rc;
	}
	if (cli_open_store(c, store, &s, e) < 0)
		return -1;
	rc = from_store(c, text, s, out, e);
	store_close(s);
	return rc;
}

int target_related(struct store *s, const struct target *a, const struct target *b, bool *out, struct err *e)
{
	enum { MOST = 64 };
	int64_t line[2][MOST];
	int n[2];

	*out = false;
	for (int k = 0; k < 2; k++) {
		n[k] = store_lineage(s, (k ? b : a)->item.model, line[k], MOST, e);
		if (n[k] < 0)
			return -1;
	}
	for (int i = 0; i < n[0]; i++)
		for (int j = 0; j < n[1]; j++)
			*out = *out || line[0][i] == line[1][j];
	return 0;
}

/* The scale of the images that a run was trained on. */
static double image_scale(const struct target *t)
{
	struct json *recipe;
	double scale;

	if (!t->recipe || json_parse(&recipe, t->recipe, strlen(t->recipe), "recipe", NULL) < 0)
		return 1;
	scale = json_number(json_get(json_get(recipe, "fidelity"), "image"));
	json_free(recipe);
	return scale > 0 ? scale : 1;
}

int cli_target_data(struct cli *c, const struct target *t, const char *data, struct dataset **out, struct err *e)
{
	struct dataset_spec spec = { 0 };
	char digest[HASH_TEXT];
	struct json *doc;
	int rc;

	if (data) {
		rc = cli_open_data(c, data, out, e);
	} else if (t->data_spec) {
		if (json_parse(&doc, t->data_spec, strlen(t->data_spec), "data set", e) < 0)
			return -1;
		rc = spec_from_json(c, doc, "data set of the study", NULL, &spec, e);
		rc = rc < 0 ? rc : dataset_open(out, &spec, e);
		json_free(doc);
		if (rc == 0 && t->data_digest && strcmp(hash_text(digest, (*out)->identity), t->data_digest)) {
			dataset_close(*out);
			*out = NULL;
			return ERR(e, ERR_INVALID, t->name,
				   "the data set's files have changed since the run was trained");
		}
	} else {
		return ERR(e, ERR_USAGE, NULL, "name the data set with --data (glyphs, idx:FOLDER, a study file ...)");
	}
	if (rc < 0)
		return -1;
	if (data_fits(t->graph, *out, image_scale(t), e) == 0)
		return 0;
	dataset_close(*out);
	*out = NULL;
	return -1;
}

int cli_target_weights(const struct target *t, const char *path, struct weights **out, struct err *e)
{
	if (!path)
		path = t->weights_path;
	if (!path && t->item.run.id)
		return ERR(
		    e, ERR_INVALID, t->name,
		    "its weights are not kept (--max-disk removed them, or the run did not finish); train it again");
	if (!path)
		return ERR(e, ERR_USAGE, NULL, "a model file has no weights: name them with --weights FILE");
	*out = weights_new(t->graph, e);
	if (!*out)
		return -1;
	if (weights_load(*out, path, e) == 0)
		return 0;
	weights_free(*out);
	*out = NULL;
	return -1;
}

/* ---- backends ------------------------------------------------------------------------------------------- */

int cli_backend(const char *name, int threads, const struct backend **b, struct backend_ctx **ctx, struct err *e)
{
	struct backend_conf conf = { .threads = threads };

	*b = NULL;
	if (name && name[0]) {
		*b = backend_find(name);
		if (!*b)
			return ERR(e, ERR_USAGE, "--backend", "unknown backend \"%s\" (`nab doctor` lists them)", name);
	}
	for (int i = 0; !*b && backends[i]; i++)
		if (backends[i]->probe(NULL) == 0)
			*b = backends[i];
	if (!*b)
		return ERR(e, ERR_RUNTIME, NULL, "no backend works here: see `nab doctor`");
	if ((*b)->probe(e) < 0)
		return -1;
	return (*b)->open(ctx, &conf, e);
}
