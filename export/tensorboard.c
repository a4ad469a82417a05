/* export/tensorboard.c - see tensorboard.h. */
#include "export/tensorboard.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "export/protobuf.h"
#include "export/tfrecord.h"
#include "store/store.h"

enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_GRAPH = 4, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_NUMBER = 2, VALUE_TENSOR = 8, VALUE_METADATA = 9 };
enum { TENSOR_TYPE = 1, TENSOR_SHAPE = 2, TENSOR_FLOATS = 5, TENSOR_STRINGS = 8, TYPE_FLOAT = 1, TYPE_STRING = 7 };
enum { HPARAMS_START = 3, HPARAMS_END = 4, STATUS_SUCCESS = 1, STATUS_FAILURE = 2 };
enum { GOOGLE_NUMBER = 2, GOOGLE_TEXT = 3, GOOGLE_BOOL = 4 }; /* google.protobuf.Value */

struct writer {
	struct str *out;
	double start; /* wall clock of its first attempt */
	double time;  /* of the next event */
	int64_t step;
	struct str summary;
};

/* ---- events --------------------------------------------------------------------------------------------- */

static void put_event(struct writer *w, int field, struct str *content)
{
	struct str event = { 0 };

	pb_double(&event, EVENT_TIME, w->time);
	if (w->step)
		pb_int(&event, EVENT_STEP, w->step);
	pb_message(&event, field, content);
	tfrecord_add(w->out, str_get(&event), event.len);
	str_release(&event);
}

static void put_summary(struct writer *w)
{
	if (w->summary.len)
		put_event(w, EVENT_SUMMARY, &w->summary);
}

static void scalar(struct writer *w, const char *tag, double x)
{
	struct str value = { 0 };

	if (isnan(x))
		return;
	pb_text(&value, VALUE_TAG, tag);
	pb_float(&value, VALUE_NUMBER, (float)x);
	pb_message(&w->summary, SUMMARY_VALUE, &value);
	str_release(&value);
}

/* A value that belongs to a plugin: its data, and a tensor. */
static void plugin_value(struct writer *w, const char *tag, const char *plugin, struct str *data, struct str *tensor)
{
	struct str value = { 0 }, part = { 0 }, metadata = { 0 };

	pb_text(&part, 1, plugin);
	pb_message(&part, 2, data);
	pb_message(&metadata, 1, &part);
	pb_text(&value, VALUE_TAG, tag);
	pb_message(&value, VALUE_METADATA, &metadata);
	pb_message(&value, VALUE_TENSOR, tensor);
	pb_message(&w->summary, SUMMARY_VALUE, &value);
	put_summary(w);
	str_release(&value);
	str_release(&part);
	str_release(&metadata);
}

/* Texts are shown as Markdown: four blanks before each line make it show them as they are. */
static void text(struct writer *w, const char *tag, const char *s)
{
	struct str data = { 0 }, tensor = { 0 }, lines = { 0 }, shape = { 0 }, dim = { 0 };

	for (bool fresh = true; *s; s++) {
		if (fresh)
			str_add(&lines, "    ");
		str_addc(&lines, *s);
		fresh = *s == '\n';
	}
	pb_int(&dim, 1, 1);
	pb_message(&shape, 2, &dim);
	pb_int(&tensor, TENSOR_TYPE, TYPE_STRING);
	pb_message(&tensor, TENSOR_SHAPE, &shape);
	pb_text(&tensor, TENSOR_STRINGS, str_get(&lines));
	plugin_value(w, tag, "text", &data, &tensor);
	str_release(&data);
	str_release(&tensor);
	str_release(&lines);
	str_release(&shape);
	str_release(&dim);
}

/* ---- hyper-parameters ----------------------------------------------------------------------------------- */

static void hparams_value(struct writer *w, const char *tag, int field, struct str *content)
{
	struct str data = { 0 }, tensor = { 0 }, empty = { 0 };
	const float nothing = 0;

	pb_int(&data, 1, 0); /* version of the plugin's data */
	pb_message(&data, field, content);
	pb_int(&tensor, TENSOR_TYPE, TYPE_FLOAT);
	pb_message(&tensor, TENSOR_SHAPE, &empty);
	pb_bytes(&tensor, TENSOR_FLOATS, &nothing, sizeof nothing);
	plugin_value(w, tag, "hparams", &data, &tensor);
	str_release(&data);
	str_release(&tensor);
	str_release(&empty);
}

static void hparam(struct str *start, const char *name, const struct json *v)
{
	struct str entry = { 0 }, value = { 0 }, t = { 0 };

	if (json_type(v) == JSON_NUMBER) {
		pb_double(&value, GOOGLE_NUMBER, json_number(v));
	} else if (json_type(v) == JSON_BOOL) {
		pb_int(&value, GOOGLE_BOOL, json_true(v));
	} else if (json_type(v) == JSON_STRING) {
		pb_text(&value, GOOGLE_TEXT, json_string(v));
	} else {
		json_print(&t, v);
		pb_text(&value, GOOGLE_TEXT, str_get(&t));
	}
	pb_text(&entry, 1, name);
	pb_message(&entry, 2, &value);
	pb_message(start, 1, &entry);
	str_release(&entry);
	str_release(&value);
	str_release(&t);
}

/* {"batch": 64, "optimizer": {"adamw": {"lr": 0.1}}}: batch = 64, optimizer = adamw, optimizer.lr = 0.1. */
static void flatten(struct str *start, const char *name, const struct json *v, struct arena *a)
{
	const struct json *one = json_first(v);

	if (json_type(v) == JSON_OBJECT && json_count(v) == 1 && json_type(one) == JSON_OBJECT && name) {
		struct json *kind = json_str(json_key(one));

		hparam(start, name, kind);
		json_free(kind);
		v = one;
	}
	if (json_type(v) != JSON_OBJECT) {
		if (json_type(v) != JSON_NULL && name)
			hparam(start, name, v);
		return;
	}
	JSON_EACH(member, v)
		flatten(start, name ? arena_printf(a, "%s.%s", name, json_key(member)) : json_key(member), member, a);
}

static void put_start(struct writer *w, const struct store_item *it, struct arena *a)
{
	struct json *about = json_object(), *recipe = NULL;
	struct str start = { 0 };
	const char *text_ = it->candidate.recipe;

	if (text_ && json_parse(&recipe, text_, strlen(text_), "recipe", NULL) == 0)
		flatten(&start, NULL, recipe, a);
	json_put(about, "model.parameters", json_num((double)it->params));
	json_put(about, "model.multiply_adds", json_num((double)it->macs));
	json_put(about, "model.depth", json_num(it->depth));
	json_put(about, "seed", json_str(arena_printf(a, "%llu", (unsigned long long)it->run.seed)));
	json_put(about, "origin", json_str(store_origin_names[it->candidate.origin]));
	flatten(&start, NULL, about, a);
	pb_text(&start, 4, arena_printf(a, "%s/%s", it->study, it->candidate.label ? it->candidate.label : "?"));
	pb_double(&start, 5, w->start);
	hparams_value(w, "_hparams_/session_start_info", HPARAMS_START, &start);
	json_free(about);
	json_free(recipe);
	str_release(&start);
}

static void put_end(struct writer *w, const struct store_item *it)
{
	struct str end = { 0 };

	if (!isnan(it->ended) && it->ended > w->time)
		w->time = it->ended;
	pb_int(&end, 1, it->run.state == STATE_DONE ? STATUS_SUCCESS : STATUS_FAILURE);
	pb_double(&end, 2, w->time);
	hparams_value(w, "_hparams_/session_end_info", HPARAMS_END, &end);
	str_release(&end);
}

/* ---- a run ---------------------------------------------------------------------------------------------- */

static int put_model(struct writer *w, struct store *s, int64_t model, struct arena *a, struct err *e)
{
	struct json *doc = NULL;
	struct str t = { 0 };
	struct diag d = { 0 };
	struct store_model m;
	struct graph *g;

	if (store_model_get(s, model, &m, a, e) < 0)
		return -1;
	if (m.json && json_parse(&doc, m.json, strlen(m.json), "model", NULL) == 0) {
		struct json_in in = { doc, &d, NULL };

		json_pretty(&t, doc);
		text(w, "model", str_get(&t));
		str_clear(&t);
		if (model_read(&g, doc, NULL, NULL, a, &in) == 0) { /* else it is of a newer program */
			tensorboard_graph(&t, g);
			put_event(w, EVENT_GRAPH, &t);
		}
	}
	diag_release(&d);
	json_free(doc);
	str_release(&t);
	return 0;
}

static int put_epochs(struct writer *w, struct store *s, int64_t run, struct arena *a, struct err *e)
{
	struct store_epoch *r;
	int n;

	if (store_epochs(s, run, &r, &n, a, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		w->step = r[i].epoch;
		w->time += r[i].seconds > 0 ? r[i].seconds : 0;
		scalar(w, "loss/train", r[i].train_loss);
		scalar(w, "loss/validation", r[i].val_loss);
		scalar(w, "accuracy/train", r[i].train_accuracy);
		scalar(w, "accuracy/validation", r[i].val_accuracy);
		scalar(w, "training/learning_rate", r[i].rate);
		scalar(w, "training/gradient_norm", r[i].grad_norm);
		scalar(w, "training/seconds_per_epoch", r[i].seconds);
		put_summary(w);
	}
	return 0;
}

static int put_result(struct writer *w, struct store *s, const struct store_item *it, struct arena *a, struct err *e)
{
	struct store_finding *f;
	struct str t = { 0 };
	int n;

	if (!run_state_final(it->run.state))
		return 0;
	if (store_findings(s, it->run.id, &f, &n, a, e) < 0)
		return -1;
	str_addf(&t, "%s%s%s\n", run_state_names[it->run.state], it->result.reason ? ": " : "",
		 it->result.reason ? it->result.reason : "");
	for (int i = 0; i < n; i++)
		str_addf(&t, "%s%s%s\n", f[i].layer ? f[i].layer : "", f[i].layer ? ": " : "", f[i].text);
	text(w, "findings", str_get(&t));
	str_release(&t);
	scalar(w, "result/accuracy", it->result.val_accuracy);
	scalar(w, "result/loss", it->result.val_loss);
	scalar(w, "result/score", it->result.score);
	put_summary(w);
	put_end(w, it);
	scalar(w, "result/test_accuracy", it->test_accuracy); /* read later, if ever: so it comes last */
	put_summary(w);
	return 0;
}

/* A name as a folder: letters that paths do not like are replaced, and then the number keeps it apart from others. */
static char *folder(const char *name, const char *kind, int64_t id, struct arena *a)
{
	char *out = arena_printf(a, "%.100s", name && name[0] ? name : kind);
	bool same = strlen(out) == strlen(name ? name : "") && out[0] != '.';

	for (char *c = out; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) {
			*c = '-';
			same = false;
		}
	if (out[0] == '.')
		out[0] = '-';
	return same ? out : arena_printf(a, "%s-%s%lld", out, kind, (long long)id);
}

static char *path_of(const struct store_item *it, const char *dir, struct arena *a)
{
	char *run = folder(it->candidate.label, "candidate", it->candidate.id, a);

	if (it->run.replicate)
		run = arena_printf(a, "%s-r%d", run, it->run.replicate + 1);
	return arena_printf(a, "%s/%s/%s/events.out.tfevents.nab", dir,
			    folder(it->study, "study", it->candidate.study, a), run);
}

int tensorboard_events(struct str *out, char **path, struct store *s, int64_t run, const char *dir, struct arena *a,
		       struct err *e)
{
	struct writer w = { .out = out };
	struct str version = { 0 };
	struct store_study y;
	struct store_item it;
	int rc = -1;

	TRY(store_item_get(s, run, &it, a, e));
	TRY(store_study_get(s, it.candidate.study, &y, a, e));
	*path = path_of(&it, dir, a);
	w.start = w.time = isnan(it.started) ? y.created : it.started; /* taken from another study: never started */
	str_add(&version, "brain.Event:2");
	put_event(&w, EVENT_VERSION, &version);
	TRY(put_model(&w, s, it.model, a, e));
	put_start(&w, &it, a);
	TRY(put_epochs(&w, s, run, a, e));
	TRY(put_result(&w, s, &it, a, e));
	rc = 0;
out:
	str_release(&version);
	str_release(&w.summary);
	return rc;
}

/* ---- files ---------------------------------------------------------------------------------------------- */

/* Bytes at the beginning of the file that are those of `want`; -1 if it goes on with others. */
static int64_t common(int fd, const struct str *want)
{
	char buf[16384];
	size_t at = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof buf)) > 0) {
		if (at + (size_t)n > want->len || memcmp(buf, want->s + at, (size_t)n) != 0)
			return -1;
		at += (size_t)n;
	}
	return (int64_t)at;
}

int tensorboard_write(struct store *s, int64_t run, const char *dir, struct err *e)
{
	struct arena *a = arena_new();
	struct str want = { 0 };
	char *path;
	int64_t have;
	int fd = -1, rc = -1;

	TRY(tensorboard_events(&want, &path, s, run, dir, a, e));
	TRY(file_mkdirs(path_dir(a, path), e));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) {
		ERR(e, ERR_RUNTIME, path, "cannot be opened: %s", strerror(errno));
		goto out;
	}
	flock(fd, LOCK_EX); /* a coordinator and who handed it work may both log a run */
	have = common(fd, &want);
	if (have < 0) {
		TRY(file_write(path, want.s, want.len, e));
	} else if (file_put(fd, want.s + have, want.len - (size_t)have) < 0) {
		ERR(e, ERR_RUNTIME, path, "cannot be written: %s", strerror(errno));
		goto out;
	}
	rc = 0;
out:
	if (fd >= 0)
		close(fd);
	str_release(&want);
	arena_free(a);
	return rc;
}
