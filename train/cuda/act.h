/* train/cuda/act.h - the activations of enum cuda_act on a card, and their derivatives: arch/layer_activation.c's, with
 * its rules at kinks, in float. */
#ifndef NAB_TRAIN_CUDA_ACT_H
#define NAB_TRAIN_CUDA_ACT_H

#include "train/cuda/kernel.h"

DEVICE float act_sigmoid(float x)
{
	float e = expf(-fabsf(x)), s = 1 / (1 + e);

	return x >= 0 ? s : e * s;
}

DEVICE float act_gelu_inner(float x)
{
	return 0.7978845608f * (x + 0.044715f * x * x * x);
}

/* y of x; a is the slope or alpha. A constant `act` leaves one case. */
DEVICE float act_value(int act, float a, float x)
{
	switch ((enum cuda_act)act) {
	case CUDA_ACT_NONE:
		return x;
	case CUDA_ACT_RELU:
		return x > 0 || x != x ? x : 0;
	case CUDA_ACT_RELU6:
		return x > 6 ? 6 : x > 0 || x != x ? x : 0;
	case CUDA_ACT_LEAKY_RELU:
		return x > 0 ? x : a * x;
	case CUDA_ACT_ELU:
		return x > 0 ? x : a * expm1f(x);
	case CUDA_ACT_GELU:
		return x / 2 * (1 + erff(x * 0.7071067812f));
	case CUDA_ACT_GELU_TANH:
		return x / 2 * (1 + tanhf(act_gelu_inner(x)));
	case CUDA_ACT_SILU:
		return x * act_sigmoid(x);
	case CUDA_ACT_HARD_SWISH:
		return x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6;
	case CUDA_ACT_TANH:
		return tanhf(x);
	case CUDA_ACT_SIGMOID:
		return act_sigmoid(x);
	}
	return x;
}

/* dy / dx at x */
DEVICE float act_slope(int act, float a, float x)
{
	float t;

	switch ((enum cuda_act)act) {
	case CUDA_ACT_NONE:
		return 1;
	case CUDA_ACT_RELU:
		return x > 0 ? 1 : 0;
	case CUDA_ACT_RELU6:
		return x > 0 && x < 6 ? 1 : 0;
	case CUDA_ACT_LEAKY_RELU:
		return x > 0 ? 1 : a;
	case CUDA_ACT_ELU:
		return x > 0 ? 1 : a * expf(x);
	case CUDA_ACT_GELU:
		return (1 + erff(x * 0.7071067812f)) / 2 + x * expf(-x * x / 2) * 0.3989422804f;
	case CUDA_ACT_GELU_TANH:
		t = tanhf(act_gelu_inner(x));
		return (1 + t) / 2 + x / 2 * (1 - t * t) * 0.7978845608f * (1 + 3 * 0.044715f * x * x);
	case CUDA_ACT_SILU:
		t = act_sigmoid(x);
		return t * (1 + x * (1 - t));
	case CUDA_ACT_HARD_SWISH:
		return x <= -3 ? 0 : x <= 3 ? x / 3 + 0.5f : 1;
	case CUDA_ACT_TANH:
		t = tanhf(x);
		return 1 - t * t;
	case CUDA_ACT_SIGMOID:
		t = act_sigmoid(x);
		return t * (1 - t);
	}
	return 1;
}

/* Runs the statement with the constant ACT: the two that nearly all networks use, or ANY_ACT (then args say which). */
enum { ANY_ACT = -1 };
#define BY_ACT(act, statement)                        \
	do {                                          \
		if ((act) == CUDA_ACT_NONE) {         \
			enum { ACT = CUDA_ACT_NONE }; \
			statement;                    \
		} else if ((act) == CUDA_ACT_RELU) {  \
			enum { ACT = CUDA_ACT_RELU }; \
			statement;                    \
		} else {                              \
			enum { ACT = ANY_ACT };       \
			statement;                    \
		}                                     \
	} while (0)

#endif
