/* train/cuda/update.cu - NORM_OF_GRADIENT and OPTIMIZE: train/optim.h's rules over the chunks of the parameters.
 *
 * A block takes a chunk at a time. The norm's sums are double, chunk by chunk into scratch; the block that comes last
 * sums them in the order of the chunks. Where nothing is clipped, the norm is found on the way of the update.
 */
#include "arch/recipe.h"
#include "train/cuda/kernel.h"

enum { THREADS = 256 };

static dim3 grid_of_chunks(const struct cuda_op *op, const struct launch *l)
{
	return grid_of(l, op->u.update.n_chunks, 1);
}

DEVICE float gradient(const char *grads, const struct cuda_chunk &c, int i)
{
	return c.elem == CUDA_BF16 ? load((const bf16 *)(grads + c.grad) + i)
				   : load((const float *)(grads + c.grad) + i);
}

/* ---- norm ------------------------------------------------------------------------------------------------ */

/* The norm of a step after one that diverged counts nowhere; a loss that is not finite stands for its step's. */
DEVICE void norm_account(struct cuda_control *k, double squares, double clip)
{
	double norm = isfinite(k->step_loss) ? sqrt(squares) : k->step_loss, scale = clip / (norm + 1e-6);

	k->step_norm = norm;
	k->scale = clip > 0 && scale < 1 ? scale : 1;
	if (k->diverged)
		return;
	k->norm += norm;
	k->diverged = !isfinite(norm);
}

/* The last block: what the chunks' squares come to. */
DEVICE void norm_end(const double *part, int n, double clip, struct cuda_control *k)
{
	double sum = 0;

	for (int b = (int)threadIdx.x; b < n; b += THREADS)
		sum += part[b];
	sum = block_sum(sum);
	if (threadIdx.x == 0)
		norm_account(k, sum, clip);
}

__global__ void __launch_bounds__(THREADS) norm_of_gradient(const char *grads, const struct cuda_chunk *chunks, int n,
							    double *part, double clip, struct cuda_control *k)
{
	for (int b = (int)blockIdx.x; b < n; b += (int)gridDim.x) {
		struct cuda_chunk c = chunks[b];
		double sum = 0;

		for (int i = (int)threadIdx.x; i < c.count; i += THREADS) {
			double g = (double)gradient(grads, c, i);

			sum += g * g;
		}
		sum = block_sum(sum);
		if (threadIdx.x == 0)
			part[b] = sum;
	}
	if (last_block(k->ticket, gridDim.x))
		norm_end(part, n, clip, k);
}

int64_t kernel_norm_of_gradient_scratch(const struct cuda_op *op)
{
	return (int64_t)op->u.update.n_chunks * (int64_t)sizeof(double) + 8;
}

int kernel_norm_of_gradient(const struct cuda_op *op, const struct launch *l)
{
	const struct cuda_op_update *o = &op->u.update;

	return launch(norm_of_gradient, grid_of_chunks(op, l), THREADS, 0, l,
		      (const char *)(uintptr_t)l->base[CUDA_GRADS],
		      (const struct cuda_chunk *)(uintptr_t)l->base[CUDA_CHUNKS], o->n_chunks,
		      at<double>(l, op->scratch), o->clip, l->control);
}

/* ---- update ---------------------------------------------------------------------------------------------- */

struct arrays { /* one index for all */
	float *w;
	bf16 *copy; /* or NULL */
	const char *grads;
	float *m1, *m2; /* or NULL */
};

struct rule { /* the scalars of a step, as train/optim_real.inc takes them */
	float rate, scale, momentum, beta1, left1, beta2, left2, eps, root;
	double weight_decay, step_rate;
	int nesterov;
};

DEVICE struct rule rule_of(const struct cuda_step &s, double scale, int kind, int nesterov)
{
	struct rule r;

	r.rate = (float)(kind == OPTIMIZER_SGD ? s.rate : s.rate / s.correct1);
	r.scale = (float)scale;
	r.momentum = (float)s.momentum;
	r.beta1 = (float)s.beta1;
	r.left1 = (float)(1 - s.beta1);
	r.beta2 = (float)s.beta2;
	r.left2 = (float)(1 - s.beta2);
	r.eps = (float)s.eps;
	r.root = (float)s.correct2;
	r.weight_decay = s.weight_decay;
	r.step_rate = s.rate;
	r.nesterov = nesterov;
	return r;
}

DEVICE float sgd(const struct rule &r, const struct arrays &a, int64_t i, float w, float g, float decay)
{
	float b;

	g = g * r.scale + decay * w;
	if (!a.m1)
		return w - r.rate * g;
	b = a.m1[i] = r.momentum * a.m1[i] + g;
	return w - r.rate * (r.nesterov ? g + r.momentum * b : b);
}

/* keep: what adamw leaves of the weight before the update */
DEVICE float adam(const struct rule &r, const struct arrays &a, int64_t i, float w, float g, float decay, float keep)
{
	float m, v;

	g = g * r.scale + decay * w;
	m = a.m1[i] = r.beta1 * a.m1[i] + r.left1 * g;
	v = a.m2[i] = r.beta2 * a.m2[i] + r.left2 * g * g;
	return keep * w - r.rate * m / (sqrtf(v) / r.root + r.eps);
}

/* Returns the sum of squares of this thread's gradients. */
template <int kind> DEVICE double update_chunk(const struct rule &r, const struct arrays &a, const struct cuda_chunk &c)
{
	double weight_decay = c.decay ? r.weight_decay : 0, squares = 0;
	float decay = kind == OPTIMIZER_ADAMW ? 0 : (float)weight_decay;
	float keep = kind == OPTIMIZER_ADAMW ? (float)(1 - r.step_rate * weight_decay) : 1;

	for (int k = (int)threadIdx.x; k < c.count; k += THREADS) {
		int64_t i = c.first + k;
		float w = a.w[i], g = gradient(a.grads, c, k);

		squares += (double)g * (double)g;
		w = kind == OPTIMIZER_SGD ? sgd(r, a, i, w, g, decay) : adam(r, a, i, w, g, decay, keep);
		a.w[i] = w;
		if (a.copy)
			store(a.copy + i, w);
	}
	return squares;
}

/* part: scratch for the norm that is found here, or NULL: then it is known, and so is the scale. */
template <int kind>
__global__ void __launch_bounds__(THREADS)
    optimize(struct arrays a, const struct cuda_chunk *chunks, int n, const struct cuda_step *steps, int nesterov,
	     double *part, struct cuda_control *k)
{
	bool goes = !k->diverged && isfinite(k->step_loss);
	struct rule r = rule_of(steps[k->at], part ? 1 : k->scale, kind, nesterov);

	for (int b = (int)blockIdx.x; b < n; b += (int)gridDim.x) {
		double squares = goes ? update_chunk<kind>(r, a, chunks[b]) : 0;

		if (!part)
			continue;
		squares = block_sum(squares);
		if (threadIdx.x == 0)
			part[b] = squares;
	}
	if (!last_block(k->ticket, gridDim.x))
		return;
	if (part)
		norm_end(part, n, 0, k);
	if (threadIdx.x == 0)
		k->at++;
}

static bool finds_norm(const struct cuda_op *op)
{
	return op->u.update.clip <= 0;
}

int64_t kernel_optimize_scratch(const struct cuda_op *op)
{
	return finds_norm(op) ? kernel_norm_of_gradient_scratch(op) : 0;
}

int kernel_optimize(const struct cuda_op *op, const struct launch *l)
{
	static void (*const kinds[])(
	    struct arrays, const struct cuda_chunk *, int, const struct cuda_step *, int, double *,
	    struct cuda_control *) = { optimize<OPTIMIZER_SGD>, optimize<OPTIMIZER_ADAM>, optimize<OPTIMIZER_ADAMW> };
	const struct cuda_op_update *o = &op->u.update;
	struct arrays a = { (float *)(uintptr_t)l->base[CUDA_PARAMS],
			    o->copies ? (bf16 *)(uintptr_t)l->base[CUDA_PARAMS16] : NULL,
			    (const char *)(uintptr_t)l->base[CUDA_GRADS],
			    o->moments > 0 ? (float *)(uintptr_t)l->base[CUDA_MOMENT1] : NULL,
			    o->moments > 1 ? (float *)(uintptr_t)l->base[CUDA_MOMENT2] : NULL };

	return launch(kinds[o->kind], grid_of_chunks(op, l), THREADS, 0, l, a,
		      (const struct cuda_chunk *)(uintptr_t)l->base[CUDA_CHUNKS], o->n_chunks,
		      (const struct cuda_step *)(uintptr_t)l->base[CUDA_STEPS], o->nesterov,
		      finds_norm(op) ? at<double>(l, op->scratch) : NULL, l->control);
}
