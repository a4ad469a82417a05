/* bench/bench_distance.c - structural distances: all pairs of 1,000 different models of up to 20 layers (within 30 s on
 * two cores is promised), then their layout. Prints seconds on the clock and of the processor: the machine may be
 * shared. bench_distance [MODELS [SPACE]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arch/model.h"
#include "base/log.h"
#include "base/mds.h"
#include "base/mem.h"
#include "base/rng.h"
#include "report/distance.h"
#include "space/space.h"

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static int fill(struct distances *d, const char *path, int n, int *layers, struct arena *a, struct err *e)
{
	static const char *const dirs[] = { "configs/blocks" };
	static const struct block_path lib = { dirs, 1 };
	struct arena *each = arena_new();
	struct space_stats st = { 0 };
	struct space_target t;
	struct diag diag = { 0 };
	struct space *s;
	struct rng rng;
	int rc = -1;

	TRY(space_load(&s, path, &lib, a, &diag, e));
	TRY(space_own_target(s, &t));
	rng_init(&rng, 1, PURPOSE_SAMPLE);
	*layers = 0;
	while (distances_count(d) < n) {
		struct graph *g;

		arena_reset(each);
		TRY(space_sample(&g, s, &t, &rng, each, &st, e));
		if (g->n_nodes > 20 || g->n_nodes < 8)
			continue;
		TRY(distances_add_graph(d, g, e));
		*layers += g->n_nodes;
	}
	rc = 0;
out:
	diag_release(&diag);
	arena_free(each);
	return rc;
}

static int lay_out(const double *tri, int n, struct arena *a, struct err *e)
{
	double *d = ARENA_ARRAY(a, double, (size_t)n *(size_t)n), raw, start = clock_mono(), cpu = cpu_seconds();
	double(*x)[2] = arena_alloc(a, (size_t)n * sizeof *x);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			d[(size_t)i * (size_t)n + (size_t)k] = triangle_get(tri, i, k);
	if (mds_map(x, NULL, d, n, &raw, e) < 0)
		return -1;
	printf("layout of %d models: %.2f s, %.2f s of the processor; stress %.3f\n", n, clock_mono() - start,
	       cpu_seconds() - cpu, mds_stress1(raw, d, n));
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000, layers, *number;
	const char *space = argc > 2 ? argv[2] : "configs/spaces/remap.json";
	struct arena *a = arena_new();
	struct distances *d = distances_new(&(struct distance_opts){ .metric = MAP_STRUCTURE }, a);
	struct err e = { 0 };
	double *tri, start, cpu;
	char text[512];
	int rc = 1;

	if (n < 2 || fill(d, space, n, &layers, a, &e) < 0)
		goto out;
	number = ARENA_ARRAY(a, int, n);
	tri = ARENA_ARRAY(a, double, triangle_at(n, 0) + 1);
	for (int i = 0; i < n; i++)
		number[i] = i;
	start = clock_mono();
	cpu = cpu_seconds();
	distances_rows(d, tri, number, 0, n);
	printf("%lld pairs of %d models of %.1f layers on average: %.2f s, %.2f s of the processor\n",
	       (long long)triangle_at(n, 0), n, (double)layers / n, clock_mono() - start, cpu_seconds() - cpu);
	rc = lay_out(tri, n, a, &e) < 0;
out:
	if (rc)
		fprintf(stderr, "%s\n", err_text(&e, text, sizeof text));
	arena_free(a);
	return rc;
}
