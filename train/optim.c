/* train/optim.c - see optim.h. */
#include "train/optim.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "train/simd.h"

int optim_moments(const struct optimizer *o)
{
	if (o->kind == OPTIMIZER_SGD)
		return o->momentum > 0;
	return 2;
}

void optim_step_init(struct optim_step *s, const struct optimizer *o, double rate, int64_t step)
{
	double t = (double)(step + 1);

	*s = (struct optim_step){ .kind = o->kind,
				  .nesterov = o->nesterov,
				  .rate = rate,
				  .scale = 1,
				  .momentum = o->momentum,
				  .beta1 = o->beta1,
				  .beta2 = o->beta2,
				  .eps = o->eps,
				  .weight_decay = o->weight_decay,
				  .correct1 = 1 - pow(o->beta1, t),
				  .correct2 = sqrt(1 - pow(o->beta2, t)) };
}

int optim_ranges(struct optim_range **out, const struct weights *w, const struct graph *g, struct arena *a)
{
	struct optim_range *r = ARENA_ARRAY(a, struct optim_range, w->n + 1);
	int n = 0;

	for (int i = 0; i < w->n; i++) {
		const struct tensor *t = &w->tensors[i];
		bool frozen = t->spec.role == PARAM_STAT || g->nodes[t->node].frozen;
		bool decay = t->spec.role == PARAM_WEIGHT;
		struct optim_range *last = n ? &r[n - 1] : NULL;

		if (last && last->frozen == frozen && (frozen || last->decay == decay) &&
		    last->first + last->count == t->first)
			last->count += t->count;
		else
			r[n++] = (struct optim_range){ t->first, t->count, decay, frozen };
	}
	*out = r;
	return n;
}

double optim_clip_scale(double norm, double clip)
{
	double scale = clip / (norm + 1e-6);

	return clip > 0 && scale < 1 ? scale : 1;
}

#define REAL     float
#define ROOT     sqrtf
#define NAMED(x) x##_f32
#include "train/optim_real.inc"
#undef REAL
#undef ROOT
#undef NAMED

#define REAL     double
#define ROOT     sqrt
#define NAMED(x) x##_f64
#include "train/optim_real.inc"
