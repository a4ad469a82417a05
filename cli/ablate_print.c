/* cli/ablate_print.c - see ablate_print.h. */
#include "cli/ablate_print.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/progress.h"

static void print_table(struct str *out, const struct cli *c, const struct table *t, enum table_format format,
			bool file)
{
	table_print(out, t, format, file ? 0 : cli_width(), !file && c->paint_out);
}

static void print_json(struct str *out, struct json *v)
{
	json_pretty(out, v);
	str_addc(out, '\n');
	json_free(v);
}

/* ---- the plan --------------------------------------------------------------------------------------------- */

void ablate_bill_line(struct str *out, const struct ablate_bill *b)
{
	char time[32], one[32];

	str_addf(out, "%d models x %d seed%s: %d trainings at most", b->models, b->seeds, b->seeds == 1 ? "" : "s",
		 b->models * b->seeds);
	if (!isnan(b->seconds))
		str_addf(out, ", about %s on %d slot%s (the parent's run took %s; scaled by multiply-adds)",
			 progress_duration(time, b->seconds), b->slots, b->slots == 1 ? "" : "s",
			 progress_duration(one, b->measured));
	else
		str_addf(out, " on %d slot%s; how long they take is not known before the parent is trained", b->slots,
			 b->slots == 1 ? "" : "s");
}

static const struct column plan_columns[] = {
	{ .key = "model", .title = "model", .type = CELL_TEXT, .wrap = true },
	{ .key = "by", .title = "by", .type = CELL_TEXT },
	{ .key = "unit", .title = "unit", .type = CELL_TEXT, .machine = true },
	{ .key = "params", .title = "parameters", .type = CELL_WHOLE },
	{ .key = "params_delta", .title = "change", .type = CELL_WHOLE },
	{ .key = "macs", .title = "multiply-adds", .type = CELL_WHOLE },
	{ .key = "macs_delta", .title = "change", .type = CELL_WHOLE },
	{ .key = "words", .title = "what changes", .type = CELL_TEXT, .below = true },
	{ .key = "repairs_text", .title = "repaired", .type = CELL_TEXT, .people = true, .below = true },
	{ .key = "repairs", .title = "", .type = CELL_TEXT, .machine = true },
	{ .key = "refused_text", .title = "", .type = CELL_TEXT, .people = true, .below = true },
	{ .key = "refused", .title = "", .type = CELL_TEXT, .machine = true },
};

static void put_sizes(struct table *t, const struct graph *g, const struct cost *parent)
{
	struct cost c;

	if (graph_cost(g, &c, NULL) < 0)
		return;
	table_put(t, "params", (double)c.params);
	table_put(t, "macs", (double)c.macs);
	if (!parent)
		return;
	table_put(t, "params_delta", (double)(c.params - parent->params));
	table_put(t, "macs_delta", (double)(c.macs - parent->macs));
}

/* People get the first few. */
static void put_repairs(struct table *t, const char *key, const struct mutate_log *log, int most)
{
	struct str s = { 0 };

	for (int i = 0; i < log->n_repairs && i < most; i++)
		str_addf(&s, "%s%s", i ? "; " : "", log->repairs[i]);
	if (log->n_repairs > most)
		str_addf(&s, "; and %d more", log->n_repairs - most);
	table_put_text(t, key, str_get(&s));
	str_release(&s);
}

static void put_refusal(struct table *t, const char *why)
{
	struct str s = { 0 };

	str_addf(&s, "cannot be removed: %s", why);
	table_put_text(t, "refused_text", str_get(&s));
	table_put_text(t, "refused", why);
	str_release(&s);
}

static const char *by_name(const struct ablate_child *c)
{
	return c->control_of >= 0 ? "control" : c->first >= 0 ? "pair" : ablate_by_names[c->by];
}

static void put_child(struct table *t, const struct ablate_child *c, const struct cost *parent)
{
	table_row(t);
	table_put_text(t, "model", c->label);
	table_put_text(t, "by", by_name(c));
	table_put_text(t, "unit", c->unit);
	if (c->graph) {
		put_sizes(t, c->graph, parent);
		table_put_text(t, "words", c->log.words);
		put_repairs(t, "repairs_text", &c->log, 3);
		put_repairs(t, "repairs", &c->log, INT_MAX);
	} else {
		put_refusal(t, c->log.refusal);
	}
}

static struct table *plan_table(const struct ablate_plan *p, const struct graph *parent, struct arena *a)
{
	struct table *t = table_new(a, plan_columns, sizeof plan_columns / sizeof *plan_columns);
	struct cost cost = { 0 };

	graph_cost(parent, &cost, NULL);
	table_row(t);
	table_put_text(t, "model", parent->name ? parent->name : "model");
	table_put_text(t, "words", "the parent");
	put_sizes(t, parent, NULL);
	for (int refused = 0; refused < 2; refused++)
		for (int i = 0; i < p->n; i++)
			if ((p->children[i].graph == NULL) == (refused == 1))
				put_child(t, &p->children[i], &cost);
	return t;
}

void ablate_print_plan(struct str *out, const struct cli *c, const struct ablate_plan *p, const struct graph *parent,
		       const struct ablate_bill *b, enum table_format format, bool file)
{
	struct table *t = plan_table(p, parent, c->arena);
	struct str line = { 0 };
	struct json *v;

	ablate_bill_line(&line, b);
	if (format == TABLE_JSON) {
		v = table_json(t);
		json_put(v, "trainings", json_num(b->models * b->seeds));
		json_put(v, "seconds", json_num(b->seconds));
		print_json(out, v);
	} else {
		table_note(t, str_get(&line));
		print_table(out, c, t, format, file);
	}
	str_release(&line);
}

/* ---- the result ------------------------------------------------------------------------------------------- */

static const struct column pair_columns[] = {
	{ .key = "pair", .title = "pair", .type = CELL_TEXT },
	{ .key = "delta", .title = "together", .type = CELL_METRIC },
	{ .key = "sum", .title = "sum of the two", .type = CELL_METRIC },
	{ .key = "interaction", .title = "interaction", .type = CELL_METRIC },
	{ .key = "low", .title = "from", .type = CELL_METRIC },
	{ .key = "high", .title = "to", .type = CELL_METRIC },
	{ .key = "p_holm", .title = "p", .type = CELL_SECONDS, .machine = true },
};

static struct table *pair_table(const struct comparison *c, const struct advice_row *rows, struct arena *a)
{
	struct advice_interaction *x;
	int n = advice_interactions(&x, c, rows, a);
	struct table *t;

	if (!n)
		return NULL;
	t = table_new(a, pair_columns, sizeof pair_columns / sizeof *pair_columns);
	table_metric(t, c->metric);
	for (int i = 0; i < n; i++) {
		table_row(t);
		table_put_text(t, "pair", c->rows[x[i].row].label);
		table_put(t, "delta", x[i].pair);
		table_put(t, "sum", x[i].sum);
		table_put(t, "interaction", x[i].effect.mean);
		table_put(t, "low", x[i].effect.low);
		table_put(t, "high", x[i].effect.high);
		table_put(t, "p_holm", x[i].p);
	}
	table_note(t, arena_printf(a,
				   "Interaction: what the pair loses beyond the sum of its two, in %s, paired by seed; "
				   "0: they do not interact.",
				   c->metric->share ? "points of accuracy" : c->metric->name));
	return t;
}

static void result_json(struct str *out, struct json *v, struct table *pairs, const struct advice *advice, int n)
{
	struct json *more;

	if (pairs) {
		more = table_json(pairs);
		json_put(v, "interactions", json_copy(json_get(more, "rows")));
		json_free(more);
	}
	json_put(v, "advice", advice_json(advice, n));
	print_json(out, v);
}

/* CSV holds the table alone; LaTeX gets the advice as comments. */
static void print_advice(struct str *out, const struct advice *advice, int n, enum table_format format)
{
	struct str text = { 0 };

	if (!n || format == TABLE_CSV)
		return;
	advice_text(&text, advice, n, format == TABLE_LATEX ? "% " : format == TABLE_MARKDOWN ? "- " : "  ");
	str_add(out, format == TABLE_LATEX ? "\n" : format == TABLE_MARKDOWN ? "\n**Advice**\n\n" : "\nadvice:\n");
	if (format != TABLE_LATEX) {
		str_add(out, str_get(&text));
	} else {
		for (const char *s = str_get(&text); *s; s++) {
			str_addc(out, *s);
			if (*s == '\n' && s[1] && s[1] != '%')
				str_addc(out, '%');
		}
	}
	str_release(&text);
}

void ablate_print_result(struct str *out, const struct cli *c, const struct comparison *m,
			 const struct advice_row *rows, const struct advice_opts *o, enum table_format format,
			 bool file)
{
	struct table *pairs = pair_table(m, rows, c->arena);
	struct advice *advice;
	int n = advice_make(&advice, m, rows, o, c->arena);

	if (format == TABLE_JSON) {
		result_json(out, cli_comparison_json(m, c->arena), pairs, advice, n);
		return;
	}
	cli_render_comparison(out, c, m, format, file);
	if (pairs) {
		str_add(out, format == TABLE_CSV ? "\r\n" : "\n");
		print_table(out, c, pairs, format, file);
	}
	print_advice(out, advice, n, format);
}
