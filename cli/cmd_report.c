/* cli/cmd_report.c - nab report: what a store holds, as one offline HTML file with tables and charts. */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/target.h"
#include "report/report.h"

struct flags {
	const char *store, *study, *output, *where;
	int top, images;
	bool figures;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, store, NULL, "the store; default: $NAB_STORE, else the only *.db file here"),
	OPT_STR(struct flags, output, "report", "folder (also -o)"),
	OPT_STR(struct flags, study, NULL, "the study; default: the newest"),
	OPT_STR(struct flags, where, NULL, "only models for which this holds: 'acc > 0.9 and params < 100k'"),
	OPT_INT(struct flags, top, 0, 0, 100000, "models with charts and details, best first; 0: 50"),
	OPT_INT(struct flags, images, -1, -1, 1000000,
		"pictures of examples on the page; 0: none; -1: up to 2000, if the data are not large"),
	OPT_BOOL(struct flags, figures, 1, "also figures by gnuplot, with their scripts and data"),
	OPT_END,
};

static int write(struct cli *c, struct store *s, struct report_made *made, struct err *e)
{
	const struct flags *f = c->flags;
	size_t n = strlen(f->output);
	struct report_opts o = { .dir = arena_printf(c->arena, "%.*s",
						     (int)(n > 1 && f->output[n - 1] == '/' ? n - 1 : n), f->output),
				 .top = f->top,
				 .images = f->images,
				 .where = f->where,
				 .no_figures = !f->figures };
	struct store_study y;
	int found;

	if (f->study) {
		found = store_study_find(s, f->study, &y, c->arena, e);
		if (found < 0)
			return -1;
		if (!found)
			return ERR(e, ERR_USAGE, "--study", "the store has no study \"%s\" (`nab status` lists them)",
				   f->study);
		o.study = y.id;
	}
	return report_write(s, &o, made, e);
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct report_made made = { 0 };
	struct store *s = NULL;
	struct json *v;
	int rc;

	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = write(c, s, &made, e);
	store_close(s);
	if (rc < 0)
		return -1;
	if (made.note[0])
		log_msg(LOG_WARN, "%s", made.note);
	if (!c->json) {
		printf("%s\n", made.index);
		return 0;
	}
	v = json_object();
	json_put(v, "index", json_str(made.index));
	json_put(v, "models", json_num(made.models));
	json_put(v, "drawn", json_bool(made.drawn));
	cli_print_json(v);
	return 0;
}

const struct command command_report = {
	.name = "report",
	.usage = "[flags]",
	.help = "write what a store holds as one offline HTML page, tables and charts",
	.more = "  nab report --store fashion.db -o report/",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.max_args = 0,
	.run = run,
};
