/* train/backend_cpu_tune.c - choosing the implementation of a convolution by measuring (backend_conf.tune). Candidates:
 * what oneDNN offers for the direct algorithm and, where it is allowed, for Winograd's, as long as the layouts of input
 * and output stay what they are without measuring. A failure here is no failure of the net: the rule's choice stands.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/backend_cpu_build.h"

enum { CANDIDATES = 3 /* of each algorithm; later ones are slower still */, RUNS = 4, ARGS_MAX = 4 };

struct dn_prim *cpu_conv(struct dn *dn, enum cpu_pass pass, const struct dn_conv *c, const struct dn_prim *forward)
{
	switch (pass) {
	case CPU_FORWARD:
		return dn_conv_forward(dn, c);
	case CPU_BACKWARD_DATA:
		return dn_conv_backward_data(dn, c, forward);
	case CPU_BACKWARD_WEIGHTS:
		return dn_conv_backward_weights(dn, c, forward);
	}
	return NULL;
}

struct call { /* a primitive with memory of its own */
	int n;
	enum dn_arg arg[ARGS_MAX];
	const struct dn_md *md[ARGS_MAX];
	void *memory[ARGS_MAX], *scratch;
};

static void call_add(struct call *c, enum dn_arg arg, const struct dn_md *md)
{
	if (!md)
		return;
	c->arg[c->n] = arg;
	c->md[c->n] = md;
	c->memory[c->n++] = block_new(dn_bytes(md));
}

static struct call call_of(struct dn *dn, enum cpu_pass pass, const struct dn_conv *conv, const struct dn_prim *p)
{
	struct call c = { 0 };

	if (pass == CPU_FORWARD) {
		call_add(&c, DN_SRC, dn_prim_md(dn, p, DN_SRC));
		call_add(&c, DN_WEIGHTS, dn_prim_md(dn, p, DN_WEIGHTS));
		call_add(&c, DN_BIAS, conv->bias);
		call_add(&c, DN_DST, dn_prim_md(dn, p, DN_DST));
	} else if (pass == CPU_BACKWARD_DATA) {
		call_add(&c, DN_DIFF_SRC, conv->src);
		call_add(&c, DN_WEIGHTS, dn_prim_md(dn, p, DN_WEIGHTS));
		call_add(&c, DN_DIFF_DST, conv->dst);
	} else {
		call_add(&c, DN_SRC, conv->src);
		call_add(&c, DN_DIFF_WEIGHTS, dn_prim_md(dn, p, DN_DIFF_WEIGHTS));
		call_add(&c, DN_DIFF_BIAS, conv->bias);
		call_add(&c, DN_DIFF_DST, conv->dst);
	}
	c.scratch = block_new(dn_prim_scratch(p) + 1);
	return c;
}

static int call_bind(const struct call *c, struct dn_prim *p)
{
	int rc = c->scratch ? dn_make(p, NULL) : -1;

	for (int i = 0; i < c->n && rc == 0; i++)
		rc = c->memory[i] ? dn_bind(p, c->arg[i], c->md[i], c->memory[i], NULL) : -1;
	return rc < 0 ? -1 : dn_bind_scratch(p, c->scratch, dn_prim_scratch(p), NULL);
}

/* The best of a few runs, or -1. */
static double seconds_of(struct dn *dn, enum cpu_pass pass, const struct dn_conv *conv, struct dn_prim *p)
{
	struct call c = call_of(dn, pass, conv, p);
	double best = -1;

	if (call_bind(&c, p) == 0)
		for (int i = 0; i < RUNS; i++) {
			double start = clock_mono(), took;

			if (dn_run(p) < 0)
				break;
			took = clock_mono() - start;
			if (i > 0) /* the first run touches the memory */
				best = best < 0 || took < best ? took : best;
		}
	for (int i = 0; i < c.n; i++)
		block_free(c.memory[i], dn_bytes(c.md[i]));
	block_free(c.scratch, 0);
	return best;
}

static bool same_layouts(struct dn *dn, const struct dn_prim *a, const struct dn_prim *b)
{
	return dn_equal(dn_prim_md(dn, a, DN_SRC), dn_prim_md(dn, b, DN_SRC)) &&
	       dn_equal(dn_prim_md(dn, a, DN_DST), dn_prim_md(dn, b, DN_DST));
}

bool cpu_is_slow(const struct dn_prim *p)
{
	return p && strncmp(dn_prim_name(p), "ref", 3) == 0;
}

/* One candidate; -1 if there is none or it does not count. */
static double try_one(struct dn *dn, enum cpu_pass pass, const struct dn_conv *c, const struct dn_prim *forward,
		      const struct dn_prim *rule)
{
	struct dn_prim *p = cpu_conv(dn, pass, c, forward);
	double took = -1;

	if (p && !cpu_is_slow(p) && (pass != CPU_FORWARD || same_layouts(dn, p, rule)))
		took = seconds_of(dn, pass, c, p);
	dn_drop(dn, p);
	return took;
}

struct dn_prim *cpu_tune_conv(struct dn *dn, enum cpu_pass pass, struct dn_conv *c, bool winograd,
			      const struct dn_prim *forward, struct dn_prim *rule)
{
	struct dn_conv best = *c;
	double least = -1;

	if (!rule)
		return NULL;
	for (int i = 0; i < (winograd ? 2 : 1) * CANDIDATES; i++) {
		struct dn_conv other = *c;
		double took;

		other.winograd = i >= CANDIDATES;
		other.skip = i % CANDIDATES;
		took = try_one(dn, pass, &other, forward, rule);
		if (took < 0 || (least >= 0 && took >= least))
			continue;
		least = took;
		best = other;
	}
	if (least < 0)
		return rule;
	*c = best;
	dn_drop(dn, rule);
	return cpu_conv(dn, pass, c, forward);
}
