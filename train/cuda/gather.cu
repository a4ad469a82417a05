/* train/cuda/gather.cu - GATHER: the batch of a step as train/batch.h says it, bit for bit. A block takes an example:
 * its first threads find out which one and how it is seen, then all of them fetch.
 */
#include "train/cuda/kernel.h"
#include "train/view.h"

enum { THREADS = 256 };
static_assert((int)RECIPE_AUGMENTS == (int)CUDA_AUGMENTS, "a view has room for all cut-outs");

struct gather_of { /* arguments */
	struct cuda_op_gather o;
	struct perm perm; /* but its tweak */
	const char *data;
	const void *index; /* CUDA_INDEX */
	const struct cuda_step *steps;
	const struct cuda_control *control;
	void *x;
	int32_t *label, *length;
	float *target;
	uint32_t *sample;
};

struct example {
	int64_t row; /* in CUDA_INDEX (raw), or the data set's sample */
	uint32_t epoch;
	int32_t raw, augmented, length;
	uint32_t draw[CUDA_AUGMENTS][4];
	struct view view;
};

/* An offset below 0 other than -1 is one: what belongs to the net may lie before the data set. */
template <typename V> DEVICE V data_at(const struct gather_of &g, int64_t offset, int64_t i, V otherwise)
{
	return offset == -1 ? otherwise : ((const V *)(g.data + offset))[i];
}

/* By one thread. */
DEVICE void choose(struct example *e, const struct gather_of &g, int i)
{
	const struct cuda_control *k = g.control;
	int64_t at = k->at * g.o.x.n + i;

	e->epoch = 0;
	e->raw = k->source == CUDA_RAW;
	e->augmented = k->augment && g.o.n_augment > 0 && !e->raw;
	if (k->source == CUDA_TRAIN) {
		struct cuda_step s = g.steps[k->at];
		struct perm p = g.perm;
		uint32_t place;

		e->epoch = p.tweak = s.epoch;
		place = perm_walk(&p, s.position + (uint32_t)i);
		e->row = data_at(g, g.o.train, place, place);
	} else {
		at = at < k->listed ? at : 0;
		e->row = e->raw ? at : ((const uint32_t *)g.index)[at];
	}
	e->length = e->raw ? g.o.x.w : data_at(g, g.o.length, e->row, g.o.x.w);
}

DEVICE void put_targets(const struct example &e, const struct gather_of &g, int i)
{
	int64_t none = -1;

	if (g.label)
		g.label[i] = data_at(g, e.raw ? none : g.o.label, e.row, 0);
	if (g.target)
		g.target[i] = data_at(g, e.raw ? none : g.o.target, e.row, 0.0f);
	if (g.length)
		g.length[i] = e.length;
	if (g.sample)
		g.sample[i] = (uint32_t)e.row;
}

/* By the whole block. */
DEVICE void find_out(struct example *e, const struct gather_of &g, int i)
{
	int t = (int)threadIdx.x;

	if (t == 0) {
		choose(e, g, i);
		put_targets(*e, g, i);
	}
	__syncthreads();
	if (!e->augmented)
		return;
	if (t < g.o.n_augment) {
		const struct cuda_op_gather::cuda_augment &a = g.o.augment[t];

		philox_rounds(e->draw[t], a.key[0], a.key[1], 0, (uint32_t)e->row, e->epoch, 0);
	}
	__syncthreads();
	if (t == 0) {
		view_init(&e->view, g.o.x.h, g.o.x.w);
		for (int k = 0; k < g.o.n_augment; k++) {
			const struct cuda_op_gather::cuda_augment &a = g.o.augment[k];

			view_apply(&e->view, a.kind, a.pad, a.size, a.p, e->draw[k]);
		}
	}
	__syncthreads();
}

/* Element (place, c) of the data: (raw - mean) / std, each rounded to float as on the processor. */
DEVICE float fetch(const struct example &e, const struct gather_of &g, int64_t places, int64_t place, int c)
{
	const struct cuda_op_gather &o = g.o;
	float v;

	if (e.raw)
		return ((const float *)g.index)[(e.row * o.x.c + c) * places + place];
	place = (e.row * places + place) * o.x.c + c;
	v = o.bytes ? (float)((const uint8_t *)(g.data + o.data))[place] : ((const float *)(g.data + o.data))[place];
	if (o.mean == -1)
		return v;
	return __fdiv_rn(__fsub_rn(v, data_at(g, o.mean, c, 0.0f)), data_at(g, o.std, c, 1.0f));
}

/* Where the data of output place i lie, or -1: what shows there is 0. */
DEVICE int64_t look(const struct example &e, const struct gather_of &g, int i)
{
	int w = g.o.x.w;

	if (e.augmented)
		return view_source(&e.view, i / w, i % w);
	return i % w < e.length ? i : -1;
}

template <typename T> __global__ void __launch_bounds__(THREADS, 4) gather(const __grid_constant__ gather_of g)
{
	SHARED(struct example, e, 1);
	int i = (int)blockIdx.x, places = g.o.x.h * g.o.x.w, groups = g.o.x.pitch / CUDA_PITCH;
	T *out = (T *)g.x + (int64_t)i * places * g.o.x.pitch;

	find_out(e, g, i);
	for (int k = (int)threadIdx.x; k < places * groups; k += (int)blockDim.x) {
		int place = k / groups, first = k % groups * CUDA_PITCH;
		int64_t from = look(e[0], g, place);
		float v[8];

		for (int c = 0; c < 8; c++)
			v[c] = from >= 0 && first + c < g.o.x.c ? fetch(e[0], g, places, from, first + c) : 0;
		store8(out + 8LL * k, v);
	}
}

__global__ void __launch_bounds__(THREADS, 4) gather_tokens(const __grid_constant__ gather_of g)
{
	SHARED(struct example, e, 1);
	int i = (int)blockIdx.x, places = g.o.x.w;
	int32_t *out = (int32_t *)g.x + (int64_t)i * places;

	find_out(e, g, i);
	for (int k = (int)threadIdx.x; k < places; k += (int)blockDim.x)
		out[k] = k < e[0].length ? (int32_t)fetch(e[0], g, places, k, 0) : 0;
}

int kernel_gather(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_op_gather *o = &op->u.gather;
	int64_t work = (int64_t)o->x.h * o->x.w * ceil_div(o->x.pitch, CUDA_PITCH);
	int threads = work < THREADS ? (int)ceil_div(work, WARP) * WARP : THREADS;
	gather_of g = {};

	g.o = *o;
	g.perm.n = o->n_train;
	g.perm.half_bits = perm_half_bits(o->n_train);
	g.perm.key.k[0] = o->shuffle_key[0];
	g.perm.key.k[1] = o->shuffle_key[1];
	g.data = (const char *)(uintptr_t)l->base[CUDA_DATA];
	g.index = (const void *)(uintptr_t)l->base[CUDA_INDEX];
	g.steps = (const struct cuda_step *)(uintptr_t)l->base[CUDA_STEPS];
	g.control = l->control;
	g.x = at<void>(l, op->buf[0]);
	g.label = at<int32_t>(l, op->buf[1]);
	g.target = at<float>(l, op->buf[2]);
	g.length = at<int32_t>(l, op->buf[3]);
	g.sample = at<uint32_t>(l, op->buf[4]);
	if (op->buf[0].elem == CUDA_I32)
		return launch(gather_tokens, dim3((unsigned)o->x.n), threads, 0, l, g);
	BY_ELEM(op->buf[0].elem, return launch(gather<T>, dim3((unsigned)o->x.n), threads, 0, l, g));
}
