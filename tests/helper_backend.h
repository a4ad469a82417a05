/* tests/helper_backend.h - a backend beside the reference: every kind with random options, whole random networks, exact
 * repetition and resume. Batches are small, so that no unit happens to lie within rounding of a kink, where single and
 * double precision would decide differently.
 */
#ifndef NAB_TESTS_HELPER_BACKEND_H
#define NAB_TESTS_HELPER_BACKEND_H

#include "tests/helper_data.h"
#include "tests/helper_layers.h"
#include "train/backend.h"

enum { BATCH = 4, CLASSES = 3, TRAIN = 12 };

extern const struct backend backend_ref;

struct side { /* one backend at work */
	const struct backend *b;
	struct backend_ctx *ctx;
	struct net *net;
	struct weights *w;
};

struct trial {
	struct arena *a;
	struct dataset *data;
	uint32_t train[TRAIN]; /* what is trained on: not all, not in order */
	struct graph *g;
	struct recipe r, own_r;
	enum precision precision; /* of the tested one; the reference is exact */
	double loose;             /* multiplies tolerances */
	bool tune;
	const struct backend *backend; /* the tested one */
	struct side ref, own;
};

/* Data of this shape (open: examples of different lengths) and a plain recipe; then set t->g. */
void trial_init(struct trial *t, const struct backend *b, struct shape shape, uint64_t seed);
void trial_open(struct trial *t, int threads); /* both sides, with the same weights */
void trial_free(struct trial *t);
/* A small convolutional net with dropout, augmentation and AdamW. */
void small_trial(struct trial *t, const struct backend *b);

void open_side(struct trial *t, struct side *s, const struct backend *b, int threads);
void close_side(struct side *s);
void side_steps(struct side *s, int64_t first, int64_t n);
void *side_state(struct side *s, size_t *bytes); /* caller frees with mem_free */

/* Relative distance of x from y, with a floor for tensors that are (nearly) zero. */
double distance(const float *x, const float *y, int64_t n, double floor);

/* Gradients of a batch; two steps with dropout, then logits. */
void compare_gradients(struct trial *t, const char *what);
void compare_training(struct trial *t, const char *what);
/* Both, of a network in JSON. */
void compare_model(const struct backend *b, const char *model, struct shape shape, const char *what);

/* A random network of images: convolutions, norms, merges, every activation; three heads side by side. */
struct graph *random_net(struct arena *a, struct rng *r, struct shape shape);

/* Whole test cases. */
void try_kind(const struct backend *b, enum layer_kind kind, bool (*takes)(const struct layer_case *c), struct rng *r,
	      int round);
void try_kind_at(const struct backend *b, enum layer_kind kind, bool (*takes)(const struct layer_case *c),
		 struct rng *r, int round, enum precision precision, double loose);
void try_random_nets(const struct backend *b, int n);
void try_spaces(const struct backend *b);
void try_repeats_and_resumes(const struct backend *b, int threads);
void try_raw_inputs(const struct backend *b);
void try_sharing_and_freezing(const struct backend *b);
void try_profile(const struct backend *b);

#endif
