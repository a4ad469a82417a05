/* bench/bench_space.c - architectures per second on one core: drawn, checked, costed and hashed, for every space given
 * (default: remap, where 100,000 are promised). Prints "space architectures/s rejected".
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/space.h"

static int bench(const char *path, int n)
{
	static const char *const dirs[] = { "configs/blocks" };
	static const struct block_path lib = { dirs, 1 };
	struct arena *run = arena_new(), *each = arena_new();
	struct space_stats st = { 0 };
	struct space_target t;
	struct diag d = { 0 };
	struct err e = { 0 };
	struct space *s;
	struct rng rng;
	char text[512];
	uint64_t sum = 0;
	double best = 0;
	int rc = -1;

	if (space_load(&s, path, &lib, run, &d, &e) < 0 || space_own_target(s, &t) < 0)
		goto out;
	rng_init(&rng, 1, PURPOSE_SAMPLE);
	for (int round = 0; round < 3; round++) { /* the best of three: the machine may be shared */
		double start = clock_mono(), rate;

		for (int i = 0; i < n; i++) {
			struct graph *g;
			struct cost c;

			arena_reset(each);
			if (space_sample(&g, s, &t, &rng, each, &st, &e) < 0 || graph_cost(g, &c, &e) < 0)
				goto out;
			sum += graph_hash(g).lo + (uint64_t)c.params;
		}
		rate = n / (clock_mono() - start);
		best = rate > best ? rate : best;
	}
	printf("%-16s %9.0f architectures/s, %.1f %% of the draws rejected (checksum %016llx)\n", space_name(s), best,
	       100.0 * (double)(st.drawn - st.accepted) / (double)st.drawn, (unsigned long long)sum);
	rc = 0;
out:
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", path, err_text(&e, text, sizeof text));
	diag_release(&d);
	arena_free(run);
	arena_free(each);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return bench("configs/spaces/remap.json", 200000) < 0;
	for (int i = 2; i < argc; i++)
		if (bench(argv[i], atoi(argv[1])) < 0)
			return 1;
	return 0;
}
