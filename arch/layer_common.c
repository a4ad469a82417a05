/* arch/layer_common.c - see layer_common.h. */
#include "arch/layer_common.h"

#include <assert.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"

const struct opt empty_opts[] = { OPT_END };

int layer_need(const char *name, const struct shape *in, unsigned types, struct err *e)
{
	static const char *const phrase[] = { "an image", "a vector", "a sequence", "tokens" };
	char want[64] = "";

	if (types >> in->type & 1)
		return 0;
	for (int t = 0; t < TENSOR_TYPE_COUNT; t++) {
		if (!(types >> t & 1))
			continue;
		if (want[0])
			strcat(want, types >> (t + 1) ? ", " : " or ");
		strcat(want, phrase[t]);
	}
	return ERR(e, ERR_INVALID, NULL, "%s needs %s, its input is %s%s", name, want, phrase[in->type],
		   in->type == TENSOR_TOKENS ? ": put \"embedding\" before it" : "");
}

void layer_same(struct opt_pad *p, const struct opt_pair *kernel, const struct opt_pair *dilation)
{
	if (!p->same)
		return;
	for (int axis = 0; axis < 2; axis++) {
		int total = dilation->v[axis] * (kernel->v[axis] - 1);

		p->side[axis] = total / 2;
		p->side[axis + 2] = total - total / 2;
	}
	p->same = 0;
}

int layer_limit(const char *name, int64_t n, struct err *e)
{
	if (n >= 0 && n <= SHAPE_DIM_MAX)
		return 0;
	return ERR(e, ERR_INVALID, NULL, "%s: an output of %lld along one axis is too large, the limit is %d", name,
		   (long long)n, SHAPE_DIM_MAX);
}

int64_t layer_mul(int64_t n, int64_t a)
{
	int64_t out;

	return n < 0 || a < 0 || __builtin_mul_overflow(n, a, &out) ? -1 : out;
}

int layer_steps(const struct layer_io *io, const struct shape *s, int n)
{
	int all = s->d[s->type == TENSOR_SEQUENCE];

	assert(s->type == TENSOR_SEQUENCE || s->type == TENSOR_TOKENS);
	if (!io->length || !s->open)
		return all;
	assert(io->length[n] >= 0 && io->length[n] <= all);
	return io->length[n];
}

void layer_mask(const struct layer_io *io, double *t, const struct shape *s)
{
	int64_t count = shape_count(s);

	if (!io->length || !s->open)
		return;
	for (int n = 0; n < io->batch; n++)
		for (int64_t i = 0; i < count; i++)
			if (!layer_valid(io, s, n, i))
				t[n * count + i] = 0;
}

const double *layer_masked(const struct layer_io *io, const double *t, const struct shape *s)
{
	size_t bytes = (size_t)io->batch * (size_t)shape_count(s) * sizeof(double);
	double *copy;

	if (!t || !io->length || !s->open)
		return t;
	copy = arena_alloc(io->scratch, bytes);
	memcpy(copy, t, bytes);
	layer_mask(io, copy, s);
	return copy;
}

struct layer_view layer_view(const struct shape *s)
{
	int64_t inner = s->type == TENSOR_IMAGE ? (int64_t)s->d[1] * s->d[2] : s->type == TENSOR_SEQUENCE ? s->d[1] : 1;

	return (struct layer_view){ s->d[0], inner, s->d[0] * inner };
}
