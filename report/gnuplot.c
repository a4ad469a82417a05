/* report/gnuplot.c - see gnuplot.h. */
#include "report/gnuplot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "report/figure.h"
#include "report/gather.h"
#include "report/spawn.h"

enum { CURVES = 6 }; /* models with curves of their own in a report */

const char *const figure_format_names[] = { "svg", "pdf", "png", "tex", NULL };

const struct gnuplot_plot *const gnuplot_plots[] = {
#define PLOT(n) &gnuplot_##n,
#include "report/gnuplot_plots.def"
#undef PLOT
	NULL
};

const struct gnuplot_plot *gnuplot_find(const char *name)
{
	for (int i = 0; gnuplot_plots[i]; i++)
		if (strcmp(gnuplot_plots[i]->name, name) == 0)
			return gnuplot_plots[i];
	return NULL;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static bool harmless(const char *name)
{
	return *name && *name != '-' && *name != '.' && *name != ' ' && strlen(name) < 128 &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._ -") == strlen(name);
}

static int put(const char *dir, const char *name, const char *ending, const struct str *text, struct err *e)
{
	struct str path = { 0 };
	int rc;

	str_addf(&path, "%s%s%s.%s", dir, *dir ? "/" : "", name, ending);
	rc = file_write(str_get(&path), str_get(text), text->len, e);
	str_release(&path);
	return rc;
}

int gnuplot_write(const struct gnuplot_plot *p, const struct plot_request *q, const char *dir, const char *name,
		  const char **why, struct err *e)
{
	struct figure f = { .name = name, .format = q->format, .points = 9 };
	int rc;

	if (!harmless(name))
		return ERR(e, ERR_USAGE, name,
			   "the name of a figure consists of letters, digits, '_', '-', '.' and blanks, and begins "
			   "with one of "
			   "the first three");
	rc = p->write(&f, q, e);
	if (rc == 1 && why)
		*why = f.why;
	if (rc == 0 && (put(dir, name, "dat", &f.dat, e) < 0 || put(dir, name, "gp", &f.gp, e) < 0))
		rc = -1;
	figure_release(&f);
	return rc;
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

int gnuplot_draw(const char *program, const char *dir, const char *name, enum figure_format format, struct err *e)
{
	char script[160];
	const char *argv[] = { program, "-d", script, NULL }, *sep = *dir ? "/" : "";
	int rc;

	snprintf(script, sizeof script, "%s.gp", name);
	rc = spawn_run(argv, *dir ? dir : NULL, -1, -1);
	if (rc == 0)
		return 0;
	if (rc < 0 && errno == ENOENT)
		return ERR(
		    e, ERR_RUNTIME, NULL,
		    "%s is not installed (package gnuplot-nox): the script %s%s%s.gp and its data %s.dat were written, "
		    "to be drawn where it is",
		    program, dir, sep, name, name);
	if (rc < 0)
		return ERR(e, ERR_RUNTIME, NULL, "%s could not be started: %s", program, strerror(errno));
	return ERR(e, ERR_RUNTIME, NULL,
		   "%s ended with status %d on %s%s%s.gp: run it there to see why (it may lack the "
		   "terminal for %s)",
		   program, rc, dir, sep, name, figure_format_names[format]);
}

/* ---- a report's figures --------------------------------------------------------------------------------- */

struct set {
	const char *dir, *program;
	char *note;
	size_t size;
	int drawn;
	struct err *e;
};

/* One figure of the set; what has nothing to show is left out. */
static int one(struct set *s, const struct gnuplot_plot *p, const struct plot_request *q, const char *name)
{
	struct err bad = { 0 };
	int rc = gnuplot_write(p, q, s->dir, name, NULL, s->e);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (s->note[0])
		return 0;
	if (gnuplot_draw(s->program, s->dir, name, q->format, &bad) == 0)
		s->drawn++;
	else
		snprintf(s->note, s->size, "%s", bad.msg);
	return 0;
}

static int curves_of(struct set *s, struct plot_request q, int row)
{
	const char *file = q.report->rows[row].file;
	char name[96];

	q.rows = &row;
	q.n_rows = 1;
	snprintf(name, sizeof name, "curves-%s", file);
	q.loss = false;
	if (one(s, &gnuplot_curves, &q, name) < 0)
		return -1;
	snprintf(name, sizeof name, "loss-%s", file);
	q.loss = true;
	return one(s, &gnuplot_curves, &q, name);
}

static int every(struct set *s, const struct plot_request *q)
{
	static const enum plot_x costs[] = { PLOT_PARAMS, PLOT_MACS, PLOT_SECONDS };
	const struct report *r = q->report;
	struct plot_request own = *q;
	char name[96];

	for (int i = 0; i < 3; i++) {
		own.x = costs[i];
		snprintf(name, sizeof name, "pareto-%s", plot_x_names[costs[i]]);
		TRY(one(s, &gnuplot_pareto, &own, name));
	}
	own.x = PLOT_PARAMS;
	for (int i = 0; gnuplot_plots[i]; i++)
		if (gnuplot_plots[i] != &gnuplot_pareto)
			TRY(one(s, gnuplot_plots[i], &own, gnuplot_plots[i]->name));
	own.loss = true;
	TRY(one(s, &gnuplot_curves, &own, "loss"));
	for (int i = 0; i < r->n_ranked && i < CURVES; i++)
		TRY(curves_of(s, *q, i));
	return 0;
out:
	return -1;
}

int gnuplot_figures(const struct plot_request *q, const char *dir, const char *program, char *note, size_t size,
		    struct err *e)
{
	struct set s = { dir, program, note, size, 0, e };

	note[0] = 0;
	if (file_mkdirs(dir, e) < 0 || every(&s, q) < 0)
		return -1;
	return s.drawn;
}
