/* train/cuda/order.cu - the same elements of an example in another form: element i, channels first, stays element i.
 * A thread writes one element; one of the two sides is read or written with strides, which a cache must mend. */
#include "train/cuda/kernel.h"

enum { THREADS = 256 };

struct reorder {
	const void *from;
	void *to;
	struct cuda_op_order o;
};

template <typename T> __global__ void __launch_bounds__(THREADS) reorder(struct reorder r)
{
	const struct cuda_dims &in = r.o.in, &out = r.o.out;
	int64_t all = (int64_t)out.n * out.h * out.w * out.pitch, places = (int64_t)out.h * out.w;

	for (int64_t i = grid_first(); i < all; i += grid_step()) {
		int64_t place = i / out.pitch, n = place / places, logical;
		int c = (int)(i % out.pitch);
		float v = 0;

		logical = c * places + place % places;
		if (c < out.c) {
			int64_t of = (int64_t)in.h * in.w;

			v = load((const T *)r.from + (n * of + logical % of) * in.pitch + logical / of);
		}
		store((T *)r.to + i, v);
	}
}

int kernel_reorder(const struct cuda_op *op, const struct launch *l)
{
	struct reorder r = { at<void>(l, op->buf[0]), at<void>(l, op->buf[1]), op->u.order };
	int64_t all = (int64_t)r.o.out.n * r.o.out.h * r.o.out.w * r.o.out.pitch;
	int rc;

	BY_ELEM(op->buf[0].elem, rc = launch(reorder<T>, grid_of(l, all, THREADS), THREADS, 0, l, r));
	return rc;
}
