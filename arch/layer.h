/* arch/layer.h - what a layer kind is. One file arch/layer_x.c per kind (or family), one row in arch/layers.def.
 *
 * A kind states its options, its shape rule, its parameters, its multiply-adds, and a plain-C forward and backward in
 * double precision: the oracle that every backend is compared with. The oracle is written to be obviously right: it
 * keeps nothing between forward and backward but the inputs and outputs it is handed.
 *
 * The conventions ('same', batch norm's momentum, what a multiply-add is ...) stand in one table: docs/conventions.md.
 */
#ifndef NAB_ARCH_LAYER_H
#define NAB_ARCH_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/shape.h"
#include "base/err.h"
#include "base/rng.h"

struct arena;
struct opt;

enum { LAYER_PORTS = 3, LAYER_PARAMS = 16, LAYER_INPUTS = 64, PARAM_DIMS = 4 };

enum layer_kind {
#define LAYER(name) LAYER_##name,
#include "arch/layers.def"
#undef LAYER
	LAYER_KIND_COUNT
};

enum layer_family { /* colour and symbol in charts; groups of an ablation */
		    FAMILY_CONV,
		    FAMILY_DENSE,
		    FAMILY_POOL,
		    FAMILY_NORM,
		    FAMILY_ACTIVATION,
		    FAMILY_DROPOUT,
		    FAMILY_MERGE,
		    FAMILY_RESHAPE,
		    FAMILY_RECURRENT,
		    FAMILY_EMBEDDING,
		    FAMILY_OTHER,
		    FAMILY_COUNT
};

extern const char *const layer_family_names[]; /* "conv", "dense", ... NULL-terminated */

/* How a parameter starts. Fan-in and fan-out follow PyTorch: receptive field x channels per group. */
enum param_init {
	INIT_ZEROS,
	INIT_ONES,
	INIT_HE_NORMAL,      /* N(0, 2 / fan_in): He et al. 2015 */
	INIT_HE_UNIFORM,     /* U(+-sqrt(6 / fan_in)) */
	INIT_GLOROT_NORMAL,  /* N(0, 2 / (fan_in + fan_out)) */
	INIT_GLOROT_UNIFORM, /* U(+-sqrt(6 / (fan_in + fan_out))): Glorot and Bengio 2010 */
	INIT_TORCH,          /* U(+-1 / sqrt(fan_in)): PyTorch's default for conv and linear */
	INIT_NORMAL,         /* N(0, 1): embeddings */
	INIT_COUNT
};

extern const char *const param_init_names[]; /* "zeros", ... NULL-terminated: for OPT_ENUM */

enum param_role {
	PARAM_WEIGHT, /* weight decay applies */
	PARAM_BIAS,   /* no decay */
	PARAM_NORM,   /* scale and shift of a normalisation: no decay */
	PARAM_STAT    /* running statistics: not trained, not counted as parameters */
};

struct param_spec {
	const char *name; /* PyTorch's: "weight", "bias", "running_mean", "weight_ih_l0" */
	enum param_role role;
	enum param_init init;
	int rank;
	int d[PARAM_DIMS];       /* PyTorch's layout: conv [out][in/groups][kh][kw], dense [out][in] */
	int64_t fan_in, fan_out; /* for initialisers that need them */
};

static inline int64_t param_count(const struct param_spec *p)
{
	int64_t n = 1;

	for (int i = 0; i < p->rank; i++)
		n *= p->d[i];
	return n;
}

/* One call of the oracle. Tensors are dense, channels first, [batch][...shape]. Arrays have one entry per input,
 * output port or parameter, in order. */
struct layer_io {
	const void *cfg;
	int batch, n_in, n_out;
	const struct shape *in_shape, *out_shape;
	const double *const *in;
	double *const *out;   /* forward writes; backward reads */
	double *const *param; /* the training forward updates PARAM_STAT entries */
	bool training;        /* batch statistics, dropout active */
	const int *length;    /* [batch] valid steps of open sequences; NULL: all are full */
	/* backward only */
	const double *const *dout; /* an entry may be NULL: zero gradient */
	double *const *din;        /* added to; an entry may be NULL: not wanted */
	double *const *dparam;     /* added to; NULL for PARAM_STAT entries or when the layer is frozen */
	/* dropout: which units fall is a function of these alone */
	struct philox_key key; /* of (replicate seed, PURPOSE_DROPOUT, id hash of the layer) */
	uint32_t epoch;
	const uint32_t *sample; /* [batch] index of the example in the data set */
	struct arena *scratch;  /* reset by the caller after the call */
};

struct layer_class {
	const char *name;   /* the JSON key: "conv2d" */
	const char *symbol; /* one or two characters, unique among the kinds: for SNACs */
	const char *help;
	enum layer_family family;
	int min_in, max_in;
	bool commutes;          /* the order of the inputs does not matter (hash) */
	const struct opt *opts; /* number-like rows only; NULL-terminated table, never NULL */
	size_t cfg_size;
	const char *const *ports; /* names of the outputs, NULL-terminated; NULL: one, "out" */

	/* Checks the inputs, makes cfg explicit ("same" becomes numbers) and writes out[ports]. -1 with e (which may be
	 * NULL) if the layer does not fit: the message says why and what would fit. Must reject sizes over
	 * SHAPE_DIM_MAX. Called again with an explicit cfg it changes nothing. */
	int (*shape)(void *cfg, const struct shape *in, int n_in, struct shape *out, struct err *e);

	/* Writes the parameters into out[LAYER_PARAMS], returns their number. NULL: none. */
	int (*params)(const void *cfg, const struct shape *in, int n_in, struct param_spec *out);

	/* Multiply-adds of one example, forward, or -1 on overflow. NULL: counted as none. */
	int64_t (*macs)(const void *cfg, const struct shape *in, int n_in, const struct shape *out);

	void (*forward)(const struct layer_io *io);
	void (*backward)(const struct layer_io *io);
};

extern const struct layer_class *const layer_classes[LAYER_KIND_COUNT];

/* The kind of this name, or -1. */
int layer_find(const char *name);
/* The known name that is nearest to `name`, or NULL. */
const char *layer_suggest(const char *name);

/* Helpers for shape rules. Overflow-checked: -1 if the result exceeds SHAPE_DIM_MAX or is not positive. */
/* floor((in + before + after - dilation * (kernel - 1) - 1) / stride) + 1; ceil instead of floor if `up`, and then
 * the last window must start inside the input or the left padding (PyTorch's rule). */
int layer_window(int in, int kernel, int stride, int dilation, int before, int after, bool up);

#endif
