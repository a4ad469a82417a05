/* train/cuda/act.cu - ACTIVATE and ACTIVATE_BACK: the activations of act.h by themselves. */
#include "train/cuda/act.h"

enum { THREADS = 256 };

struct act_of { /* arguments; y: what is written */
	const void *x, *dy;
	void *y;
	float a;
	int32_t c, groups;
	int64_t n; /* of eight channels */
};

/* y = f(x), which is 0 in the padding: f(0) need not be. */
template <typename T, int ACT> __global__ void __launch_bounds__(THREADS) activate(struct act_of o)
{
	for (int64_t i = grid_first(); i < o.n; i += grid_step()) {
		float v[8];

		load8(v, (const T *)o.x + 8 * i);
		for (int k = 0; k < 8; k++)
			v[k] = act_value(ACT, o.a, v[k]);
		if (ACT == CUDA_ACT_SIGMOID && o.c % CUDA_PITCH && (int)(i % o.groups) == o.groups - 1)
			for (int k = o.c % CUDA_PITCH; k < 8; k++)
				v[k] = 0;
		store8((T *)o.y + 8 * i, v);
	}
}

/* dx = dy * f'(x) */
template <typename T, int ACT> __global__ void __launch_bounds__(THREADS) activate_back(struct act_of o)
{
	for (int64_t i = grid_first(); i < o.n; i += grid_step()) {
		float v[8], d[8];

		load8(v, (const T *)o.x + 8 * i);
		load8(d, (const T *)o.dy + 8 * i);
		for (int k = 0; k < 8; k++)
			d[k] *= act_slope(ACT, o.a, v[k]);
		store8((T *)o.y + 8 * i, d);
	}
}

typedef void act_kernel(struct act_of);
enum { ACTS = CUDA_ACT_SIGMOID + 1 };

#define EACH_ACT(kernel)                                                                                            \
	{                                                                                                           \
		kernel(CUDA_ACT_NONE), kernel(CUDA_ACT_RELU), kernel(CUDA_ACT_RELU6), kernel(CUDA_ACT_LEAKY_RELU),  \
		    kernel(CUDA_ACT_ELU), kernel(CUDA_ACT_GELU), kernel(CUDA_ACT_GELU_TANH), kernel(CUDA_ACT_SILU), \
		    kernel(CUDA_ACT_HARD_SWISH), kernel(CUDA_ACT_TANH), kernel(CUDA_ACT_SIGMOID)                    \
	}
#define FORWARD(act) activate<T, act>
#define BACK(act)    activate_back<T, act>

template <typename T> static act_kernel *kernel_of(int act, bool back)
{
	static act_kernel *const forward[ACTS] = EACH_ACT(FORWARD), *const backward[ACTS] = EACH_ACT(BACK);

	return (back ? backward : forward)[act];
}

static int launch_act(const struct cuda_op *op, const struct launch *l, bool back)
{
	const struct cuda_dims *d = &op->u.act.x;
	act_kernel *kernel =
	    op->buf[0].elem == CUDA_BF16 ? kernel_of<bf16>(op->u.act.act, back) : kernel_of<float>(op->u.act.act, back);
	struct act_of o = {};

	o.x = at<void>(l, op->buf[0]);
	o.y = at<void>(l, op->buf[1]);
	o.a = op->u.act.a;
	o.c = d->c;
	o.groups = d->pitch / CUDA_PITCH;
	if (back) {
		o.dy = o.y;
		o.y = at<void>(l, op->buf[2]);
	}
	o.n = (int64_t)d->n * d->h * d->w * o.groups;
	return launch(kernel, grid_of(l, o.n, THREADS), THREADS, 0, l, o);
}

int kernel_activate(const struct cuda_op *op, const struct launch *l)
{
	return launch_act(op, l, false);
}

int kernel_activate_back(const struct cuda_op *op, const struct launch *l)
{
	return launch_act(op, l, true);
}
