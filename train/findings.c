/* train/findings.c - see findings.h. */
#include "train/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { MOST_EXAMPLES = 1024 };

static void say(struct run_result *out, const char *code, int node, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct run_result *out, const char *code, int node, const char *fmt, ...)
{
	struct finding *f;
	va_list ap;

	if (out->n_findings == RUN_FINDINGS)
		return;
	f = &out->findings[out->n_findings++];
	*f = (struct finding){ .code = code, .node = node };
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
}

/* ---- from the epochs ---------------------------------------------------------------------------------------- */

static void overfit(struct run_result *out, const struct epoch_record *h, int n)
{
	int best = 0;

	for (int i = 1; i < n; i++)
		if (h[i].val_loss < h[best].val_loss)
			best = i;
	if (n - 1 - best < 2 || !(h[n - 1].val_loss > 1.05 * h[best].val_loss) ||
	    !(h[n - 1].train_loss < h[best].train_loss))
		return;
	say(out, "overfit", -1,
	    "validation loss has risen since epoch %d (%.4g, now %.4g) while training loss fell: stop there "
	    "(early_stop), "
	    "or add dropout, weight decay or augmentation",
	    h[best].epoch, h[best].val_loss, h[n - 1].val_loss);
}

static void still_improving(struct run_result *out, const struct epoch_record *h, int n)
{
	if (n < 3)
		return;
	for (int i = 0; i < n - 1; i++)
		if (!(h[n - 1].val_loss < h[i].val_loss))
			return;
	if (h[n - 1].val_loss < 0.98 * h[n - 3].val_loss)
		say(out, "still-improving", -1,
		    "validation loss was still falling at the end (%.4g two epochs before, now %.4g): train longer",
		    h[n - 3].val_loss, h[n - 1].val_loss);
}

void findings_history(struct run_result *out, const struct epoch_record *h, int n, double baseline)
{
	if (n == 0)
		return;
	if (!(h[n - 1].train_loss < 0.99 * baseline)) {
		say(out, "not-learning", -1,
		    "training loss %.4g is no better than a constant prediction's %.4g: change the learning rate, or "
		    "look "
		    "for a layer that loses the signal",
		    h[n - 1].train_loss, baseline);
		return;
	}
	overfit(out, h, n);
	still_improving(out, h, n);
}

/* ---- from gradients ----------------------------------------------------------------------------------------- */

struct probe {
	const struct graph *g;
	const struct weights *w;
	double *square; /* [w->n] sum of squares of a tensor's gradients, over the batches */
	char *alive;    /* [w->total] some batch gave a gradient */
	int64_t examples;
};

static void add_gradients(struct probe *p, const struct weights *grad)
{
	for (int i = 0; i < grad->n; i++) {
		const struct tensor *t = &grad->tensors[i];

		for (int64_t k = t->first; k < t->first + t->count; k++) {
			p->square[i] += (double)grad->data[k] * (double)grad->data[k];
			p->alive[k] |= grad->data[k] != 0;
		}
	}
}

static bool is_trained(const struct probe *p, const struct tensor *t)
{
	return t->spec.role != PARAM_STAT && !p->g->nodes[t->node].frozen;
}

/* Units of a node no parameter of which got a gradient; *units of all, 0 if it has none that are trained. */
static int count_dead(const struct probe *p, int node, int *units)
{
	int first = node < 0 ? -1 : p->w->of_node[node], dead = 0;

	*units = 0;
	if (first < 0 || !is_trained(p, &p->w->tensors[first]))
		return 0;
	*units = p->w->tensors[first].spec.d[0];
	for (int u = 0; u < *units; u++) {
		bool alive = false;

		for (int i = first; i < p->w->n && p->w->tensors[i].node == p->w->tensors[first].node; i++) {
			const struct tensor *t = &p->w->tensors[i];
			int64_t each = t->count / *units;

			for (int64_t k = 0; k < each && is_trained(p, t); k++)
				alive |= p->alive[t->first + u * each + k];
		}
		dead += !alive;
	}
	return dead;
}

static void dead_units(struct run_result *out, const struct probe *p)
{
	for (int i = 0; i < p->g->n_nodes; i++) {
		const struct node *nd = &p->g->nodes[i];
		int from, units, dead;
		enum layer_family family;

		if (nd->kind != LAYER_relu && nd->kind != LAYER_relu6)
			continue;
		from = nd->in[0].node;
		family = from < 0 ? FAMILY_OTHER : layer_classes[p->g->nodes[from].kind]->family;
		if (family != FAMILY_CONV && family != FAMILY_DENSE && family != FAMILY_NORM)
			continue;
		dead = count_dead(p, from, &units);
		if (dead > 0 && dead * 20 >= units)
			say(out, "dead-units", i,
			    "%d of %d units before %s are dead (no gradient from %lld examples): lower the learning "
			    "rate, "
			    "use leaky_relu or silu, or fewer units",
			    dead, units, nd->id, (long long)p->examples);
	}
}

/* Norm of the gradient over norm of the weights; negative for tensors that are not compared. */
static double relative(const struct probe *p, int i)
{
	const struct tensor *t = &p->w->tensors[i];
	double sum = 0;

	if (t->spec.role != PARAM_WEIGHT || t->spec.rank < 2 || !is_trained(p, t) ||
	    layer_classes[p->g->nodes[t->node].kind]->family == FAMILY_EMBEDDING)
		return -1;
	for (int64_t k = t->first; k < t->first + t->count; k++)
		sum += (double)p->w->data[k] * (double)p->w->data[k];
	return sum > 0 ? sqrt(p->square[i] / sum) : -1;
}

static void gradient_scale(struct run_result *out, const struct probe *p)
{
	int last = -1, least = -1, most = -1;
	double end, low, high;

	for (int i = 0; i < p->w->n; i++) {
		double r = relative(p, i);

		if (r < 0)
			continue;
		last = i;
		least = least < 0 || r < relative(p, least) ? i : least;
		most = most < 0 || r > relative(p, most) ? i : most;
	}
	if (last < 0 || !((end = relative(p, last)) > 0))
		return;
	low = relative(p, least) / end;
	high = relative(p, most) / end;
	if (low < 1e-4)
		say(out, "vanishing", p->w->tensors[least].node,
		    "gradients vanish: that of %s, relative to its weights, is %.1g of the last layer's: add batchnorm "
		    "or "
		    "skip connections, or replace saturating activations by relu",
		    p->w->tensors[least].name, low);
	if (high > 1e3)
		say(out, "exploding", p->w->tensors[most].node,
		    "gradients explode: that of %s, relative to its weights, is %.1g times the last layer's: add "
		    "batchnorm, clip the gradient, or start with smaller weights",
		    p->w->tensors[most].name, high);
}

void findings_gradients(struct run_result *out, const struct trained *t, const struct weights *w, const uint32_t *index,
			int64_t n)
{
	struct weights *grad = t->backend->gradients ? weights_new(t->graph, NULL) : NULL;
	struct probe p = { .g = t->graph, .w = w };
	int batch = t->recipe->batch;
	double loss;

	if (!grad)
		return;
	p.square = mem_new((size_t)w->n * sizeof *p.square);
	p.alive = mem_new((size_t)w->total);
	while (p.examples + batch <= n && p.examples < MOST_EXAMPLES) {
		if (t->backend->gradients(t->net, index + p.examples, batch, grad, &loss, NULL) < 0)
			break;
		add_gradients(&p, grad);
		p.examples += batch;
	}
	if (p.examples > 0) {
		dead_units(out, &p);
		gradient_scale(out, &p);
	}
	mem_free(p.square);
	mem_free(p.alive);
	weights_free(grad);
}
