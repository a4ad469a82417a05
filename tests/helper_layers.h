/* tests/helper_layers.h - random cases of a layer kind: options, shapes, parameters, inputs, as the oracle takes them.
 * Options are drawn from the kind's option table, so a new kind is tested without an edit here.
 */
#ifndef NAB_TESTS_HELPER_LAYERS_H
#define NAB_TESTS_HELPER_LAYERS_H

#include "arch/kinds.h"
#include "base/mem.h"

struct layer_case {
	enum layer_kind kind;
	const struct layer_class *class;
	void *cfg; /* explicit */
	int n_in, n_out, n_params, batch;
	struct shape in_shape[LAYER_INPUTS], out_shape[LAYER_PORTS];
	struct param_spec spec[LAYER_PARAMS];
	int *length; /* NULL unless an input is open */
	double *in[LAYER_INPUTS], *din[LAYER_INPUTS];
	double *out[LAYER_PORTS], *dout[LAYER_PORTS];
	double *param[LAYER_PARAMS], *dparam[LAYER_PARAMS]; /* dparam NULL for PARAM_STAT */
	uint32_t *sample;
	struct layer_io io; /* points to all of the above */
	struct arena *arena, *scratch;
};

double random_between(struct rng *r, double low, double high);

/* One random option value within its bounds, kept small. */
void random_option(void *cfg, const struct opt *o, struct rng *r);

/* A random shape of at most `most` along each axis. */
struct shape random_shape(struct rng *r, enum tensor_type type, int most);

/* Draws until the shape rule accepts. Random numbers fill everything but the gradients din and dparam, which are zero;
 * inputs past the end of an example are zero, too, but dout is not: backward must not look there. Needs a kind with
 * min_in inputs of any type. */
void case_new(struct layer_case *c, enum layer_kind kind, struct rng *r);
/* The same for one input of this shape, and options that fit it. */
void case_of(struct layer_case *c, enum layer_kind kind, const void *cfg, struct shape in, int batch, struct rng *r);
void case_free(struct layer_case *c);

void case_forward(struct layer_case *c);
void case_backward(struct layer_case *c);
double case_loss(struct layer_case *c); /* runs forward; sum of dout * out over all ports */

/* Seed of this run: NAB_TEST_SEED, or a fixed one. */
uint64_t test_seed(void);

#endif
