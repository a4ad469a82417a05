/* tests/unit/test_cuda_plans.c - cuDNN's plans for cards that are not here (train/cuda/devices/): every convolution
 * that the shipped spaces and models can ask for has an engine that is deterministic and compiled before, on tensor
 * cores where these may be used, with a bearable workspace. What is not on tensor cores is listed.
 *
 * Nothing here needs a driver or a card, but the plugin (nvcc when it was built) and cuDNN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/draw.h"
#include "space/space.h"
#include "tests/helper_files.h"
#include "tests/helper_skip.h"
#include "train/backend_cuda_load.h"

enum { MOST = 20000, BATCH = 128, RANDOM = 60 };
enum precision { BF16, TF32, FP32, PRECISIONS };

static const char *const precision_names[] = { "bf16", "tf32", "fp32" };
static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

static struct cuda_op *ops; /* [n_ops], each once */
static int n_ops;
static struct arena *arena; /* of what is drawn */

/* ---- the plugin ------------------------------------------------------------------------------------------ */

/* The one that the build made for cards (B/backend_cuda.so; this program is B/tests/unit/x), or NAB_CUDA_PLUGIN. */
static void choose_plugin(void)
{
	char path[2048] = "";
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
	char *end = n > 0 ? strrchr(path, '/') : NULL;

	if (!end || getenv("NAB_CUDA_PLUGIN"))
		return;
	strcpy(end, "/../../backend_cuda.so");
	setenv("NAB_CUDA_PLUGIN", path, 1);
}

static const struct cuda_plugin *p;

/* Why no plans can be made here, NULL if they can. */
static const char *missing(void)
{
	static struct cuda_found found;
	struct err e = { 0 };

	choose_plugin();
	if (access(getenv("NAB_CUDA_PLUGIN"), R_OK) != 0)
		return "the CUDA plugin was not built: make says why";
	p = cuda_load(&e);
	if (!p)
		fail_msg("%s: %s", e.where, e.msg);
	p->find(&found);
	for (int i = 0; i < found.n_parts; i++) {
		if (strstr(found.part[i].text, "emulated"))
			return "NAB_CUDA_PLUGIN is the emulated plugin";
		if (strncmp(found.part[i].name, "cu", 2) == 0 && !found.part[i].ok)
			return found.part[i].text;
	}
	return NULL;
}

#define NEED_PLUGIN()                         \
	do {                                  \
		const char *why_ = missing(); \
                                              \
		if (why_)                     \
			SKIP_BECAUSE(why_);   \
		collect();                    \
	} while (0)

static char *description(const char *name)
{
	struct err e = { 0 };
	char path[200], *text;

	snprintf(path, sizeof path, "train/cuda/devices/%s.json", name);
	if (file_read(&text, NULL, path, 1 << 20, false, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	return text;
}

/* ---- which convolutions there are ------------------------------------------------------------------------- */

static void add(const struct cuda_op *op)
{
	for (int i = 0; i < n_ops; i++) {
		if (!memcmp(&ops[i], op, sizeof *op))
			return;
	}
	assert_true(n_ops < MOST);
	ops[n_ops++] = *op;
}

/* The operation in bf16, the default, and every eighth one in the other precisions, too: elements of its buffers, and
 * how exact its products are. */
static void add_precisions(struct cuda_op op, bool bias)
{
	static int count;
	int n = count++ % 8 == 0 ? PRECISIONS : 1;

	for (int k = 0; k < n; k++) {
		int elem = k == BF16 ? CUDA_BF16 : CUDA_F32;

		op.u.conv.math = k == TF32 ? CUDA_TF32 : CUDA_STRICT;
		for (int i = 0; i < 4; i++)
			op.buf[i] = (struct cuda_ref){ CUDA_SLAB, elem, 0 };
		op.buf[op.kind == CUDA_OP_CONV        ? 1
		       : op.kind == CUDA_OP_CONV_DATA ? 1
						      : 2]
		    .base = op.kind == CUDA_OP_CONV_WEIGHT ? CUDA_GRADS
			    : k == BF16                    ? CUDA_PARAMS16
							   : CUDA_PARAMS;
		if (op.kind == CUDA_OP_CONV && !bias)
			op.buf[2] = (struct cuda_ref){ 0 };
		if (op.kind != CUDA_OP_CONV)
			op.buf[3] = (struct cuda_ref){ 0 };
		add(&op);
	}
}

/* A convolution's operations: forward, with ReLU where one follows; backward to the data unless the input is the
 * network's; backward to the weights. */
static void add_conv(struct cuda_op_conv c, bool bias, bool relu, bool first)
{
	struct cuda_op op = { .node = -1 };

	op.kind = CUDA_OP_CONV;
	op.u.conv = c;
	op.u.conv.act = relu ? CUDA_ACT_RELU : CUDA_ACT_NONE;
	add_precisions(op, bias);
	op.u.conv.act = CUDA_ACT_NONE;
	op.kind = CUDA_OP_CONV_WEIGHT;
	add_precisions(op, false);
	op.kind = CUDA_OP_CONV_DATA;
	if (!first)
		add_precisions(op, false);
}

static struct cuda_dims dims_of(const struct shape *s)
{
	if (s->type == TENSOR_IMAGE)
		return (struct cuda_dims){ BATCH, s->d[1], s->d[2], s->d[0], cuda_pitch(s->d[0]) };
	return (struct cuda_dims){ BATCH, 1, s->d[1], s->d[0], cuda_pitch(s->d[0]) };
}

static bool relu_follows(const struct graph *g, int node)
{
	for (int i = node + 1; i < g->n_nodes; i++) {
		if (g->nodes[i].kind == LAYER_relu && g->nodes[i].in[0].node == node)
			return true;
	}
	return false;
}

static void add_node(const struct graph *g, int i)
{
	const struct node *n = &g->nodes[i];
	const struct conv2d *two = n->cfg;
	const struct conv1d *one = n->cfg;
	bool is_two = n->kind == LAYER_conv2d;
	struct cuda_op_conv c;

	if ((!is_two && n->kind != LAYER_conv1d) || (is_two ? two->groups : one->groups) != 1)
		return;
	c = (struct cuda_op_conv){ .x = dims_of(graph_shape(g, n->in[0])), .y = dims_of(&n->out[0]), .groups = 1 };
	c.kh = is_two ? two->kernel.v[0] : 1;
	c.kw = is_two ? two->kernel.v[1] : one->kernel;
	for (int k = 0; k < 2; k++) {
		c.stride[k] = is_two ? two->stride.v[k] : k ? one->stride : 1;
		c.dilation[k] = is_two ? two->dilation.v[k] : k ? one->dilation : 1;
		c.before[k] = is_two ? two->padding.side[k] : k ? one->padding.side[1] : 0;
		c.after[k] = is_two ? two->padding.side[2 + k] : k ? one->padding.side[3] : 0;
	}
	add_conv(c, is_two ? two->bias : one->bias, relu_follows(g, i), n->in[0].node < 0);
}

static void add_graph(const struct graph *g)
{
	for (int i = 0; i < g->n_nodes; i++)
		add_node(g, i);
}

static void draw(const struct space *s, const struct space_target *t, int n)
{
	for (int i = 0; i < n; i++) {
		struct arena *a = arena_new();
		struct err e = { 0 };
		struct graph *g;
		struct rng rng;

		rng_init(&rng, 509, (uint64_t)i);
		if (space_sample(&g, s, t, &rng, a, NULL, &e) == 0)
			add_graph(g);
		arena_free(a);
	}
}

static void try_space(const char *path)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space_target t;
	struct space *s;

	if (space_load(&s, path, &lib, arena, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	assert_int_equal(space_own_target(s, &t), 0);
	draw(s, &t, space_form(s) == SPACE_CELL ? 10 : 50);
	diag_release(&d);
}

static void try_model(const char *path)
{
	struct diag d = { 0 };
	struct err e = { 0 };
	struct graph *g;

	if (model_load(&g, path, &lib, arena, &d, &e) < 0)
		fail_msg("%s: %s", e.where, e.msg);
	add_graph(g);
	diag_release(&d);
}

static void collect(void)
{
	if (n_ops)
		return;
	arena = arena_new();
	ops = mem_new(MOST * sizeof *ops);
	assert_true(each_json("configs/spaces", try_space) > 0);
	assert_true(each_json("configs/models", try_model) > 0);
}

/* ---- plans ------------------------------------------------------------------------------------------------ */

struct tally {
	int plans, tensor_cores, apart, refused;
	int64_t most_bytes;
};

static enum precision precision_of(const struct cuda_op *op)
{
	return op->buf[0].elem == CUDA_BF16 ? BF16 : op->u.conv.math == CUDA_TF32 ? TF32 : FP32;
}

static void print_op(const char *what, const struct cuda_op *op, const char *why)
{
	static const char *const names[] = { "forward", "data", "weight" };
	const struct cuda_op_conv *c = &op->u.conv;

	print_message(
	    "# %s: %s %s %dx%dx%d to %dx%dx%d, %dx%d, stride %dx%d, dilation %dx%d, pad %d,%d,%d,%d, bias %d, relu %d: "
	    "%s\n",
	    what, precision_names[precision_of(op)], names[op->kind - CUDA_OP_CONV], c->x.c, c->x.h, c->x.w, c->y.c,
	    c->y.h, c->y.w, c->kh, c->kw, c->stride[0], c->stride[1], c->dilation[0], c->dilation[1], c->before[0],
	    c->before[1], c->after[0], c->after[1], op->buf[2].base != 0 && op->kind == CUDA_OP_CONV, c->act, why);
}

static void plan_one(const char *device, const struct cuda_op *from, struct tally *t)
{
	struct cuda_op op = *from;
	int64_t scratch = -1, reserve = -1;
	struct cuda_error e = { 0 };
	char *words;

	t->plans++;
	if (p->plan(NULL, device, &op, 1, 0, &scratch, &reserve, &e) < 0) {
		t->refused++;
		print_op("no plan", &op, e.text);
		return;
	}
	words = p->describe(NULL, &op, 1);
	assert_non_null(words);
	words[strcspn(words, "\n")] = 0;
	if (!strstr(words, "no tensor cores"))
		t->tensor_cores++;
	else if (precision_of(&op) != FP32)
		print_op("no tensor cores", &op, words);
	t->apart += strstr(words, "bias apart") != NULL;
	t->most_bytes = scratch > t->most_bytes ? scratch : t->most_bytes;
	assert_true(scratch >= 0 && scratch <= (int64_t)1 << 30);
	assert_int_equal(reserve, 0);
	assert_true(op.u.conv.engine > 0);
	free(words);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Plans every `step`-th operation of `from` .. n_ops. */
static void plan_all(struct tally t[PRECISIONS], const char *name, int from, int step)
{
	char *device = description(name);
	double start = seconds();
	int n = 0;

	memset(t, 0, sizeof *t * PRECISIONS);
	for (int i = from; i < n_ops; i += step, n++)
		plan_one(device, &ops[i], &t[precision_of(&ops[i])]);
	for (int i = 0; i < PRECISIONS; i++)
		print_message("# %s, %s: %d plans, %d on tensor cores, %d with bias or ReLU apart, %d refused, at most "
			      "%.1f MiB of "
			      "workspace\n",
			      name, precision_names[i], t[i].plans, t[i].tensor_cores, t[i].apart, t[i].refused,
			      (double)t[i].most_bytes / 1048576);
	print_message("# %s: %d plans in %.1f s\n", name, n, seconds() - start);
	for (int i = 0; i < PRECISIONS; i++)
		assert_int_equal(t[i].refused, 0);
	assert_int_equal(t[FP32].tensor_cores, 0); /* they would round to TF32 */
	mem_free(device);
}

static void expect_tensor_cores(const struct tally t[PRECISIONS])
{
	assert_true(t[BF16].tensor_cores >= t[BF16].plans * 95 / 100);
	assert_true(t[TF32].tensor_cores >= t[TF32].plans * 95 / 100);
}

static void spaces_on_an_h200(void **state)
{
	struct tally t[PRECISIONS];

	(void)state;
	NEED_PLUGIN();
	assert_true(n_ops >= 500);
	plan_all(t, "h200", 0, 1);
	expect_tensor_cores(t);
}

static void spaces_on_an_a100(void **state)
{
	struct tally t[PRECISIONS];

	(void)state;
	NEED_PLUGIN();
	plan_all(t, "a100", 0, 9);
	expect_tensor_cores(t);
}

/* What no shipped space asks for: odd sizes, paddings that differ, dilation, strides beyond the window, large kernels.
 */
static void add_random(struct rng *r)
{
	struct cuda_op_conv c = { .groups = 1 };
	int in[2], out[2];

	for (int k = 0; k < 2; k++) {
		int *kernel = k ? &c.kw : &c.kh, span;

		*kernel = 1 + (int)rng_below(r, 7);
		c.stride[k] = 1 + (int)rng_below(r, 3);
		c.dilation[k] = 1 + (int)rng_below(r, 2);
		c.before[k] = (int)rng_below(r, (uint32_t)*kernel);
		c.after[k] = (int)rng_below(r, (uint32_t)*kernel);
		span = (*kernel - 1) * c.dilation[k] + 1;
		in[k] = span + (int)rng_below(r, 30);
		out[k] = (in[k] + c.before[k] + c.after[k] - span) / c.stride[k] + 1;
	}
	c.x = (struct cuda_dims){ 1 + (int)rng_below(r, 300), in[0], in[1], 1 + (int)rng_below(r, 200), 0 };
	c.y = (struct cuda_dims){ c.x.n, out[0], out[1], 1 + (int)rng_below(r, 200), 0 };
	c.x.pitch = cuda_pitch(c.x.c);
	c.y.pitch = cuda_pitch(c.y.c);
	add_conv(c, rng_below(r, 2), rng_below(r, 2), false);
}

static void random_shapes(void **state)
{
	struct tally t[PRECISIONS];
	struct rng r;
	int from;

	(void)state;
	NEED_PLUGIN();
	from = n_ops;
	rng_init(&r, 77, 0);
	for (int i = 0; i < RANDOM; i++)
		add_random(&r);
	plan_all(t, "h200", from, 1);
	plan_all(t, "a100", from, 1);
}

/* ---- choices that are kept --------------------------------------------------------------------------------- */

/* In a process of its own, which knows nothing but the file: plans some operations and writes what was chosen. */
static void choose_in_child(const char *folder, const char *out)
{
	char *device = description("h200");
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct cuda_error e = { 0 };
		int64_t scratch[40], reserve[40];
		char *words;
		FILE *f;

		setenv("NAB_CACHE", folder, 1);
		if (p->plan(NULL, device, ops, 40, 0, scratch, reserve, &e) < 0)
			_exit(1);
		words = p->describe(NULL, ops, 40);
		f = fopen(out, "w");
		if (!words || !f || fputs(words, f) < 0 || fclose(f))
			_exit(2);
		_exit(0);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	assert_int_equal(status, 0);
	mem_free(device);
}

static char *text_of(const char *path)
{
	char *text;

	assert_int_equal(file_read(&text, NULL, path, 1 << 24, false, NULL), 0);
	return text;
}

static int choices_in(const char *path)
{
	struct json *j;
	int n;

	assert_int_equal(json_load(&j, path, NULL), 0);
	n = json_count(j);
	json_free(j);
	return n;
}

/* The second run takes the choices of the first; a file that is cut off, or nonsense, is as good as none. */
static void choices_are_kept(void **state)
{
	static const char *const broken[] = { "", "{ \"nab\": \"cuda plans 1\",\n\"a\": ", "\x7f\x45 nonsense", NULL };
	const char *dir = temp_dir();
	char folder[300], kept[340], one[340], two[340], *first, *again;

	(void)state;
	NEED_PLUGIN();
	snprintf(folder, sizeof folder, "%s/a/b", dir);
	snprintf(kept, sizeof kept, "%s/cuda-plans.json", folder);
	snprintf(one, sizeof one, "%s/one", dir);
	snprintf(two, sizeof two, "%s/two", dir);
	choose_in_child(folder, one);
	first = text_of(one);
	assert_int_equal(choices_in(kept), 41); /* and the line that says what it is */
	for (int i = 0; i < 4; i++) {
		if (i)
			assert_int_equal(file_write(kept, broken[i - 1], strlen(broken[i - 1]), NULL), 0);
		choose_in_child(folder, two);
		again = text_of(two);
		assert_string_equal(first, again);
		assert_int_equal(choices_in(kept), 41);
		mem_free(again);
	}
	mem_free(first);
}

/* Dense layers: the descriptions are sound for cuBLASLt; it names no algorithm without a card. */
static void dense_layers(void **state)
{
	static const int sizes[][3] = { { 128, 3136, 256 },
					{ 1, 8, 10 },
					{ 512, 64, 1000 } }; /* examples, features, units */

	(void)state;
	NEED_PLUGIN();
	for (int i = 0; i < 3 * PRECISIONS * 3 * 2; i++) {
		const int *size = sizes[i % 3];
		int elem = i / 3 % PRECISIONS == BF16 ? CUDA_BF16 : CUDA_F32, kind = CUDA_OP_DENSE + i / 9 % 3,
		    relu = i / 27;
		struct cuda_op op = { .kind = kind, .node = -1 };
		int64_t scratch = -1, reserve = -1;
		struct cuda_error e = { 0 };
		char *device = description("h200"), *words;

		op.u.dense.x = (struct cuda_dims){ size[0], 1, 1, size[1], cuda_pitch(size[1]) };
		op.u.dense.y = (struct cuda_dims){ size[0], 1, 1, size[2], cuda_pitch(size[2]) };
		op.u.dense.math = i / 3 % PRECISIONS == TF32 ? CUDA_TF32 : CUDA_STRICT;
		op.u.dense.act = relu ? CUDA_ACT_RELU : CUDA_ACT_NONE;
		for (int k = 0; k < (kind == CUDA_OP_DENSE ? 4 : 3); k++)
			op.buf[k] = (struct cuda_ref){ CUDA_SLAB, elem, 0 };
		if (p->plan(NULL, device, &op, 1, 0, &scratch, &reserve, &e) < 0)
			fail_msg("%s", e.text);
		words = p->describe(NULL, &op, 1);
		assert_non_null(strstr(words, "cuBLASLt"));
		assert_null(strstr(words, "apart"));
		assert_true(op.u.dense.engine > 0 && scratch >= 0 && scratch <= 4 << 20 && reserve == 0);
		free(words);
		mem_free(device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices_are_kept),  cmocka_unit_test(spaces_on_an_h200),
		cmocka_unit_test(spaces_on_an_a100), cmocka_unit_test(random_shapes),
		cmocka_unit_test(dense_layers),
	};

	setenv("NAB_CACHE", "", 1); /* no choice of an earlier run */
	return cmocka_run_group_tests_name("cuda_plans", tests, NULL, temp_teardown);
}
