/* arch/otmann_labels.c - the presets of otmann.h: labels, how unlike two are, groups of layers. */
#include "arch/otmann_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

const char *const otmann_preset_names[] = { "nab", "remap", "nasbot-cnn", "nasbot-mlp", NULL };

bool label_equal(const struct label *x, const struct label *y)
{
	return x->type == y->type && x->dims == y->dims && x->side == y->side && x->stride == y->stride &&
	       x->dilation == y->dilation && x->rate == y->rate && x->grouping == y->grouping &&
	       x->average == y->average && x->directions == y->directions && strcmp(x->text, y->text) == 0;
}

uint64_t label_family(const struct label *l)
{
	switch (l->type) {
	case LABEL_IP:
	case LABEL_OP:
	case LABEL_DENSE:
	case LABEL_NORM:
	case LABEL_MERGE:
	case LABEL_RECURRENT:
	case LABEL_DROPOUT:
	case LABEL_RESHAPE:
		return l->type;
	case LABEL_RES:
	case LABEL_CONV:
		return LABEL_CONV + 100 * (unsigned)l->dims;
	case LABEL_POOL:
		return LABEL_POOL + 100 * (unsigned)l->dims;
	case LABEL_RECTIFIER:
	case LABEL_SIGMOID:
	case LABEL_ACTIVATION:
		return LABEL_ACTIVATION;
	case LABEL_DECISION:
	case LABEL_OTHER:
	case LABEL_TYPE_COUNT:
		break;
	}
	return hash64_text(l->text) | 1ull << 63;
}

/* ---- nab ------------------------------------------------------------------------------------------------ */

static double side_gap(double a, double b)
{
	return sqrt(2) / 10 * sqrt(fabs(a - b));
}

static double unlike_conv(const struct label *x, const struct label *y)
{
	double u = side_gap(x->side, y->side);

	u += x->stride != y->stride ? 0.1 : 0;
	u += x->dilation != y->dilation ? 0.1 : 0;
	u += x->grouping != y->grouping ? 0.1 : 0;
	return fmin(u, 1);
}

static double unlike_pool(const struct label *x, const struct label *y)
{
	double u = x->average != y->average ? 0.5 : 0;

	if ((x->side == 0) != (y->side == 0))
		u += 0.5;
	else
		u += side_gap(x->side, y->side) + (x->stride != y->stride ? 0.1 : 0);
	return fmin(u, 1);
}

static double unlike_activation(const struct label *x, const struct label *y)
{
	if (strcmp(x->text, y->text) == 0)
		return 0;
	return x->type == y->type && x->type != LABEL_ACTIVATION ? 0.1 : 0.25;
}

static double unlike_recurrent(const struct label *x, const struct label *y)
{
	double u = x->directions != y->directions ? 0.1 : 0;
	bool simple = strcmp(x->text, "rnn") == 0 || strcmp(y->text, "rnn") == 0;

	if (strcmp(x->text, y->text) == 0)
		return u;
	return u + (simple ? 0.25 : 0.1);
}

static double by_text(const struct label *x, const struct label *y, double otherwise)
{
	return strcmp(x->text, y->text) == 0 ? 0 : otherwise;
}

static double nab_mismatch(const struct label *x, const struct label *y)
{
	switch (x->type) {
	case LABEL_CONV:
		return unlike_conv(x, y);
	case LABEL_POOL:
		return unlike_pool(x, y);
	case LABEL_RECTIFIER:
	case LABEL_SIGMOID:
	case LABEL_ACTIVATION:
		return unlike_activation(x, y);
	case LABEL_NORM:
	case LABEL_RESHAPE:
		return by_text(x, y, 0.25);
	case LABEL_MERGE:
		return by_text(x, y, 0.5);
	case LABEL_RECURRENT:
		return unlike_recurrent(x, y);
	case LABEL_DROPOUT:
		return fabs(x->rate - y->rate);
	case LABEL_IP:
	case LABEL_OP:
	case LABEL_DECISION:
	case LABEL_RES:
	case LABEL_DENSE:
	case LABEL_OTHER:
	case LABEL_TYPE_COUNT:
		break;
	}
	return by_text(x, y, (double)INFINITY);
}

static bool nab_member(const struct label *l, int group)
{
	if (group == 0)
		return true;
	if (group == 1)
		return l->type == LABEL_CONV;
	if (group == 2)
		return l->type == LABEL_POOL;
	return l->type == LABEL_DENSE || l->type == LABEL_RECURRENT;
}

/* ---- as published --------------------------------------------------------------------------------------- */

/* A conv against a residual layer: what their sides differ by, and a tenth of the way to 1. */
static double cnn_mismatch(const struct label *x, const struct label *y)
{
	double r = side_gap(x->side, y->side);

	if (x->type == LABEL_POOL)
		return by_text(x, y, 0.5);
	if (x->type != LABEL_CONV && x->type != LABEL_RES)
		return by_text(x, y, (double)INFINITY);
	if (x->type == y->type || r > 1)
		return r;
	return 0.9 * r + 0.1;
}

static bool cnn_member(const struct label *l, int group)
{
	return group == 0 || (group == 1 && (l->type == LABEL_CONV || l->type == LABEL_RES)) ||
	       (group == 2 && l->type == LABEL_POOL) || (group == 3 && l->type == LABEL_DENSE);
}

static double mlp_mismatch(const struct label *x, const struct label *y)
{
	if (strcmp(x->text, y->text) == 0)
		return 0;
	if (label_family(x) != LABEL_ACTIVATION)
		return (double)INFINITY;
	return x->type == y->type ? 0.1 : 0.25;
}

static bool mlp_member(const struct label *l, int group)
{
	return group == 0 || l->type == (group == 1 ? LABEL_RECTIFIER : LABEL_SIGMOID);
}

/* The sides in its table, in order: neighbours differ by 0.2, the others by 0.3. */
static double remap_sides(double a, double b, const double known[3])
{
	int x = -1, y = -1;

	for (int i = 0; i < 3; i++) {
		x = known[i] == a ? i : x;
		y = known[i] == b ? i : y;
	}
	if (a == b)
		return 0;
	if (x < 0 || y < 0)
		return (double)INFINITY;
	return abs(x - y) == 1 ? 0.2 : 0.3;
}

static double remap_mismatch(const struct label *x, const struct label *y)
{
	static const double conv[] = { 1, 3, 5 }, pool[] = { 2, 3, 5 };

	if (x->type == LABEL_CONV)
		return remap_sides(x->side, y->side, conv);
	if (x->type == LABEL_POOL)
		return remap_sides(x->side, y->side, pool);
	return mlp_mismatch(x, y);
}

/* REMAP's labels of pooling and dense layers are not those that the code of the groups looks for. */
static bool remap_member(const struct label *l, int group)
{
	return group == 0 || (group == 1 && l->type == LABEL_CONV);
}

const struct preset otmann_presets[OTMANN_PRESET_COUNT] = {
	[OTMANN_NAB] = { 4, 0.1, nab_member, nab_mismatch },
	[OTMANN_REMAP] = { 4, 1, remap_member, remap_mismatch },
	[OTMANN_NASBOT_CNN] = { 4, 0.1, cnn_member, cnn_mismatch },
	[OTMANN_NASBOT_MLP] = { 3, 1, mlp_member, mlp_mismatch },
};

static enum label_type activation_type(const char *text)
{
	static const char *const rectifiers[] = { "relu", "crelu", "leaky-relu", "softplus", "elu" };
	static const char *const sigmoids[] = { "logistic", "sigmoid", "tanh" };

	for (int i = 0; i < 5; i++)
		if (strcmp(text, rectifiers[i]) == 0)
			return LABEL_RECTIFIER;
	for (int i = 0; i < 3; i++)
		if (strcmp(text, sigmoids[i]) == 0)
			return LABEL_SIGMOID;
	return LABEL_OTHER;
}

static double number_after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);
	char *end;
	double v;

	if (strncmp(text, prefix, n) != 0 || !text[n])
		return 0;
	v = strtod(text + n, &end);
	return *end ? 0 : v;
}

struct label label_read(const char *text, enum otmann_preset p)
{
	struct label l = { .type = LABEL_OTHER, .text = text };
	bool cnn = p == OTMANN_NASBOT_CNN, mlp = p == OTMANN_NASBOT_MLP;

	if (strcmp(text, "ip") == 0)
		l.type = LABEL_IP;
	else if (strcmp(text, "op") == 0)
		l.type = LABEL_OP;
	else if (strcmp(text, "softmax") == 0 || strcmp(text, "linear") == 0)
		l.type = LABEL_DECISION;
	else if (strcmp(text, cnn ? "fc" : "dense") == 0)
		l.type = LABEL_DENSE;
	else if (cnn && (strcmp(text, "max-pool") == 0 || strcmp(text, "avg-pool") == 0))
		l.type = LABEL_POOL;
	else if (!mlp && (l.side = number_after(text, "conv")) > 0)
		l.type = LABEL_CONV;
	else if (cnn && (l.side = number_after(text, "res")) > 0)
		l.type = LABEL_RES;
	else if (!cnn && !mlp && (l.side = number_after(text, "pool")) > 0)
		l.type = LABEL_POOL;
	else if (!cnn)
		l.type = activation_type(text);
	return l;
}
