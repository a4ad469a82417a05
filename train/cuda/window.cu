/* train/cuda/window.cu - zeros around pictures, and larger pictures; backward by gathering. A thread has eight channels
 * of a place. */
#include "train/cuda/picture.h"

struct around { /* x -> y, or dy -> dx */
	const void *from;
	void *to;
	struct cuda_op_window o;
};

template <typename T> __global__ void __launch_bounds__(PICTURE_THREADS) pad(struct around a)
{
	int vectors = a.o.y.pitch / 8;

	EACH_OF_PICTURE(a.o.y, row, place)
	{
		int y = (int)(row % a.o.y.h) - a.o.before[0], x = (int)place / vectors - a.o.before[1];
		float v[8] = { 0 };

		if (y >= 0 && y < a.o.x.h && x >= 0 && x < a.o.x.w)
			load8(v, picture_at((const T *)a.from, a.o.x, row / a.o.y.h, y, x, (int)place % vectors));
		store8((T *)a.to + row * a.o.y.w * a.o.y.pitch + 8LL * place, v);
	}
}

template <typename T> __global__ void __launch_bounds__(PICTURE_THREADS) pad_back(struct around a)
{
	int vectors = a.o.x.pitch / 8;

	EACH_OF_PICTURE(a.o.x, row, place)
	{
		int y = (int)(row % a.o.x.h) + a.o.before[0], x = (int)place / vectors + a.o.before[1];
		float v[8];

		load8(v, picture_at((const T *)a.from, a.o.y, row / a.o.x.h, y, x, (int)place % vectors));
		store8((T *)a.to + row * a.o.x.w * a.o.x.pitch + 8LL * place, v);
	}
}

struct taps { /* a coordinate of y is the share 1 - high of x's low_at and high of high_at */
	int low_at, high_at;
	float high;
};

/* Pixels are squares with their values in the middle: (o + 0.5) / factor - 0.5, edges repeated; in whole numbers. */
DEVICE struct taps taps_of(const struct cuda_op_window &o, int axis, int place, int size)
{
	int factor = o.factor[axis], middle = 2 * place + 1 - factor;
	struct taps t = { place / factor, place / factor, 0 };

	if (o.mode == 0)
		return t;
	middle = middle < 0 ? 0 : middle;
	t.low_at = middle / (2 * factor);
	t.high_at = t.low_at + 1 < size ? t.low_at + 1 : t.low_at;
	t.high = (float)(middle % (2 * factor)) / (float)(2 * factor);
	return t;
}

template <typename T> __global__ void __launch_bounds__(PICTURE_THREADS) upsample(struct around a)
{
	int vectors = a.o.y.pitch / 8;

	EACH_OF_PICTURE(a.o.y, row, place)
	{
		struct taps r = taps_of(a.o, 0, (int)(row % a.o.y.h), a.o.x.h);
		struct taps q = taps_of(a.o, 1, (int)place / vectors, a.o.x.w);
		float v[8] = { 0 }, in[8];

		for (int i = 0; i < (a.o.mode == 0 ? 1 : 4); i++) {
			float share = (i / 2 ? r.high : 1 - r.high) * (i % 2 ? q.high : 1 - q.high);

			load8(in, picture_at((const T *)a.from, a.o.x, row / a.o.y.h, i / 2 ? r.high_at : r.low_at,
					     i % 2 ? q.high_at : q.low_at, (int)place % vectors));
			for (int k = 0; k < 8; k++)
				v[k] += share * in[k];
		}
		store8((T *)a.to + row * a.o.y.w * a.o.y.pitch + 8LL * place, v);
	}
}

/* What y's coordinate `place` takes from x's `at`. */
DEVICE float share_of(const struct cuda_op_window &o, int axis, int place, int at, int size)
{
	struct taps t = taps_of(o, axis, place, size);

	return (t.low_at == at ? 1 - t.high : 0) + (t.high_at == at ? t.high : 0);
}

/* Coordinates [from, to) of y that may take from x's `at`. */
DEVICE void readers(const struct cuda_op_window &o, int axis, int at, int size, int &from, int &to)
{
	int reach = o.mode == 0 ? 0 : o.factor[axis];

	from = at * o.factor[axis] - reach;
	to = (at + 1) * o.factor[axis] + reach;
	from = from < 0 ? 0 : from;
	to = to < size ? to : size;
}

template <typename T> __global__ void __launch_bounds__(PICTURE_THREADS) upsample_back(struct around a)
{
	int vectors = a.o.x.pitch / 8;

	EACH_OF_PICTURE(a.o.x, row, place)
	{
		int y = (int)(row % a.o.x.h), x = (int)place / vectors, y0, y1, x0, x1;
		float v[8] = { 0 }, d[8];

		readers(a.o, 0, y, a.o.y.h, y0, y1);
		readers(a.o, 1, x, a.o.y.w, x0, x1);
		for (int oy = y0; oy < y1; oy++)
			for (int ox = x0; ox < x1; ox++) {
				float share = share_of(a.o, 0, oy, y, a.o.x.h) * share_of(a.o, 1, ox, x, a.o.x.w);

				load8(d, picture_at((const T *)a.from, a.o.y, row / a.o.x.h, oy, ox,
						    (int)place % vectors));
				for (int k = 0; k < 8; k++)
					v[k] += share * d[k];
			}
		store8((T *)a.to + row * a.o.x.w * a.o.x.pitch + 8LL * place, v);
	}
}

static struct around around_of(const struct cuda_op *op, const struct launch *l)
{
	return { at<void>(l, op->buf[0]), at<void>(l, op->buf[1]), op->u.window };
}

#define WINDOW_KERNEL(name, target)                                                                               \
	int kernel_##name(const struct cuda_op *op, const struct launch *l)                                       \
	{                                                                                                         \
		struct around a = around_of(op, l);                                                               \
		int rc;                                                                                           \
                                                                                                                  \
		BY_ELEM(op->buf[0].elem,                                                                          \
			rc = launch(name<T>, picture_grid(l, &a.o.target), picture_block(&a.o.target), 0, l, a)); \
		return rc;                                                                                        \
	}
WINDOW_KERNEL(pad, y)
WINDOW_KERNEL(pad_back, x)
WINDOW_KERNEL(upsample, y)
WINDOW_KERNEL(upsample_back, x)
