/* store/select.c - see select.h. */
#include "store/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/filter.h"
#include "base/mem.h"
#include "store/store.h"

/* What can be asked of a run `it` (and of its model's profile `x`): a name, of a number whether the most comes first,
 * the value, a help (NULL: another spelling of the name above). */
#define NUMBERS                                                                                                  \
	NUMBER("acc", 1, it->result.val_accuracy, "validation accuracy of the final weights (0.9 or 90%)")       \
	NUMBER("accuracy", 1, it->result.val_accuracy, NULL)                                                     \
	NUMBER("val_accuracy", 1, it->result.val_accuracy, NULL)                                                 \
	NUMBER("loss", 0, it->result.val_loss, "validation loss")                                                \
	NUMBER("val_loss", 0, it->result.val_loss, NULL)                                                         \
	NUMBER("train_acc", 1, it->result.train_accuracy, "training accuracy")                                   \
	NUMBER("train_accuracy", 1, it->result.train_accuracy, NULL)                                             \
	NUMBER("train_loss", 0, it->result.train_loss, "training loss")                                          \
	NUMBER("score", 1, it->result.score, "what the study ranks by")                                          \
	NUMBER("best_acc", 1, it->result.best_accuracy, "validation accuracy of the best epoch: optimistic")     \
	NUMBER("best_accuracy", 1, it->result.best_accuracy, NULL)                                               \
	NUMBER("best_epoch", 0, it->result.best_epoch ? it->result.best_epoch : (double)NAN, "that epoch")       \
	NUMBER("balanced", 1, it->balanced_accuracy, "balanced accuracy")                                        \
	NUMBER("balanced_accuracy", 1, it->balanced_accuracy, NULL)                                              \
	NUMBER("f1", 1, it->f1_macro, "F1, mean over classes")                                                   \
	NUMBER("f1_macro", 1, it->f1_macro, NULL)                                                                \
	NUMBER("top5", 1, it->top5, "top-5 accuracy")                                                            \
	NUMBER("test_acc", 1, it->test_accuracy, "accuracy on the test split, if `nab test` read it")            \
	NUMBER("test_accuracy", 1, it->test_accuracy, NULL)                                                      \
	NUMBER("epochs", 0, run_state_final(it->run.state) ? it->result.epochs : (double)NAN, "epochs trained")  \
	NUMBER("params", 0, (double)it->params, "parameters")                                                    \
	NUMBER("macs", 0, (double)it->macs, "multiply-adds of one forward pass")                                 \
	NUMBER("depth", 0, it->depth, "layers on the longest path")                                              \
	NUMBER("layers", 0, it->layers, "layers")                                                                \
	NUMBER("weight_bytes", 0, (double)it->weight_bytes, "bytes of weights")                                  \
	NUMBER("train_bytes", 0, (double)it->train_bytes, "bytes that training plans")                           \
	NUMBER("seconds", 0, it->result.seconds, "of training")                                                  \
	NUMBER("forward", 0, x->forward, "seconds of a forward pass of one batch, if `nab profile` measured it") \
	NUMBER("backward", 0, x->backward, "seconds of a backward pass of one batch, likewise")                  \
	NUMBER("attempts", 0, it->attempts, "attempts")                                                          \
	NUMBER("run", 0, (double)it->run.id, "number of the run")                                                \
	NUMBER("id", 0, (double)it->run.id, NULL)                                                                \
	NUMBER("number", 0, (double)it->candidate.number, "place of the candidate in the search, from 0")        \
	NUMBER("replicate", 0, it->run.replicate, "from 0")                                                      \
	NUMBER("created", 0, it->started, "start of its first attempt, seconds since 1970")

#define TEXTS                                                                                                      \
	TEXT("label", it->candidate.label, "the candidate's label")                                                \
	TEXT("study", it->study, "its study")                                                                      \
	TEXT("state", run_state_names[it->run.state], "queued, running, done, diverged, oom, timeout, ... failed") \
	TEXT("origin", store_origin_names[it->candidate.origin], "search, baseline or user")                       \
	TEXT("reason", it->result.reason, "why it failed")                                                         \
	TEXT("model", it->model_name, "the model's name")                                                          \
	TEXT("hash", it->model_hash, "the model's hash")                                                           \
	TEXT("summary", it->summary, "the layers in one line")

#define CONDITIONS                                                                                      \
	CONDITION("inherited", store_candidate_inherits(&it->candidate), "starts from trained weights") \
	CONDITION("cached", it->run.cached_from != 0, "taken from another study")                       \
	CONDITION("surplus", it->candidate.surplus, "beyond what the study asked for")

#define NUMBER(name, most, value, help) { name, FILTER_NUMBER, help },
#define TEXT(name, value, help)         { name, FILTER_TEXT, help },
#define CONDITION(name, value, help)    { name, FILTER_CONDITION, help },
static const struct filter_name names[] = { NUMBERS TEXTS CONDITIONS };
#undef NUMBER
#undef TEXT
#undef CONDITION

enum { NAMES = sizeof names / sizeof *names };

#define NUMBER(name, most, value, help) most,
#define TEXT(name, value, help)         0,
#define CONDITION(name, value, help)    1,
static const bool most_first[] = { NUMBERS TEXTS CONDITIONS };
#undef NUMBER
#undef TEXT
#undef CONDITION

struct measured { /* asked of the store only if they are used */
	double forward, backward;
};

static void values_of(struct filter_value *out, const struct store_item *it, const struct measured *x)
{
	int i = 0;

#define NUMBER(name, most, value, help) out[i++] = (struct filter_value){ (value), NULL };
#define TEXT(name, value, help)         out[i++] = (struct filter_value){ (double)NAN, (value) };
#define CONDITION(name, value, help)    out[i++] = (struct filter_value){ (value) ? 1 : 0, NULL };
	NUMBERS TEXTS CONDITIONS
#undef NUMBER
#undef TEXT
#undef CONDITION
}

struct select {
	struct filter *where, *sort; /* or NULL */
	bool measured;               /* a profile is needed */
	struct arena *arena;
};

static bool uses_profile(const struct filter *f)
{
	for (int i = 0; f && i < NAMES; i++)
		if ((strcmp(names[i].name, "forward") == 0 || strcmp(names[i].name, "backward") == 0) &&
		    filter_uses(f, i))
			return true;
	return false;
}

int select_read(struct select **out, const char *where, const char *sort, struct arena *a, struct err *e)
{
	struct select *q = ARENA_NEW(a, struct select);

	q->arena = a;
	if (where && filter_read(&q->where, where, FILTER_WHERE, names, NAMES, "--where", a, e) < 0)
		return -1;
	if (sort && filter_read(&q->sort, sort, FILTER_SORT, names, NAMES, "--sort", a, e) < 0)
		return -1;
	q->measured = uses_profile(q->where) || uses_profile(q->sort);
	*out = q;
	return 0;
}

/* Sums over the layers of the model's profile; NAN without one. */
static int measure(struct measured *x, struct store *s, int64_t model, struct arena *a, struct err *e)
{
	struct arena_mark mark = arena_mark(a);
	struct store_profile p;
	int found = store_profile_get(s, model, &p, a, e);

	*x = (struct measured){ (double)NAN, (double)NAN };
	if (found > 0)
		*x = (struct measured){ 0, 0 };
	for (int i = 0; found > 0 && i < p.n_layers; i++) {
		x->forward += p.layer[i].forward_s;
		x->backward += p.layer[i].backward_s;
	}
	arena_rewind(a, mark);
	return found < 0 ? -1 : 0;
}

static int ask(struct filter_value *values, const struct select *q, struct store *s, const struct store_item *it,
	       struct err *e)
{
	struct measured x = { (double)NAN, (double)NAN };

	if (q->measured && measure(&x, s, it->model, q->arena, e) < 0)
		return -1;
	values_of(values, it, &x);
	return 0;
}

int select_holds(const struct select *q, struct store *s, const struct store_item *it, bool *out, struct err *e)
{
	struct filter_value values[NAMES];

	*out = true;
	if (!q->where)
		return 0;
	if (ask(values, q, s, it, e) < 0)
		return -1;
	*out = filter_true(q->where, values);
	return 0;
}

struct keyed {
	struct filter_value key;
	int place, sign; /* 1: least first */
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	bool text = x->key.text || y->key.text;
	bool no_x = text ? !x->key.text : isnan(x->key.number), no_y = text ? !y->key.text : isnan(y->key.number);
	int c;

	if (no_x || no_y)
		return no_x != no_y ? no_x - no_y : x->place - y->place;
	c = text ? strcmp(x->key.text, y->key.text) : (x->key.number > y->key.number) - (x->key.number < y->key.number);
	return c ? x->sign * c : x->place - y->place;
}

static bool largest_first(const struct filter *f)
{
	int only = filter_only(f);

	return filter_result(f) == FILTER_NUMBER && (only < 0 || most_first[only]);
}

static int sort(const struct select *q, struct store *s, struct store_item *items, int n, bool reverse, struct err *e)
{
	struct keyed *keys = mem_new((size_t)(n + 1) * sizeof *keys);
	struct store_item *copy = mem_new((size_t)(n + 1) * sizeof *copy);
	struct filter_value values[NAMES];
	int sign = largest_first(q->sort) != reverse ? -1 : 1, rc = -1;

	for (int i = 0; i < n; i++) {
		TRY(ask(values, q, s, &items[i], e));
		copy[i] = items[i];
		keys[i] = (struct keyed){ filter_value(q->sort, values), i, sign };
	}
	qsort(keys, (size_t)n, sizeof *keys, by_key);
	for (int i = 0; i < n; i++)
		items[i] = copy[keys[i].place];
	rc = 0;
out:
	mem_free(keys);
	mem_free(copy);
	return rc;
}

int select_apply(const struct select *q, struct store *s, struct store_item *items, int *n, bool reverse, struct err *e)
{
	int kept = 0;

	for (int i = 0; i < *n; i++) {
		bool holds;

		if (select_holds(q, s, &items[i], &holds, e) < 0)
			return -1;
		if (holds)
			items[kept++] = items[i];
	}
	*n = kept;
	return q->sort ? sort(q, s, items, kept, reverse, e) : 0;
}

void select_help(struct str *out)
{
	filter_help(out, names, NAMES);
}
