/* train/cuda/drop.cu - DROPOUT, forward and backward alike: the mask of arch/layer_dropout.c, bit for bit.
 *
 * Four words of Philox serve four neighbours in the logical order (channels first): four channels of a vector, or four
 * places of one channel of a picture. A thread takes eight channels of one place, or of four places where that saves
 * draws.
 */
#include "train/cuda/kernel.h"

enum { THREADS = 256 };

struct drop_of { /* arguments */
	const void *x;
	void *y;
	const uint32_t *sample;
	const struct cuda_step *steps;
	const struct cuda_control *control;
	uint32_t key[2], below; /* an element falls iff its word < below */
	float scale;            /* of the others */
	int32_t all, places, groups, pitch;
	int64_t n; /* eights of channels of one or four places */
};

struct draw { /* of one example */
	uint32_t sample, epoch;
};

DEVICE bool falls(const struct drop_of &o, uint32_t word)
{
	return o.all || word < o.below;
}

DEVICE struct draw draw_of(const struct drop_of &o, int64_t example)
{
	struct draw d = { o.sample[example], 0 };

	if (o.control->source == CUDA_TRAIN)
		d.epoch = o.steps[o.control->at].epoch;
	return d;
}

DEVICE void words_of(uint32_t u[4], const struct drop_of &o, const struct draw &d, int64_t block)
{
	philox_rounds(u, o.key[0], o.key[1], (uint32_t)block, d.sample, d.epoch, 0);
}

DEVICE uint32_t word_of(const uint32_t u[4], int i) /* without an index, which would put u into memory */
{
	return i < 2 ? (i ? u[1] : u[0]) : (i == 2 ? u[2] : u[3]);
}

/* Eight channels from `first` at one place. */
DEVICE void drop_place(float v[8], const struct drop_of &o, const struct draw &d, int first, int place)
{
	uint32_t u[4] = { 0 };

	for (int k = 0; k < 8; k++) {
		int64_t i = (int64_t)(first + k) * o.places + place;

		if (k == 0 || o.places > 1 || i % 4 == 0)
			words_of(u, o, d, i / 4);
		v[k] = falls(o, word_of(u, (int)(i % 4))) ? 0 : v[k] * o.scale;
	}
}

template <typename T> __global__ void __launch_bounds__(THREADS) drop(const __grid_constant__ drop_of o)
{
	bool active = o.control->drop;

	for (int64_t i = grid_first(); i < o.n; i += grid_step()) {
		int group = (int)(i % o.groups), place = (int)(i / o.groups % o.places);
		float v[8];

		load8(v, (const T *)o.x + 8 * i);
		if (active)
			drop_place(v, o, draw_of(o, i / o.groups / o.places), group * CUDA_PITCH, place);
		store8((T *)o.y + 8 * i, v);
	}
}

/* Where the places of a picture are a multiple of four: an item is eight channels of four places. */
template <typename T> __global__ void __launch_bounds__(THREADS) drop_fours(const __grid_constant__ drop_of o)
{
	bool active = o.control->drop;

	for (int64_t i = grid_first(); i < o.n; i += grid_step()) {
		int group = (int)(i % o.groups);
		int64_t four = i / o.groups, fours = o.places / 4, at = 4 * four * o.pitch + group * CUDA_PITCH;
		struct draw d = draw_of(o, four / fours);
		float v[4][8];

		for (int p = 0; p < 4; p++)
			load8(v[p], (const T *)o.x + at + p * o.pitch);
		for (int k = 0; active && k < 8; k++) {
			uint32_t u[4];

			words_of(u, o, d, (group * CUDA_PITCH + k) * fours + four % fours);
			for (int p = 0; p < 4; p++)
				v[p][k] = falls(o, u[p]) ? 0 : v[p][k] * o.scale;
		}
		for (int p = 0; p < 4; p++)
			store8((T *)o.y + at + p * o.pitch, v[p]);
	}
}

int kernel_dropout(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_op_drop *p = &op->u.drop;
	double below = ceil(p->rate * 4294967296.0); /* u * 2^-32 < rate iff u < ceil(rate * 2^32) */
	struct drop_of o = {};

	o.x = at<void>(l, op->buf[0]);
	o.y = at<void>(l, op->buf[1]);
	o.sample = at<uint32_t>(l, op->buf[2]);
	o.steps = (const struct cuda_step *)(uintptr_t)l->base[CUDA_STEPS];
	o.control = l->control;
	o.key[0] = p->key[0];
	o.key[1] = p->key[1];
	o.all = below >= 4294967296.0;
	o.below = o.all ? 0 : (uint32_t)below;
	o.scale = (float)(1 / (1 - p->rate));
	o.places = p->x.h * p->x.w;
	o.pitch = p->x.pitch;
	o.groups = p->x.pitch / CUDA_PITCH;
	o.n = (int64_t)p->x.n * o.places * o.groups;
	if (o.places % 4 == 0) {
		o.n /= 4;
		BY_ELEM(op->buf[0].elem, return launch(drop_fours<T>, grid_of(l, o.n, THREADS), THREADS, 0, l, o));
	}
	BY_ELEM(op->buf[0].elem, return launch(drop<T>, grid_of(l, o.n, THREADS), THREADS, 0, l, o));
}
