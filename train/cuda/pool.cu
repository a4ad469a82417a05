/* train/cuda/pool.cu - POOL and GLOBALPOOL by themselves: see pool.h. */
#include "train/cuda/pool.h"

template <typename T>
__global__ void __launch_bounds__(PICTURE_THREADS, 2) pool_forward(struct plain<T> in, struct pool p)
{
	int vectors = p.o.y.pitch / 8;

	EACH_OF_PICTURE(p.o.y, row, place)
	{
		int64_t n = divided(row, p.out[0]);
		struct place at = { n, (int)(row - n * p.o.y.h), (int)place / vectors };

		pool_place<T>(in, p, at, (int)place % vectors);
	}
}

template <typename T> __global__ void __launch_bounds__(PICTURE_THREADS, 2) pool_backward(T *dx, struct pool p)
{
	int vectors = p.o.x.pitch / 8;

	EACH_OF_PICTURE(p.o.x, row, place)
	{
		int64_t n = divided(row, p.in[0]);
		struct place at = { n, (int)(row - n * p.o.x.h), (int)place / vectors };
		float v[8];

		pool_gather<T>(v, p, at, (int)place % vectors);
		store8(dx + row * p.o.x.w * p.o.x.pitch + 8LL * place, v);
	}
}

template <typename T, bool MAX>
__global__ void __launch_bounds__(GLOBAL_THREADS) global_forward(struct plain<T> in, struct pool p)
{
	struct global_cut c = global_cut(p.o);
	int vector = (int)blockIdx.x % c.tiles * c.lanes + (int)threadIdx.x % c.lanes;

	global_place<T, MAX>(in, p, blockIdx.x / c.tiles, vector, c.lanes);
}

/* ---- launches ------------------------------------------------------------------------------------------- */

static struct pool pool_forth(const struct cuda_op *op, const struct launch *l, bool whole)
{
	struct pool p = pool_of(op->u.pool, whole);

	p.y = at<void>(l, op->buf[1]);
	p.saved = at<void>(l, op->buf[2]);
	p.length = at<int32_t>(l, op->buf[3]);
	return p;
}

int kernel_pool(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = pool_forth(op, l, false);
	int rc;

	BY_ELEM(op->buf[0].elem, struct plain<T> in = { at<const T>(l, op->buf[0]) };
		rc = launch(pool_forward<T>, picture_grid(l, &p.o.y), picture_block(&p.o.y), 0, l, in, p));
	return rc;
}

int kernel_globalpool(const struct cuda_op *op, const struct launch *l)
{
	struct pool p = pool_forth(op, l, true);
	int rc;

	BY_ELEM(op->buf[0].elem, struct plain<T> in = { at<const T>(l, op->buf[0]) };
		rc = launch(p.o.max ? global_forward<T, true> : global_forward<T, false>, global_grid(p.o),
			    GLOBAL_THREADS, 0, l, in, p));
	return rc;
}

static int pool_back(const struct cuda_op *op, const struct launch *l, bool whole)
{
	struct pool p = pool_of(op->u.pool, whole);
	int rc;

	p.saved = at<void>(l, op->buf[0]);
	p.dy = at<void>(l, op->buf[1]);
	p.length = at<int32_t>(l, op->buf[3]);
	p.relu = at<void>(l, op->buf[4]);
	BY_ELEM(op->buf[1].elem, rc = launch(pool_backward<T>, picture_grid(l, &p.o.x), picture_block(&p.o.x), 0, l,
					     at<T>(l, op->buf[2]), p));
	return rc;
}

int kernel_pool_back(const struct cuda_op *op, const struct launch *l)
{
	return pool_back(op, l, false);
}

int kernel_globalpool_back(const struct cuda_op *op, const struct launch *l)
{
	return pool_back(op, l, true);
}
