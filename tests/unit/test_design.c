/* Well-known networks: published parameter counts, and every one valid for the inputs that it accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/design.h"

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

static const struct design *find(const struct design *d, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(d[i].name, name) == 0)
			return &d[i];
	fail_msg("no design %s", name);
	return NULL;
}

/* The graph, or NULL when the design refuses; anything else fails the test. */
static struct graph *build(const struct design *d, const struct design_use *use, struct arena *a)
{
	struct str text = { 0 };
	struct diag diag = { 0 };
	struct json *doc = NULL;
	struct graph *g = NULL;
	struct err e = { 0 };

	if (design_write(&text, d, use, &e) < 0) {
		assert_int_equal(e.code, ERR_INVALID);
		assert_null(strstr(e.msg, "line "));
	} else {
		if (json_parse(&doc, str_get(&text), text.len, d->name, &e) < 0)
			fail_msg("%s: %s", e.where, e.msg);
		if (model_read(&g, doc, NULL, &lib, a, &(struct json_in){ doc, &diag, NULL }) < 0)
			fail_msg("%s %s: %s", d->name, diag.items[0].where, diag.items[0].msg);
		assert_int_equal(diag.n, 0);
	}
	diag_release(&diag);
	json_free(doc);
	str_release(&text);
	return g;
}

static int64_t params(const struct design *d, const char *input, int classes, double width, int depth)
{
	struct arena *a = arena_new();
	struct design_use use = { NULL, TASK_CLASSIFY, classes, depth, width };
	struct shape in;
	struct graph *g;
	struct cost c;

	assert_int_equal(design_shape(&in, input, NULL), 0);
	use.input = &in;
	g = build(d, &use, a);
	assert_non_null(g);
	assert_int_equal(graph_cost(g, &c, NULL), 0);
	arena_free(a);
	return c.params;
}

/* torchvision's counts where no remark says otherwise. */
static void published_counts(void **state)
{
	static const struct {
		const char *name, *input;
		int classes, depth;
		double width;
		int64_t params;
	} rows[] = {
		{ "lenet5", "1,28,28", 10, 0, 1, 61706 }, /* by hand: 156 + 2416 + 48120 + 10164 + 850 */
		{ "lenet5", "1,32,32", 10, 0, 1, 61706 }, /* the original's input */
		{ "resnet20", "3,32,32", 10, 0, 1, 269722 + 512 + 64 + 2048 + 128 }, /* + two projections */
		{ "resnet8", "3,32,32", 10, 20, 1, 272474 },
		{ "resnet18", "3,224,224", 1000, 0, 1, 11689512 },
		{ "resnet34", "3,224,224", 1000, 0, 1, 21797672 },
		{ "resnet50", "3,224,224", 1000, 0, 1, 25557032 },
		{ "resnet18", "3,32,32", 10, 0, 1, 11173962 },    /* the common variant for CIFAR-10 */
		{ "vgg11", "3,32,32", 10, 0, 1, 9231114 - 2752 }, /* the same, less biases before batch norms */
		{ "vgg11", "3,224,224", 1000, 0, 1, 132863336 },
		{ "vgg16", "3,224,224", 1000, 0, 1, 138357544 },
		{ "vgg19", "3,224,224", 1000, 0, 1, 143667240 },
		{ "mobilenetv2", "3,224,224", 1000, 0, 1, 3504872 },
		{ "mobilenetv2", "3,224,224", 1000, 0, 0.5, 1968680 },
		{ "mobilenetv2", "3,32,32", 10, 0, 1, 3504872 - 990 * 1281 },
		{ "mlp", "16", 3, 1, 1, 16 * 256 + 256 + 256 * 3 + 3 },
		{ "lstm", "12,29", 9, 0, 1, 2 * 4 * 32 * (12 + 32 + 2) + 64 * 9 + 9 },
		{ "gru", "12,29", 9, 0, 1, 2 * 3 * 32 * (12 + 32 + 2) + 64 * 9 + 9 },
	};
	struct arena *a = arena_new();
	struct design *d;
	struct err e = { 0 };
	int n;

	(void)state;
	assert_int_equal(design_list(&d, &n, "configs/designs", a, &e), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t got =
		    params(find(d, n, rows[i].name), rows[i].input, rows[i].classes, rows[i].width, rows[i].depth);

		if (got != rows[i].params)
			fail_msg("%s on %s: %lld parameters, expected %lld", rows[i].name, rows[i].input,
				 (long long)got, (long long)rows[i].params);
	}
	arena_free(a);
}

/* Every design either says why not or gives a valid model whose input and classes are those asked for. */
static void every_input(void **state)
{
	static const char *const inputs[] = { "1,28,28",  "3,32,32",   "1,8,8", "3,12,40", "4,64,64",
					      "3,130,96", "3,224,224", "5,5,5", "1,1,1",   "3,100",
					      "1,1",      "7",         "1" };
	struct arena *a = arena_new();
	struct design *d;
	int n, made = 0;

	(void)state;
	assert_int_equal(design_list(&d, &n, "configs/designs", a, NULL), 0);
	for (int i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) {
			struct arena *trial = arena_new();
			struct design_use use = { NULL, k % 2 ? TASK_CLASSIFY : TASK_REGRESS, (int)k + 2, 0,
						  k % 3 ? 0.3 : 1.7 };
			struct shape in;
			struct graph *g;

			assert_int_equal(design_shape(&in, inputs[k], NULL), 0);
			use.input = &in;
			g = build(&d[i], &use, trial);
			if (g) {
				assert_true(shape_equal(&g->inputs[0].shape, &in));
				assert_int_equal(g->outputs[0].classes, (int)k + 2);
				assert_int_equal(g->outputs[0].task, use.task);
				assert_non_null(g->name);
				made++;
			}
			arena_free(trial);
		}
	}
	assert_true(made > 5 * n);
	arena_free(a);
}

static void depths(void **state)
{
	struct arena *a = arena_new();
	struct shape in;
	struct design *d;
	int n;

	(void)state;
	assert_int_equal(design_list(&d, &n, "configs/designs", a, NULL), 0);
	for (int i = 0; i < n; i++) {
		for (int depth = 1; depth <= 20; depth++) {
			struct arena *trial = arena_new();
			struct design_use use = { NULL, TASK_CLASSIFY, 4, depth, 0.2 };
			struct graph *g = build(&d[i], &use, trial);

			assert_true(!g || (d[i].depth_max >= depth && d[i].depth_min <= depth));
			arena_free(trial);
		}
	}
	assert_int_equal(design_shape(&in, "3x4x5", NULL), 0);
	assert_int_equal(in.d[2], 5);
	assert_int_equal(design_shape(&in, "0,3", NULL), -1);
	assert_int_equal(design_shape(&in, "3,4,5,6", NULL), -1);
	assert_int_equal(design_shape(&in, "3,", NULL), -1);
	assert_int_equal(design_shape(&in, "", NULL), -1);
	arena_free(a);
}

/* A model of an open sequence says so; a design that cannot read one refuses. */
static void open_sequences(void **state)
{
	struct arena *a = arena_new();
	const struct shape in = shape_sequence(6, 50, true);
	struct design_use use = { &in, TASK_CLASSIFY, 4, 0, 1 };
	struct design *d;
	struct graph *g;
	int n;

	(void)state;
	assert_int_equal(design_list(&d, &n, "configs/designs", a, NULL), 0);
	g = build(find(d, n, "gru"), &use, a);
	assert_non_null(g);
	assert_true(g->inputs[0].shape.open);
	assert_null(build(find(d, n, "mlp"), &use, a));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_counts),
		cmocka_unit_test(every_input),
		cmocka_unit_test(depths),
		cmocka_unit_test(open_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
