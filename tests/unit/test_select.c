/* tests/unit/test_select.c - runs of a store chosen and ordered by expressions, against plain loops over the same
 * items. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/select.h"
#include "store/store.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"
#include "tests/helper_store.h"

struct place {
	const char *path;
	struct arena *a;
	struct store *s;
	struct store_item *items;
	int n;
};

static int setup(void **state)
{
	static const struct made_store made = { .study = "fashion",
						.candidates = 40,
						.baselines = 2,
						.seeds = 2,
						.epochs = 3,
						.examples = 500,
						.inherited = true,
						.unfinished = true,
						.seed = 5 };
	struct place *p = mem_new(sizeof *p);

	p->a = arena_new();
	p->path = arena_printf(p->a, "%s/a.db", temp_dir());
	made_store_add(p->path, &made);
	OK(store_open(&p->s, p->path, STORE_READ, &bad));
	OK(store_list(p->s, &(struct store_query){ 0 }, &p->items, &p->n, p->a, &bad));
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	store_close(p->s);
	arena_free(p->a);
	mem_free(p);
	return temp_teardown(state);
}

static struct store_item *chosen(struct place *p, const char *where, const char *sort, bool reverse, int *n)
{
	struct store_item *copy = ARENA_ARRAY(p->a, struct store_item, p->n);
	struct select *q;

	memcpy(copy, p->items, (size_t)p->n * sizeof *copy);
	*n = p->n;
	OK(select_read(&q, where, sort, p->a, &bad));
	OK(select_apply(q, p->s, copy, n, reverse, &bad));
	return copy;
}

#define CHOOSES(where, condition)                                            \
	do {                                                                 \
		int n, k = 0;                                                \
		struct store_item *got = chosen(p, where, NULL, false, &n);  \
		for (int i = 0; i < p->n; i++) {                             \
			const struct store_item *it = &p->items[i];          \
			if (!(condition))                                    \
				continue;                                    \
			assert_true(k < n && got[k].run.id == it->run.id);   \
			k++;                                                 \
		}                                                            \
		assert_int_equal(k, n);                                      \
		assert_in_range(n, 1, p->n - 1); /* or nothing was tested */ \
	} while (0)

static void conditions_choose(void **state)
{
	struct place *p = *state;

	CHOOSES("acc > 0.8 and params < 50k", it->result.val_accuracy > 0.8 && it->params < 50000);
	CHOOSES("not acc > 0.8", !(it->result.val_accuracy > 0.8));
	CHOOSES("acc <= 0.8", it->result.val_accuracy <= 0.8);
	CHOOSES("state = 'done'", it->run.state == STATE_DONE);
	CHOOSES("state ~ '^(oom|diverged)$' or origin = 'baseline'", it->run.state == STATE_OOM ||
									 it->run.state == STATE_DIVERGED ||
									 it->candidate.origin == ORIGIN_BASELINE);
	CHOOSES("known(reason)", it->result.reason != NULL);
	CHOOSES("label ~ '-1[0-9]$' and replicate = 1", it->run.replicate == 1 &&
							    strlen(it->candidate.label) == strlen("fashion-10") &&
							    strncmp(it->candidate.label, "fashion-1", 9) == 0);
	CHOOSES("inherited", store_candidate_inherits(&it->candidate));
	CHOOSES("known(epochs) and epochs < 1", run_state_final(it->run.state) && it->result.epochs < 1);
	CHOOSES("test_acc > 0 or number >= 30", it->test_accuracy > 0 || it->candidate.number >= 30);
}

static double merit(const struct store_item *it)
{
	return it->result.val_accuracy / log10((double)it->params);
}

static void keys_order(void **state)
{
	struct place *p = *state;
	struct store_item *got;
	int n;

	got = chosen(p, NULL, "acc / log10(params)", false, &n);
	assert_int_equal(n, p->n);
	for (int i = 1; i < n; i++)
		assert_true(isnan(merit(&got[i])) || merit(&got[i - 1]) >= merit(&got[i]));
	assert_true(isnan(merit(&got[n - 1])));
	got = chosen(p, NULL, "acc / log10(params)", true, &n);
	for (int i = 1; i < n; i++)
		assert_true(isnan(merit(&got[i])) || merit(&got[i - 1]) <= merit(&got[i]));
	assert_true(isnan(merit(&got[n - 1]))); /* unknown ones stay last */
	got = chosen(p, NULL, "params", false, &n);
	for (int i = 1; i < n; i++) { /* costs: least first; equal ones as they were */
		assert_true(got[i - 1].params <= got[i].params);
		if (got[i - 1].params == got[i].params)
			assert_true(got[i - 1].run.id < got[i].run.id);
	}
	got = chosen(p, "known(acc)", "label", false, &n);
	for (int i = 1; i < n; i++)
		assert_true(strcmp(got[i - 1].candidate.label, got[i].candidate.label) <= 0);
	got = chosen(p, NULL, "label", true, &n);
	for (int i = 1; i < n; i++)
		assert_true(strcmp(got[i - 1].candidate.label, got[i].candidate.label) >= 0);
}

/* Times of the passes: sums over the layers of the model's profile, if it has one. */
static double forward_of(struct place *p, const struct store_item *it)
{
	struct store_profile v;
	double sum = 0;
	int found;

	OK(found = store_profile_get(p->s, it->model, &v, p->a, &bad));
	for (int i = 0; found && i < v.n_layers; i++)
		sum += v.layer[i].forward_s;
	return found ? sum : (double)NAN;
}

static void profiles_are_asked(void **state)
{
	struct place *p = *state;
	struct store_item *sorted;
	int count;

	CHOOSES("known(forward) and known(backward)", !isnan(forward_of(p, it)));
	sorted = chosen(p, NULL, "forward", false, &count); /* a cost: least first, unknown ones last */
	for (int i = 1; i < count; i++) {
		double x = forward_of(p, &sorted[i - 1]), y = forward_of(p, &sorted[i]);

		assert_true(isnan(y) || x <= y);
	}
}

static void mistakes_name_the_flag(void **state)
{
	struct place *p = *state;
	struct err e = { 0 };
	struct select *q;

	assert_int_equal(select_read(&q, "prams > 1", NULL, p->a, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_string_equal(e.where, "--where, character 1");
	err_clear(&e);
	assert_int_equal(select_read(&q, NULL, "acc +", p->a, &e), -1);
	assert_string_equal(e.where, "--sort, character 6");
	err_clear(&e);
	assert_int_equal(select_read(&q, "colour = 1", NULL, p->a, &e), -1);
	assert_non_null(strstr(e.msg, "surplus")); /* the whole list of names */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_choose),
		cmocka_unit_test(keys_order),
		cmocka_unit_test(profiles_are_asked),
		cmocka_unit_test(mistakes_name_the_flag),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
