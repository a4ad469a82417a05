/* export/torch_layer.c - every layer kind as PyTorch: the module that holds its parameters (named as in
 * arch/weights.h), and the expression that computes it. The semantics are those of arch/kinds.h: paddings per side (by
 * F.pad where PyTorch only knows equal ones), sequences channels first, PyTorch's sense of momentum.
 */
#include <stdio.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "export/torch.h"

static const char *boolean(bool b)
{
	return b ? "True" : "False";
}

void torch_pair(struct str *out, int a, int b)
{
	if (a == b)
		str_addf(out, "%d", a);
	else
		str_addf(out, "(%d, %d)", a, b);
}

static void add_pair(struct str *out, const char *before, const struct opt_pair *p)
{
	str_add(out, before);
	torch_pair(out, p->v[0], p->v[1]);
}

static bool even_pad(const struct opt_pad *p)
{
	return p->side[0] == p->side[2] && p->side[1] == p->side[3];
}

/* x, or F.pad(x, (left, right[, top, bottom])[, value=...]) */
static void padded(struct str *out, const char *x, const int side[4], bool one_d, const char *value)
{
	str_addf(out, "F.pad(%s, (%d, %d", x, side[1], side[3]);
	if (!one_d)
		str_addf(out, ", %d, %d", side[0], side[2]);
	str_addf(out, ")%s)", value);
}

/* ---- convolutions and dense ----------------------------------------------------------------------------- */

static void conv_tail(struct str *out, const struct opt_pad *pad, bool one_d, int groups, bool bias)
{
	if (!even_pad(pad)) {
		str_add(out, ", padding=0");
	} else {
		str_add(out, ", padding=");
		torch_pair(out, one_d ? pad->side[1] : pad->side[0], pad->side[1]);
	}
	if (groups > 1)
		str_addf(out, ", groups=%d", groups);
	str_addf(out, ", bias=%s)", boolean(bias));
}

static void conv2d_module(struct str *out, const struct torch_node *t)
{
	const struct conv2d *c = t->n->cfg;

	str_addf(out, "nn.Conv2d(%d, %d, ", t->in[0].d[0], c->filters);
	add_pair(out, "", &c->kernel);
	add_pair(out, ", stride=", &c->stride);
	if (c->dilation.v[0] != 1 || c->dilation.v[1] != 1)
		add_pair(out, ", dilation=", &c->dilation);
	conv_tail(out, &c->padding, false, c->groups, c->bias);
}

static void depthwise2d_module(struct str *out, const struct torch_node *t)
{
	const struct depthwise2d *c = t->n->cfg;
	int channels = t->in[0].d[0];

	str_addf(out, "nn.Conv2d(%d, %d, ", channels, channels * c->multiplier);
	add_pair(out, "", &c->kernel);
	add_pair(out, ", stride=", &c->stride);
	if (c->dilation.v[0] != 1 || c->dilation.v[1] != 1)
		add_pair(out, ", dilation=", &c->dilation);
	conv_tail(out, &c->padding, false, channels, c->bias);
}

static void conv1d_module(struct str *out, const struct torch_node *t)
{
	const struct conv1d *c = t->n->cfg;

	str_addf(out, "nn.Conv1d(%d, %d, %d, stride=%d", t->in[0].d[0], c->filters, c->kernel, c->stride);
	if (c->dilation != 1)
		str_addf(out, ", dilation=%d", c->dilation);
	conv_tail(out, &c->padding, true, c->groups, c->bias);
}

static void conv_call(struct str *out, const struct torch_node *t, const char *self, const struct opt_pad *pad,
		      bool one_d)
{
	str_addf(out, "%s(", self);
	if (even_pad(pad))
		str_add(out, t->arg[0]);
	else
		padded(out, t->arg[0], pad->side, one_d, "");
	str_addc(out, ')');
}

static void conv2d_call(struct str *out, const struct torch_node *t, const char *self)
{
	conv_call(out, t, self, &((const struct conv2d *)t->n->cfg)->padding, false);
}

static void depthwise2d_call(struct str *out, const struct torch_node *t, const char *self)
{
	conv_call(out, t, self, &((const struct depthwise2d *)t->n->cfg)->padding, false);
}

static void conv1d_call(struct str *out, const struct torch_node *t, const char *self)
{
	conv_call(out, t, self, &((const struct conv1d *)t->n->cfg)->padding, true);
}

static void dense_module(struct str *out, const struct torch_node *t)
{
	const struct dense *c = t->n->cfg;

	str_addf(out, "nn.Linear(%d, %d, bias=%s)", t->in[0].d[0], c->units, boolean(c->bias));
}

/* Layers that are their module. */
static void apply(struct str *out, const struct torch_node *t, const char *self)
{
	str_addf(out, "%s(%s)", self, t->arg[0]);
}

/* ---- pooling -------------------------------------------------------------------------------------------- */

/* PyTorch pads both sides alike and by half a window at most. */
static bool pool_is_plain(const struct pool2d *c)
{
	return even_pad(&c->padding) && 2 * c->padding.side[0] <= c->size.v[0] &&
	       2 * c->padding.side[1] <= c->size.v[1];
}

/* How far the last window reaches beyond the input and its padding, which only ceil allows: rows, columns. */
static void overhang(int over[2], const struct pool2d *c, const struct torch_node *t, bool one_d)
{
	for (int axis = 0; axis < 2; axis++) {
		int in = one_d ? (axis ? t->in[0].d[1] : 1) : t->in[0].d[1 + axis];
		int out = one_d ? (axis ? t->n->out[0].d[1] : 1) : t->n->out[0].d[1 + axis];
		int need = (out - 1) * c->stride.v[axis] + c->size.v[axis];

		over[axis] = need - in - c->padding.side[axis] - c->padding.side[axis + 2];
		over[axis] = over[axis] > 0 ? over[axis] : 0;
	}
}

static void pool_window(struct str *out, const struct pool2d *c, bool one_d)
{
	torch_pair(out, one_d ? c->size.v[1] : c->size.v[0], c->size.v[1]);
	str_add(out, ", stride=");
	torch_pair(out, one_d ? c->stride.v[1] : c->stride.v[0], c->stride.v[1]);
}

static void plain_pool(struct str *out, const char *function, const struct pool2d *c, const char *x, bool one_d)
{
	int rows = one_d ? c->padding.side[1] : c->padding.side[0], columns = c->padding.side[1];

	str_addf(out, "F.%s(%s, ", function, x);
	pool_window(out, c, one_d);
	if (rows || columns) {
		str_add(out, ", padding=");
		torch_pair(out, rows, columns);
	}
	if (c->ceil)
		str_add(out, ", ceil_mode=True");
	if (function[0] == 'a' && (rows || columns))
		str_addf(out, ", count_include_pad=%s", boolean(c->count_pad));
	str_addc(out, ')');
}

static void max_pool(struct str *out, const struct torch_node *t, const struct pool2d *c, bool one_d)
{
	int over[2], side[4];

	if (pool_is_plain(c)) {
		plain_pool(out, one_d ? "max_pool1d" : "max_pool2d", c, t->arg[0], one_d);
		return;
	}
	overhang(over, c, t, one_d);
	for (int i = 0; i < 4; i++)
		side[i] = c->padding.side[i] + (i >= 2 ? over[i - 2] : 0);
	str_addf(out, "F.max_pool%dd(", one_d ? 1 : 2);
	padded(out, t->arg[0], side, one_d, ", value=float(\"-inf\")");
	str_add(out, ", ");
	pool_window(out, c, one_d);
	str_addc(out, ')');
}

static void avg_pool(struct str *out, const struct torch_node *t, const struct pool2d *c, bool one_d)
{
	const int *s = c->padding.side;
	int over[2];

	if (pool_is_plain(c)) {
		plain_pool(out, one_d ? "avg_pool1d" : "avg_pool2d", c, t->arg[0], one_d);
		return;
	}
	overhang(over, c, t, one_d);
	str_addf(out, "avg_pool(%s, ", t->arg[0]);
	pool_window(out, c, one_d);
	str_addf(out, ", padding=(%d, %d", s[1], s[3]);
	if (!one_d)
		str_addf(out, ", %d, %d", s[0], s[2]);
	if (over[0] || over[1])
		str_addf(out, "), beyond=(0, %d, 0, %d", over[1], over[0]);
	str_addf(out, "), count_pad=%s)", boolean(c->count_pad));
}

static void maxpool2d_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	max_pool(out, t, t->n->cfg, false);
}

static void maxpool1d_call(struct str *out, const struct torch_node *t, const char *self)
{
	struct pool2d c = pool_as_2d(t->n->kind, t->n->cfg);

	(void)self;
	max_pool(out, t, &c, true);
}

static void avgpool2d_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	avg_pool(out, t, t->n->cfg, false);
}

static void avgpool1d_call(struct str *out, const struct torch_node *t, const char *self)
{
	struct pool2d c = pool_as_2d(t->n->kind, t->n->cfg);

	(void)self;
	avg_pool(out, t, &c, true);
}

static const char *positions(const struct torch_node *t)
{
	return t->in[0].type == TENSOR_IMAGE ? "(2, 3)" : "2";
}

static void globalavgpool_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	str_addf(out, "%s.mean(dim=%s)", t->arg[0], positions(t));
}

/* Not amax(): among equal values it would share the gradient out, where nab gives it to the first. */
static void globalmaxpool_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	str_addf(out, "F.adaptive_max_pool%dd(%s, 1).flatten(1)", t->in[0].type == TENSOR_IMAGE ? 2 : 1, t->arg[0]);
}

/* ---- normalisation -------------------------------------------------------------------------------------- */

static void batchnorm_module(struct str *out, const struct torch_node *t)
{
	const struct batchnorm *c = t->n->cfg;
	char eps[40], momentum[40];

	str_addf(out, "nn.BatchNorm%dd(%d, ", t->in[0].type == TENSOR_IMAGE ? 2 : 1, t->in[0].d[0]);
	if (t->norm_constant)
		str_add(out, "**NORM");
	else
		str_addf(out, "eps=%s, momentum=%s", py_real(eps, c->eps), py_real(momentum, c->momentum));
	str_addf(out, "%s)", c->affine ? "" : ", affine=False");
}

static void layernorm_module(struct str *out, const struct torch_node *t)
{
	const struct layernorm *c = t->n->cfg;
	const int *d = t->in[0].d;
	char eps[40];

	if (t->in[0].type == TENSOR_IMAGE)
		str_addf(out, "nn.LayerNorm((%d, %d, %d), ", d[0], d[1], d[2]);
	else
		str_addf(out, "nn.LayerNorm(%d, ", d[0]);
	str_addf(out, "eps=%s%s)", py_real(eps, c->eps), c->affine ? "" : ", elementwise_affine=False");
}

static void layernorm_call(struct str *out, const struct torch_node *t, const char *self)
{
	if (t->in[0].type == TENSOR_SEQUENCE)
		str_addf(out, "%s(%s.transpose(1, 2)).transpose(1, 2)", self, t->arg[0]);
	else
		apply(out, t, self);
}

static void groupnorm_module(struct str *out, const struct torch_node *t)
{
	const struct groupnorm *c = t->n->cfg;
	char eps[40];

	str_addf(out, "nn.GroupNorm(%d, %d, eps=%s%s)", c->groups, t->in[0].d[0], py_real(eps, c->eps),
		 c->affine ? "" : ", affine=False");
}

/* ---- functions of one argument -------------------------------------------------------------------------- */

#define FUNCTION(kind, text)                                                                   \
	static void kind##_call(struct str *out, const struct torch_node *t, const char *self) \
	{                                                                                      \
		(void)self;                                                                    \
		str_addf(out, text, t->arg[0]);                                                \
	}

FUNCTION(relu, "F.relu(%s)")
FUNCTION(relu6, "F.relu6(%s)")
FUNCTION(silu, "F.silu(%s)")
FUNCTION(hard_swish, "F.hardswish(%s)")
FUNCTION(tanh, "torch.tanh(%s)")
FUNCTION(sigmoid, "torch.sigmoid(%s)")
FUNCTION(softmax, "F.softmax(%s, dim=1)")
FUNCTION(flatten, "%s.flatten(1)")

static void dropout_call(struct str *out, const struct torch_node *t, const char *self)
{
	char rate[40];

	(void)self;
	str_addf(out, "F.dropout(%s, %s, training=self.training)", t->arg[0],
		 py_real(rate, ((const struct dropout *)t->n->cfg)->rate));
}

static void leaky_relu_call(struct str *out, const struct torch_node *t, const char *self)
{
	char slope[40];

	(void)self;
	str_addf(out, "F.leaky_relu(%s, %s)", t->arg[0], py_real(slope, ((const struct leaky_relu *)t->n->cfg)->slope));
}

static void elu_call(struct str *out, const struct torch_node *t, const char *self)
{
	char alpha[40];

	(void)self;
	str_addf(out, "F.elu(%s, alpha=%s)", t->arg[0], py_real(alpha, ((const struct elu *)t->n->cfg)->alpha));
}

static void gelu_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	str_addf(out, "F.gelu(%s%s)", t->arg[0],
		 ((const struct gelu *)t->n->cfg)->approximate ? ", approximate=\"tanh\"" : "");
}

static void reshape_call(struct str *out, const struct torch_node *t, const char *self)
{
	const struct reshape *c = t->n->cfg;

	(void)self;
	str_addf(out, "%s.reshape(-1", t->arg[0]);
	for (int i = 0; i < c->shape.n; i++)
		str_addf(out, ", %d", c->shape.v[i]);
	str_addc(out, ')');
}

static void zeropad2d_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	padded(out, t->arg[0], ((const struct zeropad2d *)t->n->cfg)->padding.side, false, "");
}

static void upsample2d_call(struct str *out, const struct torch_node *t, const char *self)
{
	const struct upsample2d *c = t->n->cfg;

	(void)self;
	str_addf(out, "F.interpolate(%s", t->arg[0]);
	add_pair(out, ", scale_factor=", &c->factor);
	str_add(out, c->mode ? ", mode=\"bilinear\", align_corners=False)" : ", mode=\"nearest\")");
}

static void zero_call(struct str *out, const struct torch_node *t, const char *self)
{
	int s = ((const struct zero *)t->n->cfg)->stride;

	(void)self;
	str_addf(out, "torch.zeros_like(%s", t->arg[0]);
	if (s > 1 && t->in[0].type == TENSOR_IMAGE)
		str_addf(out, "[:, :, ::%d, ::%d]", s, s);
	else if (s > 1)
		str_addf(out, "[:, :, ::%d]", s);
	str_addc(out, ')');
}

static void identity_module(struct str *out, const struct torch_node *t)
{
	(void)t;
	str_add(out, "nn.Identity()");
}

/* ---- merges --------------------------------------------------------------------------------------------- */

static void join(struct str *out, const struct torch_node *t, const char *between)
{
	for (int i = 0; i < t->n->n_in; i++)
		str_addf(out, "%s%s", i ? between : "", t->arg[i]);
}

static void add_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	join(out, t, " + ");
}

static void multiply_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	join(out, t, " * ");
}

static void concat_call(struct str *out, const struct torch_node *t, const char *self)
{
	(void)self;
	str_add(out, "torch.cat((");
	join(out, t, ", ");
	str_add(out, "), dim=1)");
}

/* ---- sequences ------------------------------------------------------------------------------------------ */

static void embedding_module(struct str *out, const struct torch_node *t)
{
	const struct embedding *c = t->n->cfg;

	str_addf(out, "nn.Embedding(%d, %d)", c->vocabulary, c->features);
}

static void embedding_call(struct str *out, const struct torch_node *t, const char *self)
{
	str_addf(out, "%s(%s).transpose(1, 2)", self, t->arg[0]);
}

static void recurrent_module(struct str *out, const struct torch_node *t)
{
	const struct rnn *c = t->n->cfg;
	const char *name = t->n->kind == LAYER_rnn ? "RNN" : t->n->kind == LAYER_gru ? "GRU" : "LSTM";

	str_addf(out, "nn.%s(%d, %d, ", name, t->in[0].d[0], c->units);
	if (t->n->kind == LAYER_rnn)
		str_addf(out, "nonlinearity=\"%s\", ", c->activation ? "relu" : "tanh");
	str_addf(out, "bias=%s, bidirectional=%s, batch_first=True)", boolean(c->bias), boolean(c->bidirectional));
}

static void recurrent_call(struct str *out, const struct torch_node *t, const char *self)
{
	const struct rnn *c = t->n->cfg;

	str_addf(out, "recurrent(%s, %s%s%s)", self, t->arg[0], c->last ? ", last=True" : "",
		 c->bidirectional && c->merge ? ", add=True" : "");
}

/* ---- the table ------------------------------------------------------------------------------------------ */

const struct torch_kind torch_kinds[LAYER_KIND_COUNT] = {
	[LAYER_conv1d] = { conv1d_module, conv1d_call },
	[LAYER_conv2d] = { conv2d_module, conv2d_call },
	[LAYER_depthwise2d] = { depthwise2d_module, depthwise2d_call },
	[LAYER_dense] = { dense_module, apply },
	[LAYER_maxpool1d] = { NULL, maxpool1d_call },
	[LAYER_maxpool2d] = { NULL, maxpool2d_call },
	[LAYER_avgpool1d] = { NULL, avgpool1d_call },
	[LAYER_avgpool2d] = { NULL, avgpool2d_call },
	[LAYER_globalavgpool] = { NULL, globalavgpool_call },
	[LAYER_globalmaxpool] = { NULL, globalmaxpool_call },
	[LAYER_batchnorm] = { batchnorm_module, apply },
	[LAYER_layernorm] = { layernorm_module, layernorm_call },
	[LAYER_groupnorm] = { groupnorm_module, apply },
	[LAYER_dropout] = { NULL, dropout_call },
	[LAYER_relu] = { NULL, relu_call },
	[LAYER_relu6] = { NULL, relu6_call },
	[LAYER_leaky_relu] = { NULL, leaky_relu_call },
	[LAYER_elu] = { NULL, elu_call },
	[LAYER_gelu] = { NULL, gelu_call },
	[LAYER_silu] = { NULL, silu_call },
	[LAYER_hard_swish] = { NULL, hard_swish_call },
	[LAYER_tanh] = { NULL, tanh_call },
	[LAYER_sigmoid] = { NULL, sigmoid_call },
	[LAYER_softmax] = { NULL, softmax_call },
	[LAYER_flatten] = { NULL, flatten_call },
	[LAYER_reshape] = { NULL, reshape_call },
	[LAYER_add] = { NULL, add_call },
	[LAYER_concat] = { NULL, concat_call },
	[LAYER_multiply] = { NULL, multiply_call },
	[LAYER_zeropad2d] = { NULL, zeropad2d_call },
	[LAYER_upsample2d] = { NULL, upsample2d_call },
	[LAYER_identity] = { identity_module, apply },
	[LAYER_zero] = { NULL, zero_call },
	[LAYER_embedding] = { embedding_module, embedding_call },
	[LAYER_rnn] = { recurrent_module, recurrent_call },
	[LAYER_gru] = { recurrent_module, recurrent_call },
	[LAYER_lstm] = { recurrent_module, recurrent_call },
	[LAYER_choice] = { NULL, NULL }, /* a super-network is no network yet */
};

unsigned torch_needs(const struct graph *g, int node)
{
	const struct node *n = &g->nodes[node];
	struct pool2d wide;

	switch (layer_classes[n->kind]->family) {
	case FAMILY_RECURRENT:
		return TORCH_RECURRENT;
	case FAMILY_POOL:
		if (n->kind != LAYER_avgpool1d && n->kind != LAYER_avgpool2d)
			return 0;
		wide = pool_as_2d(n->kind, n->cfg);
		return pool_is_plain(&wide) ? 0 : TORCH_AVGPOOL;
	case FAMILY_CONV:
	case FAMILY_DENSE:
	case FAMILY_NORM:
	case FAMILY_ACTIVATION:
	case FAMILY_DROPOUT:
	case FAMILY_MERGE:
	case FAMILY_RESHAPE:
	case FAMILY_EMBEDDING:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return 0;
}
