/* tests/helper_layers.c - see helper_layers.h. */
#include "tests/helper_layers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/opt.h"

uint64_t test_seed(void)
{
	const char *s = getenv("NAB_TEST_SEED");

	return s ? strtoull(s, NULL, 10) : 20240601;
}

double random_between(struct rng *r, double low, double high)
{
	return low + (high - low) * rng_real(r);
}

static int random_int(struct rng *r, int low, int high)
{
	return low + (int)rng_below(r, (uint32_t)(high - low + 1));
}

static int small_int(const struct opt *o, struct rng *r, int span)
{
	int low = (int)o->min, high = o->max < low + span ? (int)o->max : low + span;

	return random_int(r, low, high);
}

static void random_pad(struct opt_pad *p, struct rng *r)
{
	memset(p, 0, sizeof *p);
	if (rng_below(r, 4) == 0)
		p->same = 1;
	else if (rng_below(r, 2))
		for (int i = 0; i < 4; i++)
			p->side[i] = random_int(r, 0, 2);
}

/* -1 to begin with stands for "whatever fits" (reshape). */
static void random_list(struct opt_ints *l, const struct opt *o, struct rng *r)
{
	memset(l, 0, sizeof *l);
	l->n = random_int(r, 1, 3);
	for (int i = 0; i < l->n; i++)
		l->v[i] = o->min < 0 && rng_below(r, 3) == 0 ? -1 : random_int(r, 1, 4);
}

void random_option(void *cfg, const struct opt *o, struct rng *r)
{
	void *f = (char *)cfg + o->offset;
	int names = 0;

	switch (o->type) {
	case OPT_T_INT:
		*(int *)f = small_int(o, r, 3);
		break;
	case OPT_T_REAL:
		if (rng_below(r, 2) || o->max <= o->min)
			*(double *)f = o->def;
		else
			*(double *)f = random_between(r, o->min, o->max > 1 ? 1 : 0.9 * o->max);
		break;
	case OPT_T_BOOL:
		*(bool *)f = rng_below(r, 2);
		break;
	case OPT_T_ENUM:
		while (o->names[names])
			names++;
		*(int *)f = random_int(r, 0, names - 1);
		break;
	case OPT_T_PAIR:
		*(struct opt_pair *)f = (struct opt_pair){ { small_int(o, r, 2), small_int(o, r, 2) } };
		break;
	case OPT_T_PAD:
		random_pad(f, r);
		break;
	case OPT_T_INTS:
		random_list(f, o, r);
		break;
	case OPT_T_LONG:
	case OPT_T_STR:
	case OPT_T_STRS:
	case OPT_T_GROUP:
	case OPT_T_JSON:
	case OPT_T_END:
		assert(!"layer options are numbers, choices and lists of numbers");
	}
}

struct shape random_shape(struct rng *r, enum tensor_type type, int most)
{
	struct shape s = { .type = type };

	for (int i = 0; i < shape_rank(&s); i++)
		s.d[i] = random_int(r, 1, most);
	if (type == TENSOR_SEQUENCE || type == TENSOR_TOKENS)
		s.open = rng_below(r, 2);
	return s;
}

/* Inputs of one shape, or (for concat) of different channels. */
static void random_inputs(struct layer_case *c, struct rng *r)
{
	int most = c->class->max_in < c->class->min_in + 2 ? c->class->max_in : c->class->min_in + 2;
	bool vary = rng_below(r, 2);

	c->n_in = random_int(r, c->class->min_in, most);
	c->in_shape[0] = random_shape(r, (enum tensor_type)rng_below(r, TENSOR_TYPE_COUNT), 6);
	for (int i = 1; i < c->n_in; i++) {
		c->in_shape[i] = c->in_shape[0];
		if (vary)
			c->in_shape[i].d[0] = random_int(r, 1, 5);
	}
}

static bool try_shapes(struct layer_case *c, struct rng *r)
{
	random_inputs(c, r);
	memset(c->cfg, 0, c->class->cfg_size);
	for (const struct opt *o = c->class->opts; o->name; o++)
		random_option(c->cfg, o, r);
	memset(c->out_shape, 0, sizeof c->out_shape);
	if (c->class->shape(c->cfg, c->in_shape, c->n_in, c->out_shape, NULL) < 0)
		return false;
	return shape_count(&c->out_shape[0]) <= 600;
}

/* end: zero past the end of each example, as every tensor of a net is. */
static double *random_tensor(struct layer_case *c, const struct shape *s, bool end, struct rng *r)
{
	int64_t count = shape_count(s), steps = s->d[s->type == TENSOR_SEQUENCE];
	double *t = ARENA_ARRAY(c->arena, double, count * c->batch);

	for (int64_t i = 0; i < count * c->batch; i++) {
		t[i] = random_between(r, -2, 2);
		if (end && s->open && i % steps >= c->length[i / count])
			t[i] = 0;
	}
	return t;
}

/* Running variances must be positive; everything else has either sign. */
static double *random_param(struct layer_case *c, const struct param_spec *p, struct rng *r)
{
	double *w = ARENA_ARRAY(c->arena, double, param_count(p));

	for (int64_t i = 0; i < param_count(p); i++)
		w[i] = p->role == PARAM_STAT ? random_between(r, 0.5, 2) : random_between(r, -1, 1);
	return w;
}

static void fill_tensors(struct layer_case *c, struct rng *r)
{
	for (int i = 0; i < c->n_in; i++) {
		int64_t n = shape_count(&c->in_shape[i]) * c->batch;

		c->in[i] = random_tensor(c, &c->in_shape[i], true, r);
		c->din[i] = ARENA_ARRAY(c->arena, double, n);
		for (int64_t k = 0; c->in_shape[i].type == TENSOR_TOKENS && k < n; k++)
			c->in[i][k] = 0;
	}
	for (int i = 0; i < c->n_out; i++) {
		c->dout[i] = random_tensor(c, &c->out_shape[i], false, r); /* past the end: must not count */
		c->out[i] = random_tensor(c, &c->out_shape[i], false, r);  /* what forward must overwrite */
	}
	c->n_params = c->class->params ? c->class->params(c->cfg, c->in_shape, c->n_in, c->spec) : 0;
	for (int i = 0; i < c->n_params; i++) {
		c->param[i] = random_param(c, &c->spec[i], r);
		if (c->spec[i].role != PARAM_STAT)
			c->dparam[i] = ARENA_ARRAY(c->arena, double, param_count(&c->spec[i]));
	}
	if (c->kind == LAYER_embedding)
		for (int64_t k = 0; k < shape_count(c->in_shape) * c->batch; k++)
			c->in[0][k] = rng_below(r, (uint32_t)((struct embedding *)c->cfg)->vocabulary);
}

static void random_lengths(struct layer_case *c, struct rng *r)
{
	const struct shape *s = c->in_shape;
	int steps = s->d[s->type == TENSOR_SEQUENCE];

	if (!s->open)
		return;
	c->length = ARENA_ARRAY(c->arena, int, c->batch);
	for (int n = 0; n < c->batch; n++)
		c->length[n] = random_int(r, 1, steps);
}

static void case_start(struct layer_case *c, enum layer_kind kind)
{
	*c = (struct layer_case){ .kind = kind, .class = layer_classes[kind], .arena = arena_new() };
	c->scratch = arena_new();
	c->cfg = arena_alloc(c->arena, c->class->cfg_size);
}

static void case_fill(struct layer_case *c, struct rng *r)
{
	c->n_out = 1;
	while (c->class->ports && c->class->ports[c->n_out])
		c->n_out++;
	random_lengths(c, r);
	fill_tensors(c, r);
	c->sample = ARENA_ARRAY(c->arena, uint32_t, c->batch);
	for (int n = 0; n < c->batch; n++)
		c->sample[n] = rng_u32(r);
	c->io = (struct layer_io){ .cfg = c->cfg,
				   .batch = c->batch,
				   .n_in = c->n_in,
				   .n_out = c->n_out,
				   .in_shape = c->in_shape,
				   .out_shape = c->out_shape,
				   .in = (const double *const *)c->in,
				   .out = c->out,
				   .param = c->param,
				   .training = rng_below(r, 3) > 0,
				   .length = c->length,
				   .dout = (const double *const *)c->dout,
				   .din = c->din,
				   .dparam = c->dparam,
				   .key = { { rng_u32(r), rng_u32(r) } },
				   .epoch = rng_below(r, 100),
				   .sample = c->sample,
				   .scratch = c->scratch };
}

void case_new(struct layer_case *c, enum layer_kind kind, struct rng *r)
{
	case_start(c, kind);
	while (!try_shapes(c, r))
		;
	c->batch = random_int(r, 1, 3);
	case_fill(c, r);
}

void case_of(struct layer_case *c, enum layer_kind kind, const void *cfg, struct shape in, int batch, struct rng *r)
{
	int rc;

	case_start(c, kind);
	memcpy(c->cfg, cfg, c->class->cfg_size);
	c->n_in = 1;
	c->in_shape[0] = in;
	c->batch = batch;
	rc = c->class->shape(c->cfg, c->in_shape, 1, c->out_shape, NULL);
	assert(rc == 0);
	(void)rc;
	case_fill(c, r);
}

void case_free(struct layer_case *c)
{
	arena_free(c->arena);
	arena_free(c->scratch);
}

void case_forward(struct layer_case *c)
{
	c->class->forward(&c->io);
	arena_reset(c->scratch);
}

void case_backward(struct layer_case *c)
{
	c->class->backward(&c->io);
	arena_reset(c->scratch);
}

double case_loss(struct layer_case *c)
{
	double sum = 0;

	case_forward(c);
	for (int p = 0; p < c->n_out; p++)
		for (int64_t i = 0; i < shape_count(&c->out_shape[p]) * c->batch; i++)
			sum += c->dout[p][i] * c->out[p][i];
	return sum;
}
