/* tests/unit/test_otmann.c - the structural distance: published pairs to 1e-9, REMAP's twelve real models, the
 * transport problem against brute force over bases, and what holds for any two models. With --dump N it prints N random
 * problems as JSON lines for tests/unit/otmann_scipy.py instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/layer_string.h"
#include "arch/otmann.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/helper_data.h"
#include "tests/helper_files.h"
#include "tests/helper_graphs.h"
#include "tests/helper_layers.h"
#include "tests/helper_ok.h"
#include "tests/helper_skip.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void near(double is, double wanted, const char *what)
{
	if (!(fabs(is - wanted) <= 1e-9 * fabs(wanted) + 1e-9 * (wanted == 0)))
		fail_msg("%s: %.15g is not %.15g", what, is, wanted);
}

/* ---- networks from text --------------------------------------------------------------------------------- */

/* "ip conv3:16 ..." and "0-1 1-2 ..." */
static struct otmann *net_of(const char *layers, const char *edges, enum otmann_preset p, struct err *e)
{
	struct otmann_layer *l = ARENA_ARRAY(arena, struct otmann_layer, 64);
	struct otmann_edge *d = ARENA_ARRAY(arena, struct otmann_edge, 64);
	struct otmann_net net = { l, 0, d, 0 };
	char *text = arena_strdup(arena, layers), *save = NULL;
	struct otmann *m = NULL;

	for (char *t = strtok_r(text, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
		char *units = strchr(t, ':');

		l[net.n_layers].units = units ? atof(units + 1) : 0;
		l[net.n_layers++].label = t;
		if (units)
			*units = 0;
	}
	text = arena_strdup(arena, edges);
	for (char *t = strtok_r(text, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
		d[net.n_edges].from = atoi(t);
		d[net.n_edges++].to = atoi(strchr(t, '-') + 1);
	}
	return otmann_of_net(&m, &net, p, arena, e) < 0 ? NULL : m;
}

/* A chain: REMAP's models with their ip, softmax and op. */
static struct otmann *chain_of(const char *layers)
{
	char edges[512] = "", *text = arena_printf(arena, "ip %s softmax op", layers);
	struct err e = { 0 };
	struct otmann *m;
	int n = 0;

	for (const char *p = text; (p = strchr(p, ' ')); p++, n++)
		snprintf(edges + strlen(edges), sizeof edges - strlen(edges), "%d-%d ", n, n + 1);
	m = net_of(text, edges, OTMANN_REMAP, &e);
	if (!m)
		fail_msg("%s", e.msg);
	return m;
}

/* ---- published ------------------------------------------------------------------------------------------ */

static void remap_masses(void **state)
{
	static const struct {
		const char *layers;
		double mass[9];
	} known[] = {
		{ "conv3:16 dense:10", { 100, 16, 160, 100, 100 } },
		{ "pool3 pool5 conv3:16 dense:10", { 100, 1, 1, 16, 160, 100, 100 } },
		{ "conv1:16 pool5 conv5:32 dropout dense:10", { 188.8, 16, 16, 512, 1024, 320, 188.8, 188.8 } },
		{ "conv3:64 pool3 relu pool3 dense:10", { 492.8, 64, 64, 4096, 64, 640, 492.8, 492.8 } },
		{ "conv3:128 pool5 pool5 dense:10", { 166.4, 128, 128, 128, 1280, 166.4, 166.4 } },
		{ "conv5:16 pool5 conv3:128 dense:64 dropout dense:10",
		  { 1500.8, 16, 16, 2048, 8192, 4096, 640, 1500.8, 1500.8 } },
	};
	static const double d[6][6] = { { 0, 121.0, 2219.6, 6108.9, 1806.2, 19331.9 },
					{ 0, 0, 2099.3, 5996.85, 1694.15, 19211.85 },
					{ 0, 0, 0, 7088.8, 2985.6, 17470.0 },
					{ 0, 0, 0, 0, 6099.2, 22088.0 },
					{ 0, 0, 0, 0, 0, 18548.4 } };
	struct otmann *m[6];

	(void)state;
	for (int i = 0; i < 6; i++) {
		const double *mass;
		int n;

		m[i] = chain_of(known[i].layers);
		mass = otmann_masses(m[i], &n);
		for (int k = 0; k < n; k++)
			near(mass[k], known[i].mass[k], known[i].layers);
		assert_true(n == 9 || known[i].mass[n] == 0);
	}
	for (int i = 0; i < 6; i++)
		for (int k = i; k < 6; k++) {
			near(otmann_distance(m[i], m[k], &OTMANN_COST), d[i][k], known[i].layers);
			near(otmann_distance(m[k], m[i], &OTMANN_COST), d[i][k], known[i].layers);
		}
}

/* All 66 pairs of the twelve. */
static void remap_vectors(void **state)
{
	const char *path = real_data("remap/otmann_vectors.json");
	struct otmann *m[12];
	struct json *doc;
	int n = 0;

	(void)state;
	if (!path)
		SKIP_BECAUSE("no real data beside the checkout");
	OK(json_load(&doc, path, &bad));
	JSON_EACH(v, json_get(doc, "models")) {
		const char *layers = "";

		JSON_EACH(l, json_get(v, "layers"))
			layers = arena_printf(arena, "%s%s%s", layers, layers[0] ? " " : "", json_string(l));
		assert_in_range(n, 0, 11);
		m[n++] = chain_of(layers);
	}
	assert_int_equal(n, 12);
	n = 0;
	JSON_EACH(row, json_get(doc, "otmann")) {
		int k = 0;

		JSON_EACH(v, row)
			near(otmann_distance(m[n], m[k++], &OTMANN_COST), json_number(v), "a pair of the twelve");
		assert_int_equal(k, 12);
		n++;
	}
	assert_int_equal(n, 12);
	json_free(doc);
}

/* All 100 published models: the largest distance of their matrix is known. "pool5(max)" is pool5 there, and
 * "dropout:0.5" dropout. */
static void remap_largest(void **state)
{
	const char *path = real_data("remap/remap100.json");
	struct otmann *m[100];
	struct json *doc;
	double most = 0;
	int n = 0;

	(void)state;
	if (!path)
		SKIP_BECAUSE("no real data beside the checkout");
	OK(json_load(&doc, path, &bad));
	JSON_EACH(v, doc) {
		const char *layers = "";

		JSON_EACH(l, json_get(v, "layers")) {
			const char *t = json_string(l);
			int end = (int)(strncmp(t, "dropout", 7) == 0 ? 7 : strcspn(t, "("));

			layers = arena_printf(arena, "%s%s%.*s", layers, layers[0] ? " " : "", end, t);
		}
		assert_in_range(n, 0, 99);
		m[n++] = chain_of(layers);
	}
	assert_int_equal(n, 100);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < i; k++)
			most = fmax(most, otmann_distance(m[i], m[k], &OTMANN_COST));
	near(most, 464022.575, "the largest of the published matrix");
	json_free(doc);
}

static struct otmann *published[8];

static void build_nasbot(void)
{
	static const char *const nets[8][2] = {
		{ "ip op conv3:32 fc:16 conv3:16 conv3:8 conv3:8 softmax max-pool",
		  "0-4 3-7 4-5 4-6 5-2 6-2 7-1 2-8 8-3" },
		{ "ip conv3:16 conv3:16 conv3:32 fc:16 softmax op max-pool", "0-1 1-2 2-3 4-5 5-6 3-7 7-4" },
		{ "ip conv3:16 conv3:16 conv5:16 conv3:32 max-pool fc:32 softmax op",
		  "0-1 1-2 1-3 1-4 2-5 3-5 4-6 5-6 6-7 7-8" },
		{ "ip conv3:16 conv3:16 conv5:16 conv3:32 avg-pool conv5:32 fc:32 softmax op",
		  "0-1 1-2 1-3 1-4 2-5 3-5 4-6 5-7 6-7 7-8 8-9" },
		{ NULL, NULL },
		{ "ip conv3:16 conv3:16 conv3:32 fc:32 fc:32 op max-pool fc:32 softmax",
		  "0-1 1-2 2-3 4-5 5-9 3-7 7-4 4-8 8-9 9-6" },
		{ "ip conv3:16 conv3:16 conv3:32 fc:32 fc:32 op max-pool fc:32 softmax softmax",
		  "0-1 1-2 2-3 4-5 5-9 3-7 7-4 4-8 8-9 9-6 8-10 10-6" },
		{ "ip conv3:16 res3:16 res5:32 fc:32 fc:32 op max-pool fc:32 softmax softmax",
		  "0-1 1-2 2-3 4-5 5-9 3-7 7-4 4-8 8-9 9-6 8-10 10-6" },
	};
	struct err e = { 0 };

	for (int i = 0; i < 8; i++)
		if (nets[i][0] && !(published[i] = net_of(nets[i][0], nets[i][1], OTMANN_NASBOT_CNN, &e)))
			fail_msg("%s: %s", nets[i][0], e.msg);
}

static void nasbot_pairs(void **state)
{
	static const struct {
		int x, y;
		double d, most; /* as many digits as are published */
	} known[] = { { 0, 1, 0, 1e-9 },         { 0, 2, 943.9289, 5e-5 }, { 0, 3, 2182.84, 1e-9 },
		      { 2, 3, 1548.6844, 5e-5 }, { 0, 5, 584.76, 1e-9 },   { 2, 5, 1266.4978, 5e-5 },
		      { 3, 5, 2481.76, 1e-9 },   { 5, 6, 0, 1e-9 },        { 6, 7, 168.96, 1e-9 },
		      { 5, 7, 168.96, 1e-9 },    { 0, 7, 753.72, 1e-9 } };
	static const struct {
		int x, y;
		double dbar;
	} shares[] = { { 0, 2, .333893 }, { 2, 3, .332987 }, { 0, 5, .222566 }, { 6, 7, .057857 } };
	static const double masses[8] = { 1167.2, 1167.2, 1659.84, 2991.04, 0, 1460.16, 1460.16, 1460.16 };

	(void)state;
	build_nasbot();
	for (int i = 0; i < 8; i++)
		if (published[i])
			near(otmann_mass(published[i]), masses[i], "total mass");
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		double d = otmann_distance(published[known[i].x], published[known[i].y], &OTMANN_COST);

		if (!(fabs(d - known[i].d) <= known[i].most * fmax(known[i].most == 1e-9 ? known[i].d : 1, 1)))
			fail_msg("(%d, %d): %.12g is not %.12g", known[i].x, known[i].y, d, known[i].d);
	}
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
		assert_true(fabs(otmann_normalised(published[shares[i].x], published[shares[i].y], &OTMANN_COST) -
				 shares[i].dbar) < 5e-7);
}

static void structure_weights(void **state)
{
	static const double s[4] = { .1, .25, .61, 1.5 };
	static const double d02[4] = { 539.048889, 608.662222, 775.734222, 1143.973333 };
	static const double d23[4] = { 1367.348444, 1397.571111, 1470.105511, 1649.426667 };

	(void)state;
	build_nasbot();
	for (int i = 0; i < 4; i++) {
		struct otmann_cost c = { 1, s[i], 1 };

		/* the published figures have six decimals: 1e-9 relative */
		assert_true(fabs(otmann_distance(published[0], published[2], &c) - d02[i]) < 1e-9 * d02[i] + 5e-7);
		assert_true(fabs(otmann_distance(published[2], published[3], &c) - d23[i]) < 1e-9 * d23[i] + 5e-7);
	}
}

/* Worked by hand: same place, one activation for another. */
static void mlp_labels(void **state)
{
	struct err e = { 0 };
	struct otmann *relu = net_of("ip relu:16 linear op", "0-1 1-2 2-3", OTMANN_NASBOT_MLP, &e);
	struct otmann *elu = net_of("ip elu:16 linear op", "0-1 1-2 2-3", OTMANN_NASBOT_MLP, &e);
	struct otmann *tanh_ = net_of("ip tanh:16 linear op", "0-1 1-2 2-3", OTMANN_NASBOT_MLP, &e);

	(void)state;
	near(otmann_mass(relu), 316, "masses 100, 16, 100, 100");
	near(otmann_distance(relu, elu, &OTMANN_COST), 1.6, "both rectifiers");
	/* the groups differ as well: ip and linear see one rectifier ahead or behind, 3 of 9 lengths, and one sigmoid
	 * less: 6/9/2 each; the layer itself in both directions, 2 * 6/9/2; op behind it */
	near(otmann_distance(relu, tanh_, &OTMANN_COST), 16 * (0.25 + 2. / 3) + 3 * 100 / 3.,
	     "a rectifier and a sigmoid");
}

static void refused(const char *layers, const char *edges, enum otmann_preset p, const char *why)
{
	struct err e = { 0 };

	if (net_of(layers, edges, p, &e))
		fail_msg("%s %s was taken", layers, edges);
	assert_int_equal(e.code, ERR_INVALID);
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

static void bad_networks(void **state)
{
	(void)state;
	refused("ip conv3:8 op", "0-1 1-2", OTMANN_NASBOT_CNN, "softmax");
	refused("ip conv3:8 conv3:8 softmax op", "0-1 1-2 2-1 2-3 3-4", OTMANN_NASBOT_CNN, "cycle");
	refused("ip conv3:8 conv3:8 softmax op", "0-1 1-3 3-4", OTMANN_NASBOT_CNN, "no path");
	refused("ip ip softmax op", "0-2 1-2 2-3", OTMANN_NASBOT_CNN, "one ip");
	refused("ip softmax op", "0-1 1-5", OTMANN_NASBOT_CNN, "not there");
	refused("ip softmax op", "0-1 1-2", OTMANN_NAB, "models");
	refused("ip op softmax", "0-2 2-1 0-1", OTMANN_REMAP, "softmax");
}

/* ---- transport against brute force ---------------------------------------------------------------------- */

enum { UNITS = 6 };

/* Small whole masses: every unit is matched or left over, tried in every way. */
static double brute_force(const double cost[UNITS][UNITS], int n, int m, int row, unsigned taken)
{
	double best;

	if (row == n)
		return m - __builtin_popcount(taken);
	best = 1 + brute_force(cost, n, m, row + 1, taken);
	for (int k = 0; k < m; k++)
		if (!(taken & 1u << k))
			best = fmin(best, cost[row][k] + brute_force(cost, n, m, row + 1, taken | 1u << k));
	return best;
}

/* In the remap preset a chain of 1-channel pools and convolutions has masses of 1. The ends are made of the chains'
 * costs by the same formula, at their masses of 100. */
static double gap(double a, double b)
{
	return fabs(a - b);
}

static double pair(const int *x, int n, int i, const int *y, int m, int k)
{
	double conv_x[2] = { 0, 0 }, conv_y[2] = { 0, 0 }, place;

	/* layers before (with itself) and after, of all and of convolutions; the classifier and softmax are counted */
	for (int q = 0; q < n; q++)
		conv_x[q > i] += (x[q] < 3) && q != i;
	for (int q = 0; q < m; q++)
		conv_y[q > k] += (y[q] < 3) && q != k;
	place = 3 * gap(i, k) + 3 * gap(conv_x[0] + (x[i] < 3), conv_y[0] + (y[k] < 3)) + 3 * gap(n - i, m - k) +
		3 * gap(conv_x[1] + (x[i] < 3), conv_y[1] + (y[k] < 3));
	if ((x[i] < 3) != (y[k] < 3))
		return 1e9;
	return (x[i] == y[k]                         ? 0
		: x[i] < 3 && abs(x[i] - y[k]) == 2  ? 0.3
		: x[i] >= 3 && abs(x[i] - y[k]) == 2 ? 0.3
						     : 0.2) +
	       place / 24;
}

static void against_brute_force(void **state)
{
	static const char *const names[] = { "conv1:1", "conv3:1", "conv5:1", "pool2", "pool3", "pool5" };
	struct rng r;

	(void)state;
	rng_init(&r, test_seed(), 7);
	for (int round = 0; round < 300; round++) {
		int x[UNITS], y[UNITS], n = 1 + (int)rng_below(&r, UNITS), m = 1 + (int)rng_below(&r, UNITS), nx = 0,
					ny = 0;
		double cost[UNITS][UNITS], wanted, ends;
		const char *tx = "", *ty = "";

		for (int i = 0; i < n; i++) {
			x[i] = (int)rng_below(&r, 6);
			nx += x[i] < 3;
			tx = arena_printf(arena, "%s%s%s", tx, i ? " " : "", names[x[i]]);
		}
		for (int i = 0; i < m; i++) {
			y[i] = (int)rng_below(&r, 6);
			ny += y[i] < 3;
			ty = arena_printf(arena, "%s%s%s", ty, i ? " " : "", names[y[i]]);
		}
		for (int i = 0; i < n; i++)
			for (int k = 0; k < m; k++)
				cost[i][k] = pair(x, n, i, y, m, k);
		/* ip and op, softmax: 100 each, seen from one side */
		ends = fmin(2, (3 * gap(n, m) + 3 * gap(nx, ny)) / 24);
		wanted = brute_force(cost, n, m, 0, 0) + 300 * ends;
		near(otmann_distance(chain_of(tx), chain_of(ty), &OTMANN_COST), wanted,
		     arena_printf(arena, "%s | %s", tx, ty));
	}
}

/* ---- any two models ------------------------------------------------------------------------------------- */

static void properties(void **state)
{
	struct rng r;
	struct otmann *m[40];
	int triangles = 0, broken = 0;

	(void)state;
	rng_init(&r, test_seed(), 3);
	for (int p = 0; p < OTMANN_PRESET_COUNT; p++) {
		for (int i = 0; i < 40; i++) {
			struct err e = { 0 };

			if (otmann_of_graph(&m[i], random_graph(arena, &r), (enum otmann_preset)p, arena, &e) < 0)
				fail_msg("%s: %s", otmann_preset_names[p], e.msg);
		}
		for (int i = 0; i < 40; i++) {
			double total = otmann_mass(m[i]);

			assert_true(otmann_distance(m[i], m[i], &OTMANN_COST) <= 1e-9 * total);
			for (int k = 0; k < 40; k++) {
				double d = otmann_normalised(m[i], m[k], &OTMANN_COST);

				assert_true(d >= 0 && d <= 1 + 1e-12);
				assert_true(fabs(d - otmann_normalised(m[k], m[i], &OTMANN_COST)) <= 1e-9);
				for (int q = 0; q < 40 && k > i; q++) {
					triangles++;
					broken += otmann_distance(m[i], m[k], &OTMANN_COST) >
						  otmann_distance(m[i], m[q], &OTMANN_COST) +
						      otmann_distance(m[q], m[k], &OTMANN_COST) + 1e-6 * total;
				}
			}
		}
	}
	print_message("# %d of %d triangles broken\n", broken, triangles); /* not promised */
}

static struct otmann *model(const char *layers)
{
	struct otmann *m;
	struct err e = { 0 };
	struct graph *g = graph_of(
	    arena,
	    arena_printf(arena, "{'input': [1, 28, 28], 'classes': 10, 'layers': [%s, {'dense': {'units': 10}}]}",
			 layers));

	if (otmann_of_graph(&m, g, OTMANN_NAB, arena, &e) < 0)
		fail_msg("%s", e.msg);
	return m;
}

static double apart(const char *x, const char *y)
{
	return otmann_normalised(model(x), model(y), &OTMANN_COST);
}

/* The corrected preset tells apart what the published ones confuse, and orders what is plain to the eye. */
static void corrected(void **state)
{
#define C3(f) "{'conv2d': {'filters': " #f ", 'kernel': 3, 'padding': 'same'}}"
	const char *base = C3(16) ", 'relu', {'maxpool2d': {'size': 2}}, " C3(32) ", 'relu', 'globalavgpool'";
	const char *average = C3(16) ", 'relu', {'avgpool2d': {'size': 2}}, " C3(32) ", 'relu', 'globalavgpool'";
	const char *tanh_ = C3(16) ", 'tanh', {'maxpool2d': {'size': 2}}, " C3(32) ", 'relu', 'globalavgpool'";
	const char *gelu = C3(16) ", 'gelu', {'maxpool2d': {'size': 2}}, " C3(32) ", 'relu', 'globalavgpool'";
	const char *wider = C3(16) ", 'relu', {'maxpool2d': {'size': 2}}, " C3(64) ", 'relu', 'globalavgpool'";
	const char *other = "'flatten', {'dense': {'units': 64}}, 'tanh'";
	const char *same =
	    C3(16) ", 'identity', 'relu', {'maxpool2d': {'size': 2}}, " C3(32) ", 'relu', 'globalavgpool'";
	int n;
	const double *mass;

	(void)state;
	assert_true(apart(base, average) > 0);
	assert_true(apart(base, gelu) > 0 && apart(base, gelu) < apart(base, tanh_));
	assert_true(apart(base, average) < apart(base, wider) && apart(base, wider) < apart(base, other));
	assert_true(apart(base, same) == 0);
	assert_true(apart(base, other) > 0.5);
	mass = otmann_masses(model(base), &n); /* input, output, conv, relu, pool, conv, relu, pool, dense, decision */
	assert_int_equal(n, 10);
	for (int i = 0; i < 10; i++)
		near(mass[i], ((double[]){ 100, 100, 16, 16, 16, 512, 32, 32, 32, 100 })[i], "corrected masses");
	mass = otmann_masses(model(C3(16) ", {'depthwise2d': {'kernel': 3}}, {'conv2d': {'filters': 32, 'kernel': 1, "
					  "'groups': 4}}, 'flatten'"),
			     &n);
	for (int i = 2; i < 7; i++)
		near(mass[i], ((double[]){ 16, 16, 128, 32, 32 })[i - 2], "grouped and depthwise masses");
}

/* What graphs are to the published presets. */
static void published_graphs(void **state)
{
	struct graph *g = graph_of(
	    arena, "{'input': [1, 28, 28], 'classes': 10, 'layers': [" C3(
		       16) ", 'batchnorm', 'relu', {'maxpool2d': {'size': 3}}, 'flatten', "
			   "{'dropout': {'rate': 0.5}}, {'dense': {'units': 32}}, 'tanh', {'dense': {'units': 10}}]}");
	static const struct {
		enum otmann_preset p;
		const char *labels;
	} wanted[] = { { OTMANN_REMAP, "ip op conv3 relu pool3 dropout dense tanh dense softmax " },
		       { OTMANN_NASBOT_CNN, "ip op conv3 max-pool fc softmax " },
		       { OTMANN_NASBOT_MLP, "ip op conv3 max-pool tanh softmax " } };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct otmann *m;
		struct err e = { 0 };
		char text[256] = "";
		int n;

		assert_int_equal(otmann_of_graph(&m, g, wanted[i].p, arena, &e), 0);
		otmann_masses(m, &n);
		for (int k = 0; k < n; k++)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", otmann_label(m, k));
		assert_string_equal(text, wanted[i].labels);
	}
}

/* ---- layer strings -------------------------------------------------------------------------------------- */

static double edits(const char *x, const char *y, bool weighted)
{
	const char *form = "{'input': [1, 28, 28], 'classes': 10, 'layers': [%s, 'flatten', {'dense': {'units': 10}}]}";
	struct layer_string a = layer_string(graph_of(arena, arena_printf(arena, form, x)), arena);
	struct layer_string b = layer_string(graph_of(arena, arena_printf(arena, form, y)), arena);
	double d = layer_string_distance(&a, &b, weighted);

	assert_true(d == layer_string_distance(&b, &a, weighted));
	return d;
}

static void layer_strings(void **state)
{
	(void)state;
	assert_true(edits(C3(16), C3(16), false) == 0);
	assert_true(edits(C3(16), C3(64), false) == 0);
	assert_true(edits(C3(16), C3(64), true) == 0.75);
	assert_true(edits(C3(16) ", 'relu'", C3(16), true) == 1);
	assert_true(edits(C3(16) ", 'relu', " C3(8), C3(16) ", 'tanh'", false) == 2);
	assert_true(edits("{'dropout': {'rate': 0.2}}", "{'dropout': {'rate': 0.5}}", true) == 0.6);
	assert_true(edits("'relu', 'tanh', 'elu'", "'tanh', 'elu', 'relu'", false) == 2);
}

/* ---- for SciPy ------------------------------------------------------------------------------------------ */

static void print_net(const struct otmann *m, const struct otmann_edge *edges, int n_edges)
{
	int n;
	const double *mass = otmann_masses(m, &n);

	printf("{\"labels\": [");
	for (int i = 0; i < n; i++)
		printf("%s\"%s\"", i ? ", " : "", otmann_label(m, i));
	printf("], \"masses\": [");
	for (int i = 0; i < n; i++)
		printf("%s%.17g", i ? ", " : "", mass[i]);
	printf("], \"edges\": [");
	for (int i = 0; i < n_edges; i++)
		printf("%s[%d, %d]", i ? ", " : "", edges[i].from, edges[i].to);
	printf("]}");
}

/* A random network in NASBOT's terms: every layer reads one to three before it. */
static struct otmann *random_net(struct rng *r, struct otmann_edge edges[200], int *n_edges)
{
	static const char *const labels[] = { "conv3", "conv5", "conv7", "res3", "res5", "max-pool", "avg-pool", "fc" };
	struct otmann_layer l[32] = { { "ip", 0 } };
	int n = 2 + (int)rng_below(r, 14), inner = n, read[32] = { 0 };
	struct err e = { 0 };
	struct otmann *m;

	*n_edges = 0;
	for (int i = 1; i < n; i++) {
		l[i] = (struct otmann_layer){ labels[rng_below(r, 8)], 1 << rng_below(r, 6) };
		for (int k = 1 + (int)rng_below(r, 3), from = i - 1; k > 0 && from >= 0; k--) {
			edges[(*n_edges)++] = (struct otmann_edge){ from, i };
			read[from]++;
			from -= 1 + (int)rng_below(r, 3);
		}
	}
	l[n++] = (struct otmann_layer){ "softmax", 0 };
	l[n++] = (struct otmann_layer){ "op", 0 };
	for (int i = 0; i < inner; i++)
		if (!read[i])
			edges[(*n_edges)++] = (struct otmann_edge){ i, inner };
	edges[(*n_edges)++] = (struct otmann_edge){ inner, inner + 1 };
	if (otmann_of_net(&m, &(struct otmann_net){ l, n, edges, *n_edges }, OTMANN_NASBOT_CNN, arena, &e) < 0)
		exit(1);
	return m;
}

static int dump(int count)
{
	struct rng r;

	arena = arena_new();
	rng_init(&r, test_seed(), 11);
	for (int i = 0; i < count; i++) {
		struct otmann_edge ex[200], ey[200];
		int nx, ny;
		struct otmann_cost c = { 1, rng_below(&r, 2) ? 1 : 2 * rng_real(&r), 1 };
		const struct otmann *x = random_net(&r, ex, &nx), *y = random_net(&r, ey, &ny);

		printf("{\"s\": %.17g, \"x\": ", c.structure);
		print_net(x, ex, nx);
		printf(", \"y\": ");
		print_net(y, ey, ny);
		printf(", \"d\": %.17g}\n", otmann_distance(x, y, &c));
	}
	arena_free(arena);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(remap_masses, setup, teardown),
		cmocka_unit_test_setup_teardown(remap_vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(remap_largest, setup, teardown),
		cmocka_unit_test_setup_teardown(nasbot_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(structure_weights, setup, teardown),
		cmocka_unit_test_setup_teardown(mlp_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_networks, setup, teardown),
		cmocka_unit_test_setup_teardown(against_brute_force, setup, teardown),
		cmocka_unit_test_setup_teardown(properties, setup, teardown),
		cmocka_unit_test_setup_teardown(corrected, setup, teardown),
		cmocka_unit_test_setup_teardown(published_graphs, setup, teardown),
		cmocka_unit_test_setup_teardown(layer_strings, setup, teardown),
	};

	if (argc > 2 && strcmp(argv[1], "--dump") == 0)
		return dump(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
