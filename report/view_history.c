/* report/view_history.c - the page: the queue and what became of every run (report/page/history.js draws it); without a
 * script, the runs that have no result. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"
#include "store/store.h"

enum { STILL = 100, EVENTS = 300, POINTS = 24 }; /* rows without a script; events; points of a curve */

/* ---- without a script ------------------------------------------------------------------------------------ */

static void failure_row(struct str *out, const struct report_row *w, const struct store_item *t)
{
	char params[32];

	str_add(out, "<tr><td class=\"name\">");
	html_text(out, w->label);
	str_addf(out, "</td><td><span class=\"badge%s\">%s</span></td><td class=\"n\">%llu</td><td class=\"reason\">",
		 run_state_final(t->run.state) ? " bad" : "", run_state_names[t->run.state],
		 (unsigned long long)t->run.seed);
	html_text(out, t->result.reason);
	str_addf(out, "</td><td class=\"n\">%d</td><td class=\"n\">%s</td><td class=\"reason dim\">", t->attempts,
		 str_thousands(params, w->params));
	html_text(out, w->summary);
	str_add(out, "</td></tr>\n");
}

static void failures(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	int n = 0;

	str_add(out, "<div id=\"history-table\">");
	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++) {
			const struct store_item *t = &r->rows[i].runs[k].item;

			if (t->run.state == STATE_DONE || n++ >= STILL)
				continue;
			if (n == 1)
				str_add(out,
					"<p class=\"sub\">Runs without a result: what ended them, and what would help."
					"</p><div class=\"card scroll\"><table><thead><tr><th scope=\"col\">model</th>"
					"<th scope=\"col\">status</th><th scope=\"col\" class=\"n\">seed</th><th "
					"scope=\"col\">reason</th><th scope=\"col\" class=\"n\">attempts</th><th "
					"scope=\"col\" class=\"n\">parameters</th><th scope=\"col\">architecture</th>"
					"</tr></thead><tbody>\n");
			failure_row(out, &r->rows[i], t);
		}
	str_add(out, n ? "</tbody></table></div>" : "<p class=\"sub\">Every run ended with a result.</p>");
	if (n > STILL)
		str_addf(out, "<p class=\"note\">And %d more.</p>", n - STILL);
	str_add(out, "</div>\n");
}

/* ---- every run, in columns ------------------------------------------------------------------------------- */

/* The validation loss over the epochs as letters, A the lowest, / the highest; what is not finite is a '-'. */
static void curve(struct str *out, const struct store_epoch *v, int n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	double low = INFINITY, high = -INFINITY;
	int points = n < POINTS ? n : POINTS;

	for (int i = 0; i < n; i++)
		if (isfinite(v[i].val_loss)) {
			low = fmin(low, v[i].val_loss);
			high = fmax(high, v[i].val_loss);
		}
	for (int i = 0; i < points; i++) {
		double loss = v[points > 1 ? i * (n - 1) / (points - 1) : 0].val_loss;

		str_addc(out,
			 !isfinite(loss) ? '-' : digits[high > low ? lround(63 * (loss - low) / (high - low)) : 0]);
	}
}

static void put_curve(struct str *out, const struct page *p, const struct report_run *u, struct arena *scratch)
{
	struct store_epoch *v = u->epochs;
	int n = u->n_epochs;

	arena_reset(scratch);
	str_addc(out, '"');
	if (n || (p->store && store_epochs(p->store, u->item.run.id, &v, &n, scratch, NULL) == 0))
		curve(out, v, n);
	str_addc(out, '"');
}

static void put_run(struct str *out, const struct page *p, int row, const struct report_run *u, struct arena *scratch)
{
	const struct store_item *t = &u->item;

	str_addc(out, '[');
	str_whole(out, row);
	str_addf(out, ",%d,\"%llu\",%d,", t->run.state, (unsigned long long)t->run.seed, t->attempts);
	html_number(out, round(t->started)); /* whole seconds: more digits than seven */
	str_addc(out, ',');
	html_number(out, round(10 * (t->ended - t->started)) / 10);
	str_addc(out, ',');
	html_number(out, t->run.state == STATE_DONE ? t->result.val_accuracy : (double)NAN);
	str_addc(out, ',');
	put_curve(out, p, u, scratch);
	str_addc(out, ',');
	json_quote(out, t->device ? t->device : "");
	if (t->result.reason || t->run.cached_from) {
		str_addc(out, ',');
		json_quote(out, t->result.reason ? t->result.reason : "");
		str_addf(out, ",%lld", (long long)t->run.cached_from);
	}
	str_addc(out, ']');
}

static void put_events(struct str *out, const struct page *p)
{
	struct store_event *v;
	int n = 0;

	if (p->store &&
	    store_events(p->store, p->r->n_studies > 1 ? 0 : p->r->studies[0].id, EVENTS, &v, &n, p->a, NULL) < 0)
		n = 0;
	for (int i = n - 1; i >= 0; i--) {
		str_add(out, i < n - 1 ? ",[" : "[");
		html_number(out, floor(v[i].time));
		str_addc(out, ',');
		json_quote(out, v[i].kind);
		str_addc(out, ',');
		json_quote(out, v[i].text ? v[i].text : "");
		str_addc(out, ']');
	}
}

/* {"states": [names], "runs": [[row, state, seed, attempts, start, seconds from start to end, accuracy, curve, device,
 * reason, run of another study that it is copied from]], "events": [[time, kind, text]]} */
static void data(struct str *out, const struct page *p)
{
	struct arena *scratch = arena_new();
	int n = 0;

	str_add(out, "{\"states\":[");
	for (int i = 0; i < STATE_COUNT; i++)
		str_addf(out, "%s\"%s\"", i ? "," : "", run_state_names[i]);
	str_add(out, "],\"runs\":[");
	for (int i = 0; i < p->r->n_rows; i++)
		for (int k = 0; k < p->r->rows[i].n_runs; k++) {
			str_add(out, n++ ? ",\n" : "");
			put_run(out, p, i, &p->r->rows[i].runs[k], scratch);
		}
	str_add(out, "],\"events\":[");
	put_events(out, p);
	str_add(out, "]}");
	arena_free(scratch);
}

const struct page_view view_history = { .id = "history", .title = "Queue and history", .html = failures, .data = data };
