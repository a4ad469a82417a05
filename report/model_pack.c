/* report/model_pack.c - see model_pack.h. */
#include "report/model_pack.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/model_diff.h"
#include "report/page.h"
#include "report/snac.h"

enum {
	MOST_BYTES = 9 << 20, /* packed; from here on without the examples that were missed */
	MOST_LAYERS = 2000,   /* of one model; longer ones have blocks only */
	MOST_DIFF = 60        /* lines of a difference */
};

struct model_packer {
	const struct page *p;
	const uint16_t *truth; /* [n_truth] of the validation examples, or NULL */
	int64_t n_truth;
	size_t bytes;
	struct arena *scratch; /* of one model */
};

struct model_packer *model_packer_new(const struct page *p)
{
	struct model_packer *k = mem_new(sizeof *k);
	struct store_truth t;

	*k = (struct model_packer){ .p = p, .scratch = arena_new() };
	if (p->store && store_truth_get(p->store, p->r->data.id, 1, &t, p->a, NULL) == 1) {
		k->truth = t.label;
		k->n_truth = t.n;
	}
	return k;
}

void model_packer_free(struct model_packer *k)
{
	arena_free(k->scratch);
	mem_free(k);
}

/* ---- values --------------------------------------------------------------------------------------------- */

static void key(struct str *out, const char *name)
{
	str_addf(out, "%s\"%s\":", out->len && out->s[out->len - 1] != '{' ? "," : "", name);
}

static void number(struct str *out, double v)
{
	if (v == trunc(v) && fabs(v) < 1e6)
		str_whole(out, (int64_t)v);
	else if (isfinite(v))
		str_addf(out, "%.6g", v);
	else
		str_add(out, "null");
}

static void put_number(struct str *out, const char *name, double v)
{
	key(out, name);
	number(out, v);
}

static void put_whole(struct str *out, const char *name, int64_t v)
{
	key(out, name);
	str_whole(out, v);
}

static void quote(struct str *out, const char *text)
{
	if (text)
		json_quote(out, text);
	else
		str_add(out, "null");
}

static void put_text(struct str *out, const char *name, const char *text)
{
	key(out, name);
	quote(out, text);
}

/* ---- name, chart ---------------------------------------------------------------------------------------- */

/* A label that a shell and `nab` read as one name, and that is no number. */
static bool plain_name(const char *s)
{
	bool letter = false;

	if (!s[0] || s[0] == '-' || s[0] == '.' || strcmp(s, "best") == 0)
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
			return false;
		letter = letter || isalpha((unsigned char)*s);
	}
	return letter;
}

/* The label if it leads back to this candidate, else the number of its run. */
static void put_name(struct str *out, const struct model_packer *k, const struct report_row *w)
{
	const struct report_run *u = w->best ? w->best : &w->runs[w->n_runs - 1];
	struct store_run found;
	int64_t run;

	if (k->p->store && plain_name(w->label) && store_resolve(k->p->store, w->label, 0, &run, NULL) == 0 &&
	    store_run_get(k->p->store, run, &found, k->scratch, NULL) == 0 && found.candidate == w->candidate->id) {
		put_text(out, "name", w->label);
		return;
	}
	key(out, "name");
	str_addf(out, "\"%lld\"", (long long)u->item.run.id);
}

static void put_canvas(struct str *out, const char *name, const struct canvas *c, const char *label)
{
	struct str svg = { 0 };

	html_canvas(&svg, c, label);
	put_text(out, name, str_get(&svg));
	str_release(&svg);
}

static void put_chart(struct str *out, const struct model_packer *k, const struct report_row *w)
{
	struct snac_style style = { .size = SNAC_LARGE, .largest = k->p->r->largest, .width = 1200 };
	bool used[LAYER_KIND_COUNT] = { false };

	if (!w->graph)
		return;
	snac_kinds(w->graph, used);
	put_canvas(out, "svg", snac_draw(w->graph, &style, k->scratch), w->summary);
	put_canvas(out, "legend", snac_legend(used, 1150, k->scratch), "legend of the chart");
}

/* ---- lineage -------------------------------------------------------------------------------------------- */

static void free_json(void *v)
{
	json_free(v);
}

static void put_change(struct str *out, const struct model_packer *k, const struct report_row *w)
{
	const char *text = w->candidate->change;
	struct json *v = NULL;
	int n = 0;

	key(out, "change");
	if (!text || json_parse(&v, text, strlen(text), "change", NULL) < 0) {
		str_add(out, "null");
		return;
	}
	arena_defer(k->scratch, free_json, v);
	str_addc(out, '{');
	put_text(out, "words", json_string(json_get(v, "words")));
	key(out, "repairs");
	str_addc(out, '[');
	JSON_EACH(one, json_get(v, "repairs"))
		if (json_string(one)) {
			str_add(out, n++ ? "," : "");
			json_quote(out, json_string(one));
		}
	str_add(out, "]}");
}

static const struct graph *parent_graph(const struct model_packer *k, int row)
{
	const struct report *r = k->p->r;
	const struct report_row *w = &r->rows[row];
	struct store_model m;

	if (w->parent >= 0 && r->rows[w->parent].graph)
		return r->rows[w->parent].graph;
	if (!w->candidate->parent || !k->p->store ||
	    store_model_get(k->p->store, w->candidate->parent, &m, k->scratch, NULL) < 0)
		return NULL;
	return gather_graph(&m, k->scratch);
}

static void diff_words(struct str *out, const struct graph *g, int node)
{
	struct str words = { 0 };

	if (node >= 0)
		node_summary(&words, g, node);
	quote(out, node < 0 ? NULL : str_get(&words));
	str_release(&words);
}

static void put_diff(struct str *out, const struct model_packer *k, int row)
{
	const struct graph *now = k->p->r->rows[row].graph, *old = now ? parent_graph(k, row) : NULL;
	const struct model_diff *d;
	int n = 0;

	if (!old)
		return;
	d = model_diff(old, now, true, k->scratch);
	key(out, "diff");
	str_addc(out, '[');
	for (int i = 0; i < d->n && n < MOST_DIFF; i++) {
		const struct diff_step *s = &d->steps[i];

		if (s->kind == DIFF_SAME || s->kind == DIFF_RESHAPED)
			continue;
		str_addf(out, "%s[\"%s\",", n++ ? "," : "", diff_kind_names[s->kind]);
		quote(out, s->b >= 0 ? now->nodes[s->b].id : old->nodes[s->a].id);
		str_addc(out, ',');
		diff_words(out, now, s->b);
		str_addc(out, ',');
		diff_words(out, old, s->a);
		str_addc(out, ']');
	}
	str_addc(out, ']');
	put_whole(out, "reshaped", d->count[DIFF_RESHAPED]);
}

/* ---- runs ----------------------------------------------------------------------------------------------- */

#define EPOCHS(name, field)                                        \
	do {                                                       \
		key(out, name);                                    \
		for (int i = 0; i < u->n_epochs; i++) {            \
			str_addc(out, i ? ',' : '[');              \
			number(out, (double)(u->epochs[i].field)); \
		}                                                  \
		str_add(out, u->n_epochs ? "]" : "[]");            \
	} while (0)

static void put_epochs(struct str *out, const struct report_run *u)
{
	EPOCHS("epoch", epoch);
	EPOCHS("steps", steps);
	EPOCHS("rate", rate);
	EPOCHS("tl", train_loss);
	EPOCHS("ta", train_accuracy);
	EPOCHS("vl", val_loss);
	EPOCHS("va", val_accuracy);
	EPOCHS("grad", grad_norm);
	EPOCHS("time", seconds);
}

static void put_wrong(struct str *out, const struct model_packer *k, const struct report_run *u)
{
	struct store_evaluation v;
	int64_t last = -1;

	key(out, "wrong");
	if (!k->truth || k->bytes > MOST_BYTES || u->item.run.state != STATE_DONE ||
	    store_evaluation_get(k->p->store, u->item.run.id, 1, &v, k->scratch, NULL) != 1 || !v.predicted ||
	    v.n != k->n_truth) {
		str_add(out, "null");
		return;
	}
	str_addc(out, '[');
	for (int64_t i = 0; i < v.n; i++)
		if (v.predicted[i] != k->truth[i]) {
			str_add(out, last < 0 ? "" : ",");
			str_whole(out, i - last);
			str_addc(out, ',');
			str_whole(out, v.predicted[i]);
			last = i;
		}
	str_addc(out, ']');
}

static void put_run(struct str *out, const struct model_packer *k, const struct report_run *u)
{
	const struct store_item *t = &u->item;
	char seed[32];
	bool done = t->run.state == STATE_DONE;

	snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->run.seed);
	str_addc(out, '{');
	put_whole(out, "run", t->run.id);
	put_text(out, "seed", seed);
	put_text(out, "state", run_state_names[t->run.state]);
	put_text(out, "reason", t->result.reason);
	put_whole(out, "cached", t->run.cached_from);
	put_number(out, "score", done ? t->result.score : (double)NAN);
	put_number(out, "train", done ? t->result.train_accuracy : (double)NAN);
	put_number(out, "val", done ? t->result.val_accuracy : (double)NAN);
	put_number(out, "loss", done ? t->result.val_loss : (double)NAN);
	put_whole(out, "epochs", t->result.epochs);
	put_whole(out, "best", t->result.best_epoch);
	put_number(out, "seconds", t->result.seconds);
	put_whole(out, "attempts", t->attempts);
	put_epochs(out, u);
	put_wrong(out, k, u);
	str_addc(out, '}');
}

static void put_runs(struct str *out, const struct model_packer *k, const struct report_row *w)
{
	key(out, "runs");
	for (int i = 0; i < w->n_runs; i++) {
		str_addc(out, i ? ',' : '[');
		put_run(out, k, &w->runs[i]);
	}
	str_addc(out, ']');
}

static void put_findings(struct str *out, const struct report_row *w)
{
	int n = 0;

	key(out, "findings");
	str_addc(out, '[');
	for (int i = 0; i < w->n_runs; i++)
		for (int k = 0; k < w->runs[i].n_findings; k++) {
			const struct store_finding *f = &w->runs[i].findings[k];

			str_add(out, n++ ? ",[" : "[");
			quote(out, f->code);
			str_addc(out, ',');
			quote(out, f->text);
			str_addc(out, ',');
			quote(out, f->layer);
			str_addf(out, ",%d]", i);
		}
	str_addc(out, ']');
}

/* Summed over the finished runs; null if one of them has no matrix of these classes. */
static void put_confusion(struct str *out, const struct report *r, const struct report_row *w)
{
	int n = r->n_classes;
	bool known = row_has_confusion(r, w);

	key(out, "confusion");
	if (!known)
		str_add(out, "null");
	for (int c = 0; known && c < n * n; c++) {
		int64_t sum = 0;

		for (int i = 0; i < w->n_runs; i++)
			if (w->runs[i].item.run.state == STATE_DONE)
				sum += w->runs[i].val.confusion[c];
		str_addc(out, c ? ',' : '[');
		str_whole(out, sum);
	}
	str_add(out, known ? "]" : "");
}

/* ---- layers --------------------------------------------------------------------------------------------- */

static void put_groups(struct str *out, const struct graph *g)
{
	key(out, "groups");
	str_addc(out, '[');
	for (int i = 0; i < g->n_groups; i++) {
		const struct group *b = &g->groups[i];

		str_add(out, i ? ",[" : "[");
		quote(out, b->id);
		str_addc(out, ',');
		quote(out, b->block);
		str_addf(out, ",%d,%d,%d]", b->first, b->n, b->parent);
	}
	str_addc(out, ']');
}

static void put_layers(struct str *out, const struct graph *g)
{
	key(out, "layers");
	str_addc(out, '[');
	for (int i = 0; i < g->n_nodes; i++) {
		const struct node *n = &g->nodes[i];
		struct str words = { 0 };
		char shape[48];

		node_summary(&words, g, i);
		str_add(out, i ? ",[" : "[");
		quote(out, n->id);
		str_addc(out, ',');
		quote(out, str_get(&words));
		str_addf(out, ",\"%s\",%lld,%lld]", shape_text(shape, &n->out[0]), (long long)n->params,
			 (long long)n->macs);
		str_release(&words);
	}
	str_addc(out, ']');
}

/* Of every node its measured times, or NULL; both lists are nearly in the same order. */
static const struct store_layer_time **times_of(const struct report_row *w, struct arena *a)
{
	const struct store_layer_time **t = ARENA_ARRAY(a, const struct store_layer_time *, w->graph->n_nodes + 1);
	int n = w->profile.n_layers, at = 0;

	for (int i = 0; i < w->graph->n_nodes; i++)
		for (int k = 0; k < n && !t[i]; k++)
			if (strcmp(w->profile.layer[(at + k) % n].layer, w->graph->nodes[i].id) == 0) {
				at = (at + k) % n;
				t[i] = &w->profile.layer[at];
			}
	return t;
}

#define TIMES(name, put, expression, unknown)                 \
	do {                                                  \
		key(out, name);                               \
		for (int i = 0; i < w->graph->n_nodes; i++) { \
			str_addc(out, i ? ',' : '[');         \
			if (t[i])                             \
				put(out, expression);         \
			else                                  \
				str_add(out, unknown);        \
		}                                             \
		str_add(out, w->graph->n_nodes ? "]" : "[]"); \
	} while (0)

static void put_profile(struct str *out, const struct report_row *w, struct arena *a)
{
	const struct store_profile *f = &w->profile;
	const struct store_layer_time **t = times_of(w, a);

	key(out, "profile");
	str_addc(out, '{');
	put_text(out, "backend", f->backend);
	put_whole(out, "batch", f->batch);
	put_number(out, "optimizer", 1e3 * f->optimizer_s);
	put_number(out, "input", 1e3 * f->input_s);
	put_number(out, "loss", 1e3 * f->loss_s);
	put_whole(out, "weights", f->weight_bytes);
	put_whole(out, "gradients", f->gradient_bytes);
	put_whole(out, "moments", f->moment_bytes);
	put_whole(out, "activations", f->activation_bytes);
	put_whole(out, "workspace", f->workspace_bytes);
	put_whole(out, "total", f->total_bytes);
	TIMES("forward", number, 1e3 * t[i]->forward_s, "null");
	TIMES("backward", number, 1e3 * t[i]->backward_s, "null");
	TIMES("bytes", str_whole, t[i]->bytes, "null");
	TIMES("fused", quote, t[i]->fused_into, "null");
	str_addc(out, '}');
}

void model_pack(struct str *out, struct model_packer *k, int row)
{
	const struct report_row *w = &k->p->r->rows[row];
	struct str text = { 0 };
	size_t before = out->len;

	arena_reset(k->scratch);
	str_addc(&text, '{');
	put_name(&text, k, w);
	put_chart(&text, k, w);
	put_change(&text, k, w);
	put_diff(&text, k, row);
	put_text(&text, "recipe", w->candidate->recipe);
	put_text(&text, "proposal", w->candidate->proposal);
	put_findings(&text, w);
	put_runs(&text, k, w);
	put_confusion(&text, k->p->r, w);
	if (w->graph) {
		put_groups(&text, w->graph);
		if (w->graph->n_nodes <= MOST_LAYERS) {
			put_layers(&text, w->graph);
			if (w->profiled)
				put_profile(&text, w, k->scratch);
		}
	}
	str_addc(&text, '}');
	pack_add(out, text.s, text.len);
	k->bytes += out->len - before;
	str_release(&text);
}
