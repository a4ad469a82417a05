/* cli/made.c - see made.h. */
#include "cli/made.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static void name_it(struct cli *c, const struct made *m)
{
	const char *base = m->output ? path_base(m->output) : NULL, *dot = base ? strrchr(base, '.') : NULL;
	struct str note = { 0 };
	char hash[HASH_TEXT];

	if (base)
		m->graph->name = arena_printf(c->arena, "%.*s", (int)(dot ? dot - base : (long)strlen(base)), base);
	str_addf(&note, "%s from %s (%.12s)", m->verb, m->from->name ? m->from->name : "a model",
		 hash_text(hash, graph_hash(m->from)));
	for (int i = 0; i < m->n_lines; i++)
		str_addf(&note, "%s%s", i ? "; " : ": ", m->lines[i]);
	m->graph->note = arena_strdup(c->arena, str_get(&note));
	str_release(&note);
}

static void cost_line(struct str *t, const char *what, int64_t before, int64_t after)
{
	char a[32], b[32];

	str_addf(t, "%-14s %14s -> %14s", what, str_thousands(a, before), str_thousands(b, after));
	if (before > 0 && after >= 10 * before)
		str_addf(t, "  (times %.3g)", (double)after / (double)before);
	else if (before > 0 && after != before)
		str_addf(t, "  (%+.1f %%)", 100.0 * (double)(after - before) / (double)before);
	str_addc(t, '\n');
}

static void words(struct str *t, const struct made *m, const struct cost *before, const struct cost *after)
{
	for (int i = 0; i < m->n_lines; i++)
		str_addf(t, "%s\n", m->lines[i]);
	if (!m->n_lines)
		str_add(t, "nothing had to be changed\n");
	cost_line(t, "parameters", before->params, after->params);
	cost_line(t, "multiply-adds", before->macs, after->macs);
}

static void print_json(const struct made *m, const struct cost *before, const struct cost *after)
{
	struct json *doc = m->extra ? m->extra : json_object(), *list = json_put(doc, "changes", json_array());

	for (int i = 0; i < m->n_lines; i++)
		json_push(list, json_str(m->lines[i]));
	json_put(doc, "params_before", json_num((double)before->params));
	json_put(doc, "params", json_num((double)after->params));
	json_put(doc, "macs_before", json_num((double)before->macs));
	json_put(doc, "macs", json_num((double)after->macs));
	json_put(doc, "model", model_write(m->graph));
	cli_print_json(doc);
}

static int write_file(const struct made *m, struct err *e)
{
	struct str text = { 0 };
	int rc;

	model_print(&text, m->graph);
	rc = file_write(m->output, str_get(&text), text.len, e);
	str_release(&text);
	return rc;
}

/* With a file (or kept elsewhere): everything to read on stdout. Without: the model on stdout, the words on stderr. */
static void show(struct cli *c, const struct made *m, const struct cost *before, const struct cost *after)
{
	struct str t = { 0 };

	words(&t, m, before, after);
	if (m->output || m->kept) {
		str_addc(&t, '\n');
		graph_draw(&t, m->graph);
		cli_print(&t);
	} else {
		if (!c->quiet)
			fputs(str_get(&t), stderr);
		str_clear(&t);
		model_print(&t, m->graph);
		cli_print(&t);
	}
	str_release(&t);
}

int cli_made(struct cli *c, const struct made *m, struct err *e)
{
	struct cost before, after;
	struct diag d = { 0 };

	if (graph_cost(m->from, &before, e) < 0 || graph_cost(m->graph, &after, e) < 0)
		return -1;
	name_it(c, m);
	graph_lint(m->graph, &d);
	if (cli_report(c, &d, m->graph->name ? m->graph->name : "the model", e) < 0)
		return -1;
	if (m->output && write_file(m, e) < 0)
		return -1;
	if (c->json)
		print_json(m, &before, &after);
	else
		show(c, m, &before, &after);
	return 0;
}
