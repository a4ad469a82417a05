/* tests/helper_arms.c - see helper_arms.h. */
#include "tests/helper_arms.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

enum { NORMALS = 65536 };

/* Normal deviates at equal steps of probability: as good as random ones when the index is random, and fast. */
static float normals[NORMALS];

static double normal_point(double p)
{
	double low = -9, high = 9;

	while (high - low > 1e-9) {
		double middle = (low + high) / 2;

		if (0.5 * erfc(-middle / sqrt(2)) < p)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static float normal(struct rng *r)
{
	if (normals[0] == 0)
		for (int i = 0; i < NORMALS / 2; i++) {
			normals[i] = (float)normal_point((i + 0.5) / NORMALS);
			normals[NORMALS - 1 - i] = -normals[i];
		}
	return normals[rng_u32(r) >> 16];
}

void arms_draw(signed char **right, const struct arms_design *d, int arms, int with_effect, int seeds, struct rng *r)
{
	static float seed[ARMS_MOST_SEEDS], example[ARMS_MOST_EXAMPLES], own[ARMS_MOST_EXAMPLES];
	double all = sqrt(1 + d->seed * d->seed + d->arm_seed * d->arm_seed + d->arm_example * d->arm_example +
			  d->rest * d->rest);

	assert(seeds <= ARMS_MOST_SEEDS && d->n <= ARMS_MOST_EXAMPLES && arms <= ARMS_MOST);
	for (int s = 0; s < seeds; s++)
		seed[s] = (float)d->seed * normal(r);
	for (int i = 0; i < d->n; i++)
		example[i] = normal(r);
	for (int a = 0; a < arms; a++) {
		bool better = a > 0 && a < with_effect;
		float threshold = (float)(all * normal_point(d->accuracy + (better ? d->effect : 0)));

		for (int i = 0; i < d->n; i++)
			own[i] = threshold + example[i] + (float)d->arm_example * normal(r);
		for (int s = 0; s < seeds; s++) {
			float shift = seed[s] + (float)d->arm_seed * normal(r);

			for (int i = 0; i < d->n; i++)
				right[a][s * d->n + i] = own[i] + shift + (float)d->rest * normal(r) > 0;
		}
	}
}

void arms_subtract(signed char *y, const signed char *a, const signed char *b, int cells)
{
	for (int i = 0; i < cells; i++)
		y[i] = (signed char)(a[i] - b[i]);
}
