/* report/view_study.c - the page: configuration and provenance. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/page.h"
#include "report/plots.h"
#include "store/store.h"

static void pair(struct str *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	str_add(out, "<dt>");
	html_text(out, key);
	str_add(out, "</dt><dd>");
	html_text(out, value);
	str_add(out, "</dd>");
}

static void env_pairs(struct str *out, const char *env)
{
	struct json *v = NULL;
	struct str text = { 0 };

	if (!env || json_parse(&v, env, strlen(env), "env", NULL) < 0)
		return;
	JSON_EACH(m, v) {
		str_clear(&text);
		if (json_string(m))
			str_add(&text, json_string(m));
		else
			json_print(&text, m);
		pair(out, json_key(m) ? json_key(m) : "", str_get(&text));
	}
	json_free(v);
	str_release(&text);
}

static void seeds_pair(struct str *out, const struct report *r)
{
	struct str text = { 0 };
	uint64_t seen[64];
	int n = 0;

	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++) {
			uint64_t seed = r->rows[i].runs[k].item.run.seed;
			int j = 0;

			while (j < n && seen[j] != seed)
				j++;
			if (j < n || n == 64)
				continue;
			seen[n++] = seed;
			if (n <= 12)
				str_addf(&text, "%s%llu", n > 1 ? ", " : "", (unsigned long long)seed);
		}
	if (n > 12)
		str_add(&text, ", \xe2\x80\xa6");
	pair(out, "replicate seeds", str_get(&text));
	str_release(&text);
}

static const char *label_of(const struct report *r, int64_t run)
{
	for (int i = 0; i < r->n_rows; i++)
		for (int k = 0; k < r->rows[i].n_runs; k++)
			if (r->rows[i].runs[k].item.run.id == run)
				return r->rows[i].label;
	return "a run that is not shown";
}

/* How often, and when, by what. */
static void test_reads(struct str *out, const struct page *p)
{
	enum { MOST = 20 };
	struct str text = { 0 };
	char buf[40];

	str_addf(&text, "%d time%s", p->r->test_reads, p->r->test_reads == 1 ? "" : "s");
	for (int i = 0, listed = 0; p->store && i < p->r->n_studies; i++) {
		struct store_test_read *v;
		int n;

		if (store_test_read_list(p->store, p->r->studies[i].id, &v, &n, p->a, NULL) < 0)
			break;
		for (int k = 0; k < n && listed < MOST; k++, listed++)
			str_addf(&text, "%s%s: %s, by %s", listed ? "; " : ": ", clock_text(buf, v[k].time),
				 label_of(p->r, v[k].run), v[k].what);
	}
	pair(out, "test split read", str_get(&text));
	str_release(&text);
}

static void provenance(struct str *out, const struct page *p)
{
	const struct report *r = p->r;
	const struct store_study *y = &r->studies[0];
	char buf[40];

	str_add(out, "<div class=\"card pad\"><dl>");
	pair(out, "study", y->name);
	pair(out, "kind", y->kind);
	pair(out, "state", study_state_names[y->state]);
	pair(out, "begun", clock_text(buf, y->created));
	if (!isnan(r->started))
		pair(out, "first start", clock_text(buf, r->started));
	if (!isnan(r->ended))
		pair(out, "last end", clock_text(buf, r->ended));
	pair(out, "data set", r->data.name);
	pair(out, "data digest", r->data.digest);
	pair(out, "study digest", y->digest);
	seeds_pair(out, r);
	env_pairs(out, y->env);
	test_reads(out, p);
	if (r->n_copies) {
		snprintf(buf, sizeof buf, "%d", r->n_copies);
		pair(out, "candidates that repeat another study's results, shown once", buf);
	}
	if (r->n_left_out) {
		snprintf(buf, sizeof buf, "%d", r->n_left_out);
		pair(out, "studies on other data, not shown", buf);
	}
	str_add(out, "</dl></div>\n");
}

static void study_part(struct str *out, const char *title, const char *json, bool open)
{
	if (!json || !*json)
		return;
	str_addf(out, "<details%s><summary>%s</summary>", open ? " open" : "", title);
	html_json(out, json);
	str_add(out, "</details>");
}

static void study(struct str *out, const struct page *p)
{
	const struct report *r = p->r;

	str_add(out, "<p class=\"sub\">As it was stored, with every default "
		     "written out.</p>");
	for (int i = 0; i < r->n_studies; i++) {
		const struct store_study *y = &r->studies[i];

		str_add(out, "<div class=\"card pad\"><b>");
		html_text(out, y->name);
		str_add(out, "</b>");
		study_part(out, "Study", y->config, i == 0);
		study_part(out, "Search space", y->space, false);
		study_part(out, "Search at its end", y->search, false);
		if (i == 0) {
			study_part(out, "Data specification", r->data.spec, false);
			study_part(out, "Data", r->data.info, false);
		}
		str_add(out, "</div>");
	}
}

const struct page_view view_study = { .id = "study", .title = "Configuration", .html = study };
const struct page_view view_provenance = { .id = "provenance", .title = "Provenance", .html = provenance };
