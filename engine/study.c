/* engine/study.c - see study.h. */
#include "engine/study.h"

#include <ctype.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/recipe.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/draw.h"
#include "space/space.h"
#include "store/store.h"
#include "train/backend.h"

static const struct opt stop_opts[] = {
	OPT_REAL(struct study_stop, accuracy, 0, 0, 1, "end when a candidate's score reaches this; 0: never"),
	OPT_REAL(struct study_stop, seconds, 0, 0, 1e9, "start no run after so many seconds in all; 0: no limit"),
	OPT_LONG(struct study_stop, epochs, 0, 0, 1e12, "end when so many epochs were trained in all; 0: no limit"),
	OPT_END
};

static const struct opt limits_opts[] = {
	OPT_LONG(struct study_limits, max_disk, 0, 0, 1e15, "bytes of checkpoints and weights to keep; 0: no limit"),
	OPT_LONG(struct study_limits, memory, 0, 0, 1e15, "bytes that one run may take; 0: no limit"),
	OPT_REAL(struct study_limits, run_seconds, 0, 0, 1e9, "wall clock of one run; 0: no limit"),
	OPT_REAL(struct study_limits, silence, 1800, 1, 1e9, "seconds without a step after which a worker is ended"),
	OPT_REAL(struct study_limits, disk_wait, 600, 0, 1e9, "seconds to wait for space when the disk is full"),
	OPT_INT(struct study_limits, attempts, 3, 1, 1000, "times a run may end its worker at the same place"),
	OPT_INT(struct study_limits, checkpoint_every, 1, 1, 100000, "epochs between checkpoints"),
	OPT_REAL(struct study_limits, checkpoint_seconds, 1, 0, 1e9,
		 "seconds between them, at least; the end of a run has one"),
	OPT_END
};

const struct opt study_opts[] = {
	OPT_STR(struct study, study, NULL, "name of the study in the store"),
	OPT_JSON(struct study, dataset, "the data: see `nab data --help`"),
	OPT_JSON(struct study, space, "the search space: a file or an object"),
	OPT_JSON(struct study, search, "how candidates are proposed"),
	OPT_JSON(struct study, baselines, "models that are trained first, for comparison: files or objects"),
	OPT_JSON(struct study, train, "the training recipe; any value may be a choice"),
	OPT_STR(struct study, seed, "1", "of training: replicate r has this seed + r"),
	OPT_INT(struct study, replicates, 1, 1, 1000, "runs of every candidate, with different seeds"),
	OPT_STR(struct study, objective, "accuracy",
		"accuracy, balanced_accuracy, f1_macro, top5, loss, or slice:NAME"),
	OPT_GROUP(struct study, stop, stop_opts, "when to end"),
	OPT_STRS(struct study, devices, "cpu:0, cuda:0, cuda:GPU-...; none: every core, or card, of the backend"),
	OPT_INT(struct study, in_flight, 0, 0, 256, "runs at a time on one card, at most; 0: 16"),
	OPT_STR(struct study, store, STORE_DEFAULT, "file that everything is recorded in"),
	OPT_STR(
	    struct study, backend, NULL,
	    "what trains: cpu, cuda, or ref (slow, the reference); default: cuda where a device is a card, else cpu"),
	OPT_INT(struct study, threads, 1, 1, 1024, "threads of one slot"),
	OPT_BOOL(struct study, tune, 0, "measure the backend's algorithm choices instead of following its rule"),
	OPT_GROUP(struct study, limits, limits_opts, "what runs may take"),
	OPT_STRS(struct study, log, "also written while training: tensorboard (into STORE.tensorboard/)"),
	OPT_END
};

static void free_json(void *v)
{
	json_free(v);
}

/* Ties a value to the arena's life. */
static struct json *keep(struct arena *a, struct json *v)
{
	arena_defer(a, free_json, v);
	return v;
}

/* ---- the parts ------------------------------------------------------------------------------------------ */

static int read_space(struct study *y, const char *dir, const struct block_path *lib, bool needed, struct arena *a,
		      const struct json_in *in)
{
	const char *file = json_string(y->space);
	struct err e = { 0 };
	struct diag d = { 0 };
	int rc;

	if (!y->space)
		return needed ? json_bad(in, in->root, "\"space\" is missing (the search space: a file or an object)")
			      : 0;
	if (!file)
		return space_read(&y->the_space, y->space, dir, lib, a, in);
	rc = space_load(&y->the_space, path_join(a, dir, file), lib, a, &d, &e);
	for (int i = 0; i < d.n; i++)
		if (d.items[i].level == DIAG_ERROR)
			json_bad(in, y->space, "%s: %s: %s", file, d.items[i].where, d.items[i].msg);
	if (rc < 0 && d.errors == 0)
		json_bad(in, y->space, "%s: %s", e.where, e.msg);
	diag_release(&d);
	return rc;
}

static int read_baseline(struct graph **out, const struct json *v, const char *dir, const struct block_path *lib,
			 struct arena *a, const struct json_in *in)
{
	const char *file = json_string(v), *base;
	struct err e = { 0 };
	struct diag d = { 0 };
	int rc;

	if (!file)
		return model_read(out, v, dir, lib, a, in);
	rc = model_load(out, path_join(a, dir, file), lib, a, &d, &e);
	for (int i = 0; i < d.n; i++)
		if (d.items[i].level == DIAG_ERROR)
			json_bad(in, v, "%s: %s: %s", file, d.items[i].where, d.items[i].msg);
	if (rc < 0 && d.errors == 0)
		json_bad(in, v, "%s: %s", e.where, e.msg);
	diag_release(&d);
	if (rc == 0 && !(*out)->name) {
		base = path_base(file);
		(*out)->name = arena_printf(a, "%.*s", (int)strcspn(base, "."), base);
	}
	return rc;
}

static int read_baselines(struct study *y, const char *dir, const struct block_path *lib, struct arena *a,
			  const struct json_in *in)
{
	int rc = 0;

	if (!y->baselines)
		return 0;
	if (json_type(y->baselines) != JSON_ARRAY)
		return json_bad(in, y->baselines, "must be a list of models, not %s",
				json_type_name(json_type(y->baselines)));
	y->models = ARENA_ARRAY(a, struct graph *, json_count(y->baselines) + 1);
	JSON_EACH(v, y->baselines)
		rc |= read_baseline(&y->models[y->n_models++], v, dir, lib, a, in);
	return rc;
}

/* v with every open place at its k-th value, counted round; ranges have two, their ends. Caller frees. */
static struct json *kth_choice(const struct json *v, int k)
{
	enum draw_kind kind = draw_kind(v);
	struct json *out;

	if (kind == DRAW_ANY) {
		const struct json *one = json_first(json_get(v, "any"));

		for (int i = k % json_count(json_get(v, "any")); i > 0; i--)
			one = json_next(one);
		return kth_choice(one, k);
	}
	if (kind == DRAW_RANGE)
		return json_num(k % 2 ? draw_range(v).high : draw_range(v).low);
	if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY)
		return json_copy(v);
	out = json_type(v) == JSON_OBJECT ? json_object() : json_array();
	JSON_EACH(c, v) {
		if (json_key(c))
			json_put(out, json_key(c), kth_choice(c, k));
		else
			json_push(out, kth_choice(c, k));
	}
	return out;
}

/* A recipe with choices is checked by values it can take: all of them if they are few, else every alternative once. */
static int check_recipe(const struct json *train, struct arena *a, const struct json_in *in)
{
	enum { TRIES = 64 };
	struct recipe r;
	int64_t count;
	int rc = 0;

	if (json_type(train) != JSON_OBJECT)
		return json_bad(in, train, "must be an object, not %s", json_type_name(json_type(train)));
	if (draw_check(train, in) < 0)
		return -1;
	if (!draw_open(train))
		return recipe_read(&r, train, a, in);
	count = draw_count(train);
	for (int k = 0; k < TRIES && rc == 0; k++) {
		struct json *one = count > 0 && count <= TRIES ? draw_nth(train, k % count) : kth_choice(train, k);
		struct json_in at = { one, in->diag, "train" };

		rc = recipe_read(&r, one, a, &at);
		json_free(one);
	}
	return rc;
}

/* The study's own values, and the defaults of all keys that it does not give. */
static struct json *whole_recipe(const struct json *train, enum device_kind kind)
{
	struct json *out = train ? json_copy(train) : json_object(), *defaults;
	struct recipe r;

	recipe_defaults(&r);
	r.precision = study_precision(kind);
	defaults = recipe_write(&r);
	JSON_EACH(v, defaults)
		if (!json_get(out, json_key(v)))
			json_put(out, json_key(v), json_copy(v));
	json_free(defaults);
	return out;
}

static int check_objective(const struct study *y, const struct json *doc, const struct json_in *in)
{
	static const char *const known[] = { "accuracy", "balanced_accuracy", "f1_macro", "top5", "loss" };
	const struct json *v = json_get(doc, "objective");

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i], y->objective) == 0)
			return 0;
	if (strncmp(y->objective, "slice:", 6) == 0) {
		if (json_get(y->spec.slices, y->objective + 6))
			return 0;
		return json_bad(in, v, "the data set has no slice \"%s\": name its classes in dataset.slices",
				y->objective + 6);
	}
	return json_bad(in, v, "must be accuracy, balanced_accuracy, f1_macro, top5, loss, or slice:NAME");
}

/* ---- devices -------------------------------------------------------------------------------------------- */

const char *const device_kind_names[] = { [DEVICE_CPU] = "cpu", [DEVICE_CUDA] = "cuda", [DEVICE_KIND_COUNT] = NULL };

enum device_kind study_device_kind(const char *device)
{
	size_t n = strcspn(device, ":");

	for (int k = 0; k < DEVICE_KIND_COUNT; k++)
		if (strlen(device_kind_names[k]) == n && strncmp(device, device_kind_names[k], n) == 0)
			return (enum device_kind)k;
	return DEVICE_KIND_COUNT;
}

enum device_kind study_kind(const struct study *y)
{
	return strcmp(y->backend, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU;
}

const char *study_backend(const struct study *y, enum device_kind kind)
{
	return study_kind(y) == kind ? y->backend : device_kind_names[kind];
}

enum precision study_precision(enum device_kind kind)
{
	return kind == DEVICE_CUDA ? PRECISION_BF16 : PRECISION_FP32;
}

/* cpu:N, cuda:N, cuda:GPU-..., cuda:MIG-... */
static bool is_device(const char *text)
{
	enum { DIGITS = 4, NAME = 80 };
	enum device_kind kind = study_device_kind(text);
	const char *which = strchr(text, ':');
	size_t n = which ? strlen(++which) : 0;

	if (kind == DEVICE_KIND_COUNT || n == 0)
		return false;
	if (n <= DIGITS && strspn(which, "0123456789") == n)
		return true;
	return kind == DEVICE_CUDA && n <= NAME && (strncmp(which, "GPU-", 4) == 0 || strncmp(which, "MIG-", 4) == 0);
}

static void choose_backend(struct study *y)
{
	y->backend = device_kind_names[DEVICE_CPU];
	for (int i = 0; i < y->devices.n; i++)
		if (study_device_kind(y->devices.v[i]) == DEVICE_CUDA)
			y->backend = device_kind_names[DEVICE_CUDA];
}

static int check_devices(const struct study *y, const struct json *doc, const struct json_in *in)
{
	const struct json *list = json_get(doc, "devices");
	const char *kind = device_kind_names[study_kind(y)];
	bool served = y->devices.n == 0;

	for (int i = 0; i < y->devices.n; i++) {
		const char *d = y->devices.v[i];

		if (!is_device(d))
			return json_bad(in, list, "\"%s\" is no device: write cpu:0, cuda:0, or cuda:GPU-...", d);
		for (int k = 0; k < i; k++)
			if (strcmp(y->devices.v[k], d) == 0)
				return json_bad(in, list, "\"%s\" is named twice", d);
		served = served || study_device_kind(d) == study_kind(y);
	}
	return served ? 0
		      : json_bad(in, list, "there is no slot of the backend \"%s\" among them: write %s:0, %s:1, ...",
				 y->backend, kind, kind);
}

static int check_log(const struct study *y, const struct json *doc, const struct json_in *in)
{
	for (int i = 0; i < y->log.n; i++)
		if (strcmp(y->log.v[i], "tensorboard"))
			return json_bad(in, json_get(doc, "log"), "unknown log \"%s\": there is \"tensorboard\"",
					y->log.v[i]);
	return 0;
}

static int check_name(const struct study *y, const struct json *doc, const struct json_in *in)
{
	if (!y->study || !y->study[0])
		return json_bad(in, doc, "\"study\" is missing (its name in the store)");
	if (strlen(y->study) > 100 || strspn(y->study, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
						       "0123456789-_.") != strlen(y->study))
		return json_bad(in, json_get(doc, "study"),
				"must be a name of letters, digits, '-', '_' and '.', at most 100 of them");
	return 0;
}

static int check_backend(const struct study *y, const struct json *doc, const struct json_in *in)
{
	struct str all = { 0 };

	if (backend_find(y->backend))
		return 0;
	for (int i = 0; backends[i]; i++)
		str_addf(&all, "%s%s", i ? ", " : "", backends[i]->name);
	json_bad(in, json_get(doc, "backend"), "there is no backend \"%s\": must be one of %s", y->backend,
		 str_get(&all));
	str_release(&all);
	return -1;
}

/* ---- rendering ------------------------------------------------------------------------------------------ */

static struct json *render_dataset(const struct study *y)
{
	struct json *out = opt_write(&y->spec, dataset_opts);
	char full[PATH_MAX];

	if (y->spec.dir && realpath(y->spec.dir, full))
		json_put(out, "dir", json_str(full));
	if (y->spec.metadata && realpath(y->spec.metadata, full))
		json_put(out, "metadata", json_str(full));
	return out;
}

static struct json *render_baselines(const struct study *y)
{
	struct json *out = json_array();

	for (int i = 0; i < y->n_models; i++)
		json_push(out, model_write(y->models[i]));
	return out;
}

static struct json *render_key(const struct study *y, const struct opt *o)
{
	if (strcmp(o->name, "dataset") == 0)
		return render_dataset(y);
	if (strcmp(o->name, "space") == 0)
		return y->the_space ? json_copy(space_json(y->the_space)) : NULL;
	if (strcmp(o->name, "search") == 0)
		return search_cfg_write(&y->search_cfg);
	if (strcmp(o->name, "baselines") == 0)
		return render_baselines(y);
	if (strcmp(o->name, "train") == 0)
		return whole_recipe(y->train, study_kind(y));
	return opt_write_value(y, o);
}

/* Every key, in the order of the table. */
static void render(struct study *y, struct arena *a)
{
	struct json *doc = keep(a, json_object());

	for (const struct opt *o = study_opts; o->name; o++) {
		struct json *v = render_key(y, o);

		if (v)
			json_put(doc, o->name, v);
	}
	y->doc = doc;
	y->dataset = json_get(doc, "dataset");
	y->space = json_get(doc, "space");
	y->search = json_get(doc, "search");
	y->baselines = json_get(doc, "baselines");
	y->train = json_get(doc, "train");
	y->spec.slices = json_get(y->dataset, "slices"); /* the caller's document may go */
	y->spec.options = json_get(y->dataset, "options");
}

int study_read(struct study *y, const struct json *doc, const char *dir, const struct block_path *lib, bool need_space,
	       struct arena *a, const struct json_in *in)
{
	const struct json *data;
	int rc = 0;

	memset(y, 0, sizeof *y);
	if (json_type(doc) != JSON_OBJECT)
		return json_bad(in, doc, "a study is an object, not %s", json_type_name(json_type(doc)));
	rc |= opt_read(y, study_opts, doc, NULL, a, in);
	if (!y->backend)
		choose_backend(y);
	rc |= check_name(y, doc, in);
	data = y->dataset ? y->dataset : keep(a, json_object());
	rc |= dataset_spec_read(&y->spec, data, dir, a, in);
	rc |= read_space(y, dir, lib, need_space, a, in);
	rc |= search_cfg_read(&y->search_cfg, y->search, a, in);
	rc |= read_baselines(y, dir, lib, a, in);
	if (y->train)
		rc |= check_recipe(y->train, a, in);
	if (!y->seed || str_u64(&y->seed0, y->seed) < 0)
		rc = json_bad(in, json_get(doc, "seed"), "must be a text of decimal digits such as \"1\"");
	rc |= check_objective(y, doc, in);
	rc |= check_backend(y, doc, in);
	rc |= check_devices(y, doc, in);
	rc |= check_log(y, doc, in);
	if (rc < 0)
		return -1;
	render(y, a);
	return 0;
}

struct json *study_recipe_json(const struct study *y)
{
	return kth_choice(y->train, 0);
}

int study_recipe(struct recipe *r, const struct study *y, struct arena *a, struct err *e)
{
	struct json *one = kth_choice(y->train, 0);
	struct diag d = { 0 };
	struct json_in in = { one, &d, "train" };
	int rc = recipe_read(r, one, a, &in);

	if (rc < 0)
		diag_check(&d, ERR_INVALID, y->study, e);
	diag_release(&d);
	json_free(one);
	return rc;
}

struct opt_strs study_default_devices(int threads, struct arena *a)
{
	struct opt_strs out = { 0 };
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set) / threads;
	out.n = n < 1 ? 1 : n;
	out.v = ARENA_ARRAY(a, const char *, out.n);
	for (int i = 0; i < out.n; i++)
		out.v[i] = arena_printf(a, "cpu:%d", i);
	return out;
}

/* ---- comparing ------------------------------------------------------------------------------------------ */

/* A copy without what may change: budgets, places. Caller frees. */
static struct json *fixed_part(const struct json *doc)
{
	static const char *const top[] = { "stop", "devices", "in_flight", "store", "log" };
	static const char *const limits[] = { "max_disk", "silence",          "disk_wait",
					      "attempts", "checkpoint_every", "checkpoint_seconds" };
	struct json *out = json_copy(doc), *part;

	for (size_t i = 0; i < sizeof top / sizeof *top; i++)
		json_drop(out, top[i]);
	part = json_mutable(out, "limits");
	for (size_t i = 0; part && i < sizeof limits / sizeof *limits; i++)
		json_drop(part, limits[i]);
	part = json_mutable(out, "search");
	if (part)
		json_drop(part, "candidates");
	part = json_mutable(out, "dataset"); /* where the files lie: what they hold is compared by digest */
	if (part)
		json_drop(part, "dir");
	return out;
}

void study_fixed(struct str *out, const struct json *doc)
{
	struct json *part = fixed_part(doc);

	json_print(out, part);
	json_free(part);
}

static void put_value(struct str *out, const struct json *v)
{
	enum { MOST = 60 };
	struct str t = { 0 };

	if (v)
		json_print(&t, v);
	else
		str_add(&t, "absent");
	str_addn(out, t.s, t.len > MOST ? MOST : t.len);
	if (t.len > MOST)
		str_add(out, "...");
	str_release(&t);
}

static void differ(struct str *out, const char *path, const struct json *old, const struct json *now)
{
	if (json_equal(old, now))
		return;
	if (json_type(old) != JSON_OBJECT || json_type(now) != JSON_OBJECT) {
		str_addf(out, "%s%s: ", out->len ? "\n" : "", path);
		put_value(out, old);
		str_add(out, " is now ");
		put_value(out, now);
		return;
	}
	for (int side = 0; side < 2; side++)
		JSON_EACH(v, side ? now : old) {
			struct str sub = { 0 };

			if (side && json_get(old, json_key(v)))
				continue;
			str_addf(&sub, "%s%s%s", path, path[0] ? "." : "", json_key(v));
			differ(out, sub.s, json_get(old, json_key(v)), json_get(now, json_key(v)));
			str_release(&sub);
		}
}

void study_difference(struct str *out, const struct json *old, const struct json *now)
{
	struct json *a = fixed_part(old), *b = fixed_part(now);

	differ(out, "", a, b);
	json_free(a);
	json_free(b);
}

/* ---- help ----------------------------------------------------------------------------------------------- */

struct json *study_schema(void)
{
	struct json *out = opt_schema(study_opts, NULL), *properties = json_mutable(out, "properties");

	json_put(properties, "dataset", opt_schema(dataset_opts, NULL));
	json_put(properties, "search", search_schema());
	return out;
}

void study_help(struct str *out)
{
	opt_help(out, study_opts, "");
	opt_help(out, dataset_opts, "dataset.");
	search_help(out);
	recipe_help(out);
}
