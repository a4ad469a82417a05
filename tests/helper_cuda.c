/* tests/helper_cuda.c - see helper_cuda.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/helper_cuda.h"
#include "train/backend_cuda_build.h"
#include "train/backend_cuda_load.h"

enum { GUARD = 1024, GUARD_BYTE = 0xb6 };

static struct cuda_card *card;
static struct cuda_lane *lane;

/* ---- the plugin ------------------------------------------------------------------------------------------ */

/* The tests lie in B/tests/unit/, the emulated plugin in B/tests/cuda/. */
void cuda_test_choose(void)
{
	char path[2048] = "";
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
	char *end = n > 0 ? strrchr(path, '/') : NULL;

	if (!end || getenv("NAB_CUDA_PLUGIN"))
		return;
	strcpy(end, "/../cuda/emulated_cuda.so");
	setenv("NAB_CUDA_PLUGIN", path, 1);
}

static void skip_because(const char *test, const char *why)
{
	print_message("# skipped %s: %s\n", test, why); /* as helper_skip.h, for the test that asked */
	skip();
}

const struct cuda_plugin *cuda_test_plugin_for(const char *test)
{
	static struct cuda_found found;
	struct cuda_error bad;
	struct err e = { 0 };
	const struct cuda_plugin *p;

	cuda_test_choose();
	if (access(getenv("NAB_CUDA_PLUGIN"), R_OK) != 0)
		skip_because(test, "no emulated CUDA plugin was built: it needs a C++ compiler");
	p = cuda_load(&e);
	if (!p)
		fail_msg("%s: %s", e.where, e.msg);
	if (cuda_find(&found, &e) < 0)
		skip_because(test, e.msg);
	if (!card && p->card_open(&card, 0, &bad) < 0)
		fail_msg("%s", bad.text);
	if (!lane && p->lane_open(&lane, card, &bad) < 0)
		fail_msg("%s", bad.text);
	return p;
}

bool cuda_test_emulated(void)
{
	return strstr(getenv("NAB_CUDA_PLUGIN"), "emulated") != NULL;
}

/* ---- programs -------------------------------------------------------------------------------------------- */

void cuda_test_lower(struct cuda_program *p, const struct graph *g, const struct recipe *r, int batch, bool training,
		     struct arena *a)
{
	struct cuda_params params;
	struct plan plan;
	struct cuda_build b = { .g = g,
				.recipe = r,
				.plan = &plan,
				.p = p,
				.a = a,
				.params = &params,
				.batch = batch,
				.training = training,
				.update = training };
	int64_t *scratch;
	struct err e = { 0 };

	cuda_params_init(&params, g, a);
	plan_init(&plan, g, training, cuda_fuses, a);
	cuda_program_begin(p);
	assert_int_equal(cuda_build_program(&b, &e), 0);
	cuda_build_release(&b);
	scratch = ARENA_ARRAY(a, int64_t, p->n_ops + 1);
	for (int i = 0; i < p->n_ops; i++)
		scratch[i] = i % 3 ? 0 : 1000 * (i % 7);
	cuda_program_scratch(p, scratch, scratch);
	assert_int_equal(cuda_program_place(p, &e), 0);
}

/* ---- elements -------------------------------------------------------------------------------------------- */

static size_t elem_size(int elem)
{
	return elem == OP_BYTE ? 1 : elem == CUDA_BF16 ? 2 : 4;
}

static uint16_t bf16_of(double v)
{
	float f = (float)v;
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return isnan(f) ? 0x7fff : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static double of_bf16(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;

	memcpy(&f, &u, sizeof f);
	return (double)f;
}

double op_rounded(int elem, double v)
{
	return elem == CUDA_BF16 ? of_bf16(bf16_of(v)) : elem == CUDA_F32 ? (double)(float)v : v;
}

static void encode(void *out, int elem, const double *v, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (elem == CUDA_F32)
			((float *)out)[i] = (float)v[i];
		else if (elem == CUDA_BF16)
			((uint16_t *)out)[i] = bf16_of(v[i]);
		else if (elem == CUDA_I32)
			((int32_t *)out)[i] = (int32_t)v[i];
		else
			((uint8_t *)out)[i] = (uint8_t)v[i];
}

static void decode(double *v, int elem, const void *in, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		v[i] = elem == CUDA_F32    ? (double)((const float *)in)[i]
		       : elem == CUDA_BF16 ? of_bf16(((const uint16_t *)in)[i])
		       : elem == CUDA_I32  ? ((const int32_t *)in)[i]
					   : ((const uint8_t *)in)[i];
}

/* ---- buffers --------------------------------------------------------------------------------------------- */

void op_begin(struct op_run *r, enum cuda_op_kind kind, struct rng *rng)
{
	memset(r, 0, sizeof *r);
	r->rng = rng;
	r->arena = arena_new();
	r->op.kind = (int32_t)kind;
	r->op.node = -1;
}

void op_end(struct op_run *r)
{
	arena_free(r->arena);
}

struct cuda_dims op_dims(int n, int h, int w, int c)
{
	return (struct cuda_dims){ n, h, w, c, cuda_pitch(c) };
}

int64_t op_count(const struct cuda_dims *d)
{
	return (int64_t)d->n * d->h * d->w * d->pitch;
}

struct cuda_dims op_dims_of(const struct shape *s, int n)
{
	switch (s->type) {
	case TENSOR_IMAGE:
		return op_dims(n, s->d[1], s->d[2], s->d[0]);
	case TENSOR_SEQUENCE:
		return op_dims(n, 1, s->d[1], s->d[0]);
	case TENSOR_TOKENS:
		return (struct cuda_dims){ n, 1, s->d[0], 1, 1 };
	case TENSOR_VECTOR:
	case TENSOR_TYPE_COUNT:
		break;
	}
	return op_dims(n, 1, 1, s->d[0]);
}

double *op_rows(struct op_run *r, const struct cuda_dims *d, const double *t)
{
	double *out = ARENA_ARRAY(r->arena, double, op_count(d));
	int64_t places = (int64_t)d->h * d->w;

	for (int64_t i = 0; i < op_count(d); i++) {
		int64_t c = i % d->pitch, place = i / d->pitch % places, n = i / d->pitch / places;

		if (c < d->c)
			out[i] = t[(n * d->c + c) * places + place];
	}
	return out;
}

static struct op_buffer *buffer(struct op_run *r, int slot, int elem, int64_t n)
{
	struct op_buffer *b = &r->buf[slot];

	*b = (struct op_buffer){
		.base = CUDA_SLAB, .elem = elem, .n = n, .value = ARENA_ARRAY(r->arena, double, n + 1)
	};
	return b;
}

void op_round(struct op_run *r, int slot)
{
	struct op_buffer *b = &r->buf[slot];

	for (int64_t i = 0; i < b->n; i++)
		if (b->dims.n && i % b->dims.pitch >= b->dims.c)
			b->value[i] = 0;
		else
			b->value[i] = op_rounded(b->elem, b->value[i]);
}

double *op_values(struct op_run *r, int slot, int elem, int64_t n, const double *from)
{
	struct op_buffer *b = buffer(r, slot, elem, n);

	b->in = true;
	for (int64_t i = 0; i < n; i++)
		b->value[i] = from ? from[i] : rng_normal(r->rng);
	op_round(r, slot);
	return b->value;
}

double *op_tensor(struct op_run *r, int slot, int elem, struct cuda_dims d)
{
	op_values(r, slot, elem, op_count(&d), NULL);
	r->buf[slot].dims = d;
	op_round(r, slot);
	return r->buf[slot].value;
}

double *op_give(struct op_run *r, int slot, int elem, struct cuda_dims d, double *t)
{
	for (int64_t i = 0; i < (int64_t)d.n * d.h * d.w * d.c; i++)
		t[i] = op_rounded(elem, t[i]);
	op_values(r, slot, elem, op_count(&d), op_rows(r, &d, t));
	r->buf[slot].dims = d;
	return r->buf[slot].value;
}

void op_flat(struct op_run *r, int slot, int elem, int64_t n)
{
	buffer(r, slot, elem, n)->out = true;
}

void op_result(struct op_run *r, int slot, int elem, struct cuda_dims d)
{
	struct op_buffer *b = buffer(r, slot, elem, op_count(&d));

	b->out = true;
	b->dims = d;
}

void op_changes(struct op_run *r, int slot)
{
	r->buf[slot].out = true;
}

void op_same(struct op_run *r, int slot, int other)
{
	r->buf[slot] = (struct op_buffer){ .base = -1, .elem = r->buf[other].elem, .n = other };
}

void op_base(struct op_run *r, int slot, int base)
{
	r->buf[slot].base = base;
}

void op_bytes(struct op_run *r, int base, const void *bytes, int64_t n, bool out)
{
	r->memory[base].bytes = arena_alloc(r->arena, (size_t)n + 1);
	r->memory[base].n = n;
	r->memory[base].out = out;
	memcpy(r->memory[base].bytes, bytes, (size_t)n);
}

const void *op_bytes_got(const struct op_run *r, int base)
{
	return r->memory[base].bytes;
}

double *op_got(const struct op_run *r, int slot)
{
	const struct op_buffer *b = &r->buf[slot];

	return b->base < 0 ? r->buf[b->n].value : b->value;
}

/* ---- a failure ------------------------------------------------------------------------------------------- */

static const char *const kinds[CUDA_OP_COUNT] = {
#define OP(name, member) #name,
#include "train/cuda/ops.def"
#undef OP
};

/* "POOL 0: bf16 2x7x7x12 1: bf16 2x3x3x12" */
const char *op_words(const struct op_run *r)
{
	static const char *const elems[] = { "fp32", "bf16", "int32", "byte" };
	static struct str out;
	char *engine = cuda_test_plugin()->describe(card, &r->op, 1);

	str_clear(&out);
	str_add(&out, kinds[r->op.kind]);
	for (int i = 0; i < CUDA_REFS; i++) {
		const struct op_buffer *b = &r->buf[i];
		const struct cuda_dims *d = &b->dims;

		if (b->base <= CUDA_NONE)
			continue;
		str_addf(&out, " %d: %s ", i, elems[b->elem]);
		if (d->n)
			str_addf(&out, "%dx%dx%dx%d", d->n, d->h, d->w, d->c);
		else
			str_addf(&out, "%lld", (long long)b->n);
	}
	if (engine && *engine)
		str_addf(&out, " (%.*s)", (int)strcspn(engine, "\n"), engine);
	free(engine);
	return str_get(&out);
}

/* ---- a run ----------------------------------------------------------------------------------------------- */

struct image { /* of one base: as it is before, which bytes the operation may write, and as it is after */
	unsigned char *before, *may, *after;
	int64_t n;
	uint64_t address;
};

static int64_t aligned(int64_t n)
{
	return (n + CUDA_ALIGN - 1) / CUDA_ALIGN * CUDA_ALIGN;
}

/* Room of `bytes` between guards; returns its offset. */
static int64_t room(struct image *m, int64_t bytes)
{
	int64_t at = m->n + GUARD;

	m->n = aligned(at + bytes + GUARD);
	return at;
}

static void place_before(struct op_run *r)
{
	for (int i = 0; r->has_before && i < CUDA_REFS; i++)
		if (r->before_slot[i])
			r->before.buf[i] = r->op.buf[r->before_slot[i] - 1];
	r->before.scratch = r->op.scratch;
}

static void place(struct op_run *r, struct image *m, int64_t scratch)
{
	for (int i = 1; i < CUDA_BASES; i++)
		if (r->memory[i].bytes)
			m[i].n = aligned(r->memory[i].n + GUARD);
	for (int i = 0; i < CUDA_REFS; i++) {
		struct op_buffer *b = &r->buf[i];

		if (b->base > CUDA_NONE) {
			b->offset = room(&m[b->base], b->n * (int64_t)elem_size(b->elem));
			r->op.buf[i] = (struct cuda_ref){ b->base, b->elem == OP_BYTE ? 0 : b->elem, b->offset };
		}
	}
	for (int i = 0; i < CUDA_REFS; i++)
		if (r->buf[i].base < 0)
			r->op.buf[i] = r->op.buf[r->buf[i].n];
	if (scratch > 0)
		r->op.scratch = (struct cuda_ref){ CUDA_SLAB, 0, room(&m[CUDA_SLAB], scratch) };
	place_before(r);
}

static void paint(struct op_run *r, struct image *m, int64_t scratch)
{
	for (int i = 1; i < CUDA_BASES; i++) {
		m[i].before = arena_alloc(r->arena, (size_t)m[i].n + 1);
		m[i].after = arena_alloc(r->arena, (size_t)m[i].n + 1);
		m[i].may = arena_alloc(r->arena, (size_t)m[i].n + 1);
		memset(m[i].before, GUARD_BYTE, (size_t)m[i].n);
		if (r->memory[i].bytes)
			memcpy(m[i].before, r->memory[i].bytes, (size_t)r->memory[i].n);
		memset(m[i].may, r->memory[i].out, (size_t)r->memory[i].n);
	}
	for (int i = 0; i < CUDA_REFS; i++) {
		const struct op_buffer *b = &r->buf[i];
		size_t bytes = (size_t)b->n * elem_size(b->elem);

		if (b->base <= CUDA_NONE)
			continue;
		memset(m[b->base].before + b->offset, 0xff, bytes);
		if (b->in)
			encode(m[b->base].before + b->offset, b->elem, b->value, b->n);
		memset(m[b->base].may + b->offset, b->out, bytes);
	}
	if (scratch > 0) {
		memset(m[CUDA_SLAB].before + r->op.scratch.offset, 0xff, (size_t)scratch);
		memset(m[CUDA_SLAB].may + r->op.scratch.offset, 1, (size_t)scratch);
	}
}

#define MUST(call)                                                                         \
	do {                                                                               \
		if ((call) < 0)                                                            \
			op_fail(r, "%.*s: %s", (int)strcspn(#call, "("), #call, bad.text); \
	} while (0)

static void run_once(struct op_run *r, struct image *m, struct cuda_control *control)
{
	const struct cuda_plugin *p = cuda_test_plugin();
	uint64_t base[CUDA_BASES], at;
	struct cuda_op both[2] = { r->before, r->op };
	struct cuda_exec *x;
	struct cuda_error bad;

	*control = r->control;
	MUST(p->alloc(card, sizeof *control, &at, &bad));
	MUST(p->upload(lane, at, control, sizeof *control, &bad));
	for (int i = 0; i < CUDA_BASES; i++) {
		base[i] = 0;
		if (i == CUDA_NONE || m[i].n == 0)
			continue;
		MUST(p->alloc(card, m[i].n, &base[i], &bad));
		MUST(p->upload(lane, base[i], m[i].before, m[i].n, &bad));
	}
	MUST(p->exec_new(&x, lane, r->has_before ? both : &r->op, r->has_before ? 2 : 1, base, at, 0, &bad));
	MUST(p->exec_run(x, 1, &bad));
	MUST(p->wait(lane, &bad));
	MUST(p->download(lane, control, at, sizeof *control, &bad));
	for (int i = 1; i < CUDA_BASES; i++)
		if (m[i].n) {
			MUST(p->download(lane, m[i].after, base[i], m[i].n, &bad));
			p->release(card, base[i]);
		}
	p->release(card, at);
	p->exec_free(x);
}

static void check_untouched(const struct op_run *r, const struct image *m, int base)
{
	for (int64_t i = 0; i < m->n; i++)
		if (!m->may[i] && m->before[i] != m->after[i])
			op_fail(r, "byte %lld of base %d was written, but is no output", (long long)i, base);
}

/* Takes the results over, and looks at the padding. */
static void collect(struct op_run *r, const struct image *m)
{
	for (int i = 1; i < CUDA_BASES; i++) {
		check_untouched(r, &m[i], i);
		if (r->memory[i].bytes)
			memcpy(r->memory[i].bytes, m[i].after, (size_t)r->memory[i].n);
	}
	for (int s = 0; s < CUDA_REFS; s++) {
		struct op_buffer *b = &r->buf[s];

		if (b->base <= CUDA_NONE || !b->out)
			continue;
		decode(b->value, b->elem, m[b->base].after + b->offset, b->n);
		for (int64_t i = 0; b->dims.n && i < b->n; i++)
			if (i % b->dims.pitch >= b->dims.c && b->value[i] != 0)
				op_fail(r, "buffer %d: the padding at element %lld is %g", s, (long long)i,
					b->value[i]);
	}
}

/* Scratch may differ between two runs: what nobody reads back is not part of the result. */
static bool results_equal(const struct op_run *r, const struct image *a, const struct image *b)
{
	for (int i = 1; i < CUDA_BASES; i++)
		if (r->memory[i].out && memcmp(a[i].after, b[i].after, (size_t)r->memory[i].n) != 0)
			return false;
	for (int s = 0; s < CUDA_REFS; s++) {
		const struct op_buffer *q = &r->buf[s];

		if (q->base > CUDA_NONE && memcmp(a[q->base].after + q->offset, b[q->base].after + q->offset,
						  (size_t)q->n * elem_size(q->elem)) != 0)
			return false;
	}
	return true;
}

static void plan_one(const struct op_run *r, struct cuda_op *op, int64_t *scratch, int64_t *reserve)
{
	const struct cuda_plugin *p = cuda_test_plugin();
	struct cuda_error bad;

	MUST(p->plan(card, NULL, op, 1, 0, scratch, reserve, &bad));
}

int64_t op_reserve(struct cuda_op *op)
{
	struct op_run r = { .op = *op };
	int64_t scratch, reserve;

	plan_one(&r, op, &scratch, &reserve);
	return reserve;
}

/* Both operations take turns with the same scratch. */
static void plan_ref(struct cuda_ref *ref, const struct op_run *r, int slot)
{
	const struct op_buffer *b = &r->buf[slot];

	if (b->base < 0)
		b = &r->buf[b->n];
	if (b->base > CUDA_NONE)
		*ref = (struct cuda_ref){ b->base, b->elem == OP_BYTE ? 0 : b->elem, 0 };
}

static int64_t plan_scratch(struct op_run *r)
{
	int64_t scratch, first = 0, reserve;

	for (int i = 0; i < CUDA_REFS; i++) { /* a plan hangs on the elements, and on what there is */
		int before = r->before_slot[i] - 1;

		plan_ref(&r->op.buf[i], r, i);
		if (r->has_before && before >= 0)
			plan_ref(&r->before.buf[i], r, before);
	}
	plan_one(r, &r->op, &scratch, &reserve);
	if (r->has_before)
		plan_one(r, &r->before, &first, &reserve);
	return first > scratch ? first : scratch;
}

void op_run(struct op_run *r)
{
	struct image first[CUDA_BASES] = { { 0 } }, again[CUDA_BASES];
	struct cuda_control left, second;
	int64_t scratch = plan_scratch(r);

	place(r, first, scratch);
	paint(r, first, scratch);
	memcpy(again, first, sizeof again);
	for (int i = 1; i < CUDA_BASES; i++)
		again[i].after = arena_alloc(r->arena, (size_t)again[i].n + 1);
	run_once(r, first, &left); /* first: races are named, where the other order may only crash */
	setenv("NAB_EMULATED_ORDER", "reverse", 1);
	run_once(r, again, &second);
	unsetenv("NAB_EMULATED_ORDER");
	r->control = left;
	if (!results_equal(r, first, again) || memcmp(&second, &left, sizeof second) != 0)
		op_fail(r, "two runs differ: the order of threads shows in the result");
	for (int i = 0; i < CUDA_TICKETS; i++)
		if (r->control.ticket[i])
			op_fail(r, "ticket %d is %u after the operation", i, r->control.ticket[i]);
	collect(r, first);
}

/* ---- judgement ------------------------------------------------------------------------------------------- */

void op_expect_within(const struct op_run *r, int slot, const double *want, double tolerance)
{
	const double *got = op_got(r, slot);
	double error = 0, size = 0;
	int64_t n = r->buf[slot].base < 0 ? r->buf[r->buf[slot].n].n : r->buf[slot].n;

	for (int64_t i = 0; i < n; i++) {
		if (!isfinite(got[i]))
			op_fail(r, "buffer %d: element %lld is %g instead of %g", slot, (long long)i, got[i], want[i]);
		error += (got[i] - want[i]) * (got[i] - want[i]);
		size += want[i] * want[i];
	}
	if (!(sqrt(error) <= tolerance * sqrt(size)))
		op_fail(r, "buffer %d: off by %g of %g", slot, sqrt(error), sqrt(size));
}

void op_expect(const struct op_run *r, int slot, const double *want)
{
	op_expect_within(r, slot, want, r->buf[slot].elem == CUDA_BF16 ? 1e-2 : 1e-5);
}

void op_expect_bits(const struct op_run *r, int slot, const double *want)
{
	const double *got = op_got(r, slot);

	for (int64_t i = 0; i < r->buf[slot].n; i++)
		if (!(got[i] == want[i]))
			op_fail(r, "buffer %d: element %lld is %.9g instead of %.9g", slot, (long long)i, got[i],
				want[i]);
}
