/* engine/evaluation.c - see evaluation.h. */
#include "engine/evaluation.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/message.h"

static double share(int64_t part, int64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

struct json *evaluation_per_class(const struct evaluation *v)
{
	struct json *out = json_array();

	for (int c = 0; c < v->classes && v->confusion; c++) {
		int64_t hit = v->confusion[c * v->classes + c], is = 0, said = 0;
		struct json *one = json_push(out, json_object());

		for (int k = 0; k < v->classes; k++) {
			is += v->confusion[c * v->classes + k];
			said += v->confusion[k * v->classes + c];
		}
		json_put(one, "precision", json_num(share(hit, said)));
		json_put(one, "recall", json_num(share(hit, is)));
		json_put(one, "f1", json_num(share(2 * hit, is + said)));
		json_put(one, "n", json_num((double)is));
	}
	return out;
}

struct json *evaluation_slices(const struct evaluation *v, const struct dataset *d)
{
	struct json *out;

	if (!d->n_slices || !v->confusion)
		return NULL;
	out = json_object();
	for (int i = 0; i < d->n_slices; i++) {
		int64_t n;
		double accuracy = evaluation_slice(v, d, &d->slices[i], &n);

		json_put(out, d->slices[i].name, json_real(accuracy));
	}
	return out;
}

struct json *evaluation_write(const struct evaluation *v, const struct dataset *d)
{
	struct json *out = json_object(), *slices = evaluation_slices(v, d);

	json_put(out, "split", json_num(v->split));
	json_put(out, "n", json_i64(v->n));
	json_put(out, "classes", json_num(v->confusion ? v->classes : 0));
	json_put(out, "loss", json_real(v->loss));
	json_put(out, "accuracy", json_real(v->accuracy));
	json_put(out, "balanced_accuracy", json_real(v->balanced_accuracy));
	json_put(out, "top5", json_real(v->top5));
	json_put(out, "f1_macro", json_real(v->f1_macro));
	json_put(out, "precision_macro", json_real(v->precision_macro));
	json_put(out, "recall_macro", json_real(v->recall_macro));
	json_put(out, "predicted", json_bool(v->predicted != NULL));
	json_put(out, "per_class", evaluation_per_class(v));
	if (slices)
		json_put(out, "slices", slices);
	return out;
}

static size_t cells(int classes)
{
	return (size_t)classes * (size_t)classes * sizeof(int64_t);
}

size_t evaluation_blob_size(const struct evaluation *v)
{
	return (v->confusion ? cells(v->classes) : 0) + (v->predicted ? (size_t)v->n * sizeof *v->predicted : 0);
}

void evaluation_blob(const struct evaluation *v, char *out)
{
	size_t n = v->confusion ? cells(v->classes) : 0;

	if (n)
		memcpy(out, v->confusion, n);
	if (v->predicted)
		memcpy(out + n, v->predicted, (size_t)v->n * sizeof *v->predicted);
}

static const char *text_of(const struct json *v, struct arena *a)
{
	struct str t = { 0 };
	const char *out;

	if (!v)
		return NULL;
	json_print(&t, v);
	out = arena_strdup(a, str_get(&t));
	str_release(&t);
	return out;
}

int evaluation_read(struct store_evaluation *out, const struct json *body, const char *blob, size_t blob_len,
		    struct arena *a)
{
	double classes = json_get_real(body, "classes"), split = json_get_real(body, "split");
	int64_t n = json_get_i64(body, "n");
	size_t confusion, predicted;
	char *copy;

	if (!(classes >= 0 && classes <= 65535) || !(split >= 0 && split <= 2) || n < 0 || n > INT32_MAX)
		return -1;
	confusion = cells((int)classes);
	predicted = json_true(json_get(body, "predicted")) ? (size_t)n * sizeof *out->predicted : 0;
	if (confusion + predicted != blob_len)
		return -1;
	copy = arena_alloc(a, blob_len + 1);
	memcpy(copy, blob, blob_len);
	*out = (struct store_evaluation){
		.split = (int)split,
		.n = n,
		.classes = (int)classes,
		.loss = json_get_real(body, "loss"),
		.accuracy = json_get_real(body, "accuracy"),
		.balanced_accuracy = json_get_real(body, "balanced_accuracy"),
		.top5 = json_get_real(body, "top5"),
		.f1_macro = json_get_real(body, "f1_macro"),
		.precision_macro = json_get_real(body, "precision_macro"),
		.recall_macro = json_get_real(body, "recall_macro"),
		.confusion = confusion ? (const int64_t *)(const void *)copy : NULL,
		.predicted = predicted ? (const uint16_t *)(const void *)(copy + confusion) : NULL,
		.per_class = text_of(json_get(body, "per_class"), a),
		.slices = text_of(json_get(body, "slices"), a),
	};
	return 0;
}

/* ---- epochs --------------------------------------------------------------------------------------------- */

struct json *epoch_write(const struct epoch_record *r)
{
	struct json *out = json_object();

	json_put(out, "epoch", json_num(r->epoch));
	json_put(out, "steps", json_i64(r->steps));
	json_put(out, "examples", json_i64(r->examples));
	json_put(out, "rate", json_real(r->rate));
	json_put(out, "train_loss", json_real(r->train_loss));
	json_put(out, "train_accuracy", json_real(r->train_accuracy));
	json_put(out, "val_loss", json_real(r->val_loss));
	json_put(out, "val_accuracy", json_real(r->val_accuracy));
	json_put(out, "grad_norm", json_real(r->grad_norm));
	json_put(out, "seconds", json_real(r->seconds));
	return out;
}

void epoch_read(struct epoch_record *r, const struct json *body)
{
	double epoch = json_get_real(body, "epoch");

	*r = (struct epoch_record){
		.epoch = epoch >= 1 && epoch <= 1e9 ? (int)epoch : 0,
		.steps = json_get_i64(body, "steps"),
		.examples = json_get_i64(body, "examples"),
		.rate = json_get_real(body, "rate"),
		.train_loss = json_get_real(body, "train_loss"),
		.train_accuracy = json_get_real(body, "train_accuracy"),
		.val_loss = json_get_real(body, "val_loss"),
		.val_accuracy = json_get_real(body, "val_accuracy"),
		.grad_norm = json_get_real(body, "grad_norm"),
		.seconds = json_get_real(body, "seconds"),
	};
}

struct store_epoch epoch_row(const struct epoch_record *r)
{
	return (struct store_epoch){ r->epoch,          r->steps,    r->examples,     r->rate,      r->train_loss,
				     r->train_accuracy, r->val_loss, r->val_accuracy, r->grad_norm, r->seconds };
}

/* ---- scores and the store ------------------------------------------------------------------------------- */

static double slice_score(const struct store_evaluation *v, const char *name)
{
	struct json *slices = NULL;
	double score = (double)NAN;

	if (v->slices && json_parse(&slices, v->slices, strlen(v->slices), "slices", NULL) == 0)
		score = json_get_real(slices, name);
	json_free(slices);
	return score;
}

double evaluation_score(const struct store_evaluation *v, const char *objective)
{
	if (strcmp(objective, "balanced_accuracy") == 0)
		return v->balanced_accuracy;
	if (strcmp(objective, "f1_macro") == 0)
		return v->f1_macro;
	if (strcmp(objective, "top5") == 0)
		return v->top5;
	if (strcmp(objective, "loss") == 0)
		return -v->loss;
	if (strncmp(objective, "slice:", 6) == 0)
		return slice_score(v, objective + 6);
	return v->accuracy;
}

bool evaluation_truth(struct store_truth *out, const struct dataset *d, enum split split, struct arena *a)
{
	int64_t n = d->n_split[split];
	uint16_t *label = arena_alloc(a, (size_t)n * sizeof *label + 1);
	struct store_slice *slices = ARENA_ARRAY(a, struct store_slice, d->n_slices + 1);

	if (!d->label || n < 1)
		return false;
	for (int64_t i = 0; i < n; i++)
		label[i] = (uint16_t)d->label[d->split[split][i]];
	for (int k = 0; k < d->n_slices; k++) {
		uint8_t *member = arena_alloc(a, (size_t)n);

		for (int64_t i = 0; i < n; i++)
			member[i] = slice_has(&d->slices[k], d, d->split[split][i]);
		slices[k] = (struct store_slice){ arena_strdup(a, d->slices[k].name), member };
	}
	*out = (struct store_truth){
		.split = (int)split, .n = n, .label = label, .slices = slices, .n_slices = d->n_slices
	};
	return true;
}

int engine_store_evaluation(struct store *s, int64_t run, const struct evaluation *v, const struct dataset *d,
			    struct err *e)
{
	struct arena *a = arena_new();
	struct json *body = evaluation_write(v, d);
	size_t n = evaluation_blob_size(v);
	char *blob = mem_new(n + 1);
	struct store_evaluation row;
	int rc = -1;

	evaluation_blob(v, blob);
	if (evaluation_read(&row, body, blob, n, a) < 0)
		ERR(e, ERR_RUNTIME, NULL, "an evaluation of %lld examples is too large to be stored", (long long)v->n);
	else
		rc = store_evaluation_put(s, run, &row, e);
	mem_free(blob);
	json_free(body);
	arena_free(a);
	return rc;
}
