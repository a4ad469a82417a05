/* cli/cmd_report.c - nab report: what a store holds, as one offline HTML file with tables and charts. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/patience.h"
#include "cli/target.h"
#include "report/report.h"

struct flags {
	const char *store, *study, *output, *where;
	const char *literature;
	struct opt_strs pin;
	int top, images;
	double interval;
	bool figures, pdf, png, watch;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_STR(struct flags, output, "report", "folder (also -o)"),
	OPT_STR(struct flags, study, NULL, "the study; default: the newest"),
	OPT_STR(struct flags, where, NULL, "only models for which this holds: 'acc > 0.9 and params < 100k'"),
	OPT_INT(struct flags, top, 0, 0, 100000, "models with charts and details, best first; 0: 300"),
	OPT_STR(struct flags, literature, NULL,
		"published results beside one's own: cifar-10 (built in), or a JSON file (docs/report.md)"),
	OPT_STRS(struct flags, pin, "models with charts and details whatever their place: LABEL,LABEL"),
	OPT_INT(struct flags, images, -1, -1, 1000000,
		"pictures of examples on the page; 0: none; -1: up to 2000, if the data are not large"),
	OPT_BOOL(struct flags, figures, 1, "also figures by gnuplot, with their scripts and data"),
	OPT_BOOL(struct flags, pdf, 0, "charts and figures as PDF beside the SVG"),
	OPT_BOOL(struct flags, png, 0, "charts and figures as PNG beside the SVG"),
	OPT_BOOL(struct flags, watch, 0,
		 "write the page again when the store has changed, until the study is finished"),
	OPT_REAL(struct flags, interval, 10, 0.1, 86400, "seconds between two looks at the store, with --watch"),
	OPT_END,
};

static int write_report(struct cli *c, struct store *s, bool figures, struct report_made *made, struct err *e)
{
	const struct flags *f = c->flags;
	size_t n = strlen(f->output);
	struct report_opts o = { .dir = arena_printf(c->arena, "%.*s",
						     (int)(n > 1 && f->output[n - 1] == '/' ? n - 1 : n), f->output),
				 .top = f->top,
				 .images = f->images,
				 .where = f->where,
				 .literature = f->literature,
				 .no_figures = !figures,
				 .pdf = f->pdf,
				 .png = f->png };
	struct opt_strs pins = cli_split(&f->pin, c->arena);

	o.pins = pins.v;
	o.n_pins = pins.n;
	if (cli_study_id(s, f->study, &o.study, c->arena, e) < 0)
		return -1;
	return report_write(s, &o, made, e);
}

static void say(struct cli *c, const struct report_made *made)
{
	const struct flags *f = c->flags;
	struct json *v;

	if (made->note[0])
		log_msg(LOG_WARN, "%s", made->note);
	if (f->where && !made->models)
		log_msg(LOG_WARN, "no model fits --where: the report holds none");
	if (!c->json) {
		printf("%s\n", made->index);
		return;
	}
	v = json_object();
	json_put(v, "index", json_str(made->index));
	json_put(v, "models", json_num(made->models));
	json_put(v, "drawn", json_bool(made->drawn));
	cli_print_json(v);
}

/* Nothing will change any more: the study (or all) is finished, or no coordinator is at work. */
static int is_over(struct cli *c, struct store *s, bool *out, struct err *e)
{
	const struct flags *f = c->flags;
	struct arena_mark mark = arena_mark(c->arena);
	struct store_study *all;
	char holder[160];
	int n, open = 0;

	if (store_studies(s, &all, &n, c->arena, e) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		open += all[i].state != STUDY_FINISHED && (!f->study || strcmp(all[i].name, f->study) == 0);
	*out = !open || !store_holder(store_path(s), holder, sizeof holder);
	arena_rewind(c->arena, mark);
	return 0;
}

/* Files are replaced as wholes; the figures, which take their time, are drawn in the end. */
static int keep_writing(struct cli *c, struct store *s, const struct patience *p, struct report_made *made, int *sig,
			struct err *e)
{
	const struct flags *f = c->flags;
	int64_t seen = -1, now;
	bool over;

	for (;;) {
		struct arena_mark mark = arena_mark(c->arena);

		if (is_over(c, s, &over, e) < 0 || store_version(s, &now, e) < 0)
			return -1;
		if ((over || now != seen) && write_report(c, s, over && f->figures, made, e) < 0)
			return -1;
		if (now != seen && !over && !c->quiet)
			fprintf(stderr, "%s: %d models\n", made->index, made->models);
		arena_rewind(c->arena, mark);
		seen = now;
		if (over)
			return 0;
		*sig = patience_wait(p, f->interval);
		if (patience_ends(*sig))
			return 0;
	}
}

static int watch(struct cli *c, struct store *s, struct report_made *made, struct err *e)
{
	struct patience p;
	int rc, sig = 0;

	patience_begin(&p, false);
	rc = keep_writing(c, s, &p, made, &sig, e);
	patience_end(&p);
	if (rc == 0 && sig)
		say(c, made); /* what was written stays */
	return rc < 0 ? -1 : sig ? patience_ended(sig, e) : 0;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct report_made made = { 0 };
	struct store *s = NULL;
	int rc;

	if (cli_open_store(c, f->store, &s, e) < 0)
		return -1;
	rc = f->watch ? watch(c, s, &made, e) : write_report(c, s, f->figures, &made, e);
	store_close(s);
	if (rc < 0)
		return -1;
	say(c, &made);
	return 0;
}

const struct command command_report = {
	.name = "report",
	.usage = "[flags]",
	.help = "write what a store holds as one offline HTML page, tables and charts",
	.more = "  nab report --store fashion.db -o report/\n"
		"  nab report --store fashion.db -o report/ --watch",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.max_args = 0,
	.run = run,
};
