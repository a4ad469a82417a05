/* train/speed.c - see speed.h. */
#include "train/speed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"

static const double call_s = 0.05; /* of a call of train_steps() */
enum { CALL_STEPS = 1024 };

enum phase { WARM_UP, MEASURE, OVER };

struct measurement {
	const struct backend *backend;
	const struct backend_conf *conf;
	const struct net_spec *spec;
	_Atomic int phase; /* enum phase */
};

struct copy { /* one of the runs, in a thread of its own */
	struct measurement *m;
	pthread_t thread;
	uint64_t seed;
	int64_t at;        /* next step */
	_Atomic int ready; /* it trains, or it has failed */
	double rate;       /* steps per second while it was measured */
	int rc;
	struct err e;
};

/* ---- one network ---------------------------------------------------------------------------------------- */

static int make(struct net **out, const struct backend *b, struct backend_ctx *ctx, const struct net_spec *spec,
		struct err *e)
{
	struct weights *w;
	int rc;

	if (b->net_create(out, ctx, spec, e) < 0)
		return -1;
	w = weights_new(spec->graph, e);
	if (!w)
		return -1;
	weights_init(w, spec->graph, spec->seed);
	rc = b->set_weights(*out, w, e);
	weights_free(w);
	return rc;
}

/* Seconds until its first step is done. */
static int first_step(double *out, const struct backend *b, struct backend_ctx *ctx, const struct net_spec *spec,
		      struct err *e)
{
	struct step_stats stats = { 0 };
	struct net *net = NULL;
	double began = clock_mono();
	int rc = make(&net, b, ctx, spec, e);

	if (rc == 0)
		rc = b->train_steps(net, 0, 1, &stats, e);
	*out = clock_mono() - began;
	b->net_free(net);
	return rc;
}

static int first_steps(struct speed *out, const struct measurement *m, struct err *e)
{
	struct recipe recipe = *m->spec->recipe;
	struct net_spec other = *m->spec;
	struct backend_ctx *ctx = NULL;
	double unused;
	int rc = -1;

	recipe.batch = recipe.batch > 2 ? recipe.batch - 1 : recipe.batch + 1;
	other.recipe = &recipe;
	TRY(m->backend->open(&ctx, m->conf, e));
	if (other.n_train >= recipe.batch)
		TRY(first_step(&unused, m->backend, ctx, &other, e));
	TRY(first_step(&out->first_s, m->backend, ctx, m->spec, e));
	TRY(first_step(&out->again_s, m->backend, ctx, m->spec, e));
	rc = 0;
out:
	m->backend->close(ctx);
	return rc < 0 ? -1 : 0;
}

/* ---- side by side --------------------------------------------------------------------------------------- */

/* One call: `*n` steps, more the next time if they took too little time for a call. */
static int some_steps(struct copy *c, struct net *net, int64_t *n)
{
	struct step_stats stats = { 0 };
	double began = clock_mono();
	int rc = c->m->backend->train_steps(net, c->at, *n, &stats, &c->e);

	c->at += *n;
	if (clock_mono() - began < call_s && *n < CALL_STEPS)
		*n *= 2;
	return rc;
}

static int train(struct copy *c, struct net *net)
{
	int64_t n = 1, before;
	double began;

	while (atomic_load(&c->m->phase) == WARM_UP) {
		if (some_steps(c, net, &n) < 0)
			return -1;
		atomic_store(&c->ready, 1);
	}
	if (c->at == 0)
		return 0; /* too late: there was no memory */
	before = c->at;
	began = clock_mono();
	do
		if (some_steps(c, net, &n) < 0)
			return -1;
	while (atomic_load(&c->m->phase) == MEASURE);
	c->rate = (double)(c->at - before) / (clock_mono() - began);
	return 0;
}

static void *run(void *arg)
{
	struct copy *c = arg;
	struct net_spec spec = *c->m->spec;
	struct backend_ctx *ctx = NULL;
	struct net *net = NULL;

	spec.seed = c->seed;
	c->rc = c->m->backend->open(&ctx, c->m->conf, &c->e);
	if (c->rc == 0)
		c->rc = make(&net, c->m->backend, ctx, &spec, &c->e);
	if (c->rc == 0)
		c->rc = train(c, net);
	atomic_store(&c->ready, 1);
	c->m->backend->net_free(net);
	c->m->backend->close(ctx);
	return NULL;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* Whether it trains within some seconds and ten times what the slowest one before it took (the first: as long as it
 * takes). Otherwise it is taken to wait for memory. */
static bool trains_soon(struct copy *c, bool first, double *slowest)
{
	double began = clock_mono(), took = 0;

	while (!atomic_load(&c->ready) && (first || took < 5 + 10 * *slowest)) {
		pause_ms(1);
		took = clock_mono() - began;
	}
	*slowest = took > *slowest ? took : *slowest;
	return atomic_load(&c->ready);
}

/* Starts one after the other, each when the one before it trains: a copy for which there is no memory waits until
 * others end, and then finds that all is over. */
static int start(struct copy *c, int n)
{
	double slowest = 0;
	int started = 0;

	while (started < n && pthread_create(&c[started].thread, NULL, run, &c[started]) == 0) {
		started++;
		if (!trains_soon(&c[started - 1], started == 1, &slowest))
			break;
	}
	return started;
}

static double processor_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int side_by_side(struct speed *out, struct measurement *m, int n, double seconds, struct err *e)
{
	struct copy *c = mem_new((size_t)n * sizeof *c);
	double began, busy;
	int started, rc = 0;

	for (int i = 0; i < n; i++)
		c[i] = (struct copy){ .m = m, .seed = m->spec->seed + (uint64_t)i };
	started = start(c, n);
	pause_ms(200); /* the last ones find the length of their calls */
	began = clock_mono();
	busy = processor_s();
	atomic_store(&m->phase, MEASURE);
	pause_ms((long)(seconds * 1000));
	out->processors = (processor_s() - busy) / (clock_mono() - began);
	atomic_store(&m->phase, OVER);
	out->in_flight = 0;
	out->steps_per_s = 0;
	for (int i = 0; i < started; i++) {
		pthread_join(c[i].thread, NULL);
		if (c[i].rc < 0 && rc == 0) {
			rc = -1;
			*e = c[i].e;
		}
		out->in_flight += c[i].rate > 0;
		out->steps_per_s += c[i].rate;
	}
	mem_free(c);
	return rc;
}

int speed_measure(struct speed *out, const struct backend *b, const struct backend_conf *conf,
		  const struct net_spec *spec, int in_flight, double seconds, struct err *e)
{
	struct measurement m = { .backend = b, .conf = conf, .spec = spec };

	if (first_steps(out, &m, e) < 0)
		return -1;
	return side_by_side(out, &m, in_flight, seconds, e);
}
