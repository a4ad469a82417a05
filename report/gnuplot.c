/* report/gnuplot.c - see gnuplot.h. */
#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/escape.h"
#include "report/gather.h"

enum { CURVES = 12 };

static const char *const plots[] = { "accuracy-params", "accuracy-macs", "search-order" };
enum { PLOTS = sizeof plots / sizeof *plots };

static int put(const char *dir, const char *name, const char *ending, struct str *text, struct err *e)
{
	char path[4096];
	int rc;

	snprintf(path, sizeof path, "%s/%s.%s", dir, name, ending);
	rc = file_write(path, str_get(text), text->len, e);
	str_release(text);
	return rc;
}

static void script_head(struct str *out, const char *name)
{
	str_addf(out,
		 "# Made by nab. Draw again with: gnuplot %s.gp\n"
		 "# For papers: set terminal pdfcairo size 9cm,6cm; set output '%s.pdf'\n"
		 "set terminal svg size 820,480 dynamic noenhanced font 'Helvetica,12' background rgb 'white'\n"
		 "set output '%s.svg'\n"
		 "set encoding utf8\nset datafile missing 'NaN'\nset grid ytics lc rgb '#e4e7ec'\n"
		 "set border 3 lc rgb '#667085'\nset tics nomirror\nset key below\n",
		 name, name, name);
}

/* ---- accuracy against cost ------------------------------------------------------------------------------ */

static void value(struct str *out, double v)
{
	char buf[32];

	str_addf(out, "%s ", isnan(v) ? "NaN" : str_real(buf, v));
}

/* A text as one field of a data file: in double quotes, with none inside. */
static void field(struct str *out, const char *s)
{
	struct str clean = { 0 };

	escape_plain(&clean, s);
	for (size_t i = 0; i < clean.len; i++)
		if (clean.s[i] == '"' || clean.s[i] == '\\' || clean.s[i] == '`')
			clean.s[i] = '\'';
	str_addf(out, "\"%s\"", str_get(&clean));
	str_release(&clean);
}

static double cost_of(const struct report_row *w, int plot)
{
	bool searched = w->candidate->origin == ORIGIN_SEARCH;

	if (plot == 2)
		return searched ? (double)w->candidate->number + 1 : (double)NAN;
	return plot == 1 ? (double)w->macs : (double)w->params;
}

static void rows_of(struct str *out, const struct report *r, int plot, bool baselines)
{
	double scale = r->classify ? 100 : 1;
	int n = 0;

	str_addf(out, "# %s: cost, accuracy, lower and upper end of the 95 %% interval, model\n",
		 baselines ? "baselines" : "search");
	for (int i = 0; i < r->n_ranked; i++) {
		const struct report_row *w = &r->rows[i];
		double v[4] = { cost_of(w, plot), scale * w->accuracy, scale * w->low, scale * w->high };

		if (baselines != (w->candidate->origin == ORIGIN_BASELINE) || isnan(v[0]) || isnan(v[1]))
			continue;
		for (int k = 0; k < 4; k++)
			value(out, k > 1 && isnan(v[k]) ? v[1] : v[k]);
		field(out, w->label);
		str_addc(out, '\n');
		n++;
	}
	if (n == 0)
		str_add(out, "NaN NaN NaN NaN \"\"\n");
	str_add(out, "\n\n");
}

/* The Pareto front (search order: the best so far) as corners from left to right. */
static void front_rows(struct str *out, const struct report *r, int plot)
{
	double at = -INFINITY, best = -INFINITY, scale = r->classify ? 100 : 1;

	str_add(out, "# front: cost, accuracy\n");
	for (int found = 1; found;) {
		double next = INFINITY, top = 0;

		found = 0;
		for (int i = 0; i < r->n_ranked; i++) {
			double x = cost_of(&r->rows[i], plot), y = r->rows[i].accuracy;

			if (!(x > at) || !(y > best) || x > next || (x == next && y <= top))
				continue;
			next = x;
			top = y;
			found = 1;
		}
		if (found) {
			value(out, next);
			value(out, scale * top);
			str_addc(out, '\n');
			at = next;
			best = top;
		}
	}
	if (isinf(best))
		str_add(out, "NaN NaN\n");
}

/* Models trained by hand have no place in the order of a search. */
static bool has_points(const struct report *r, int plot)
{
	for (int i = 0; i < r->n_ranked; i++)
		if (!isnan(cost_of(&r->rows[i], plot)) && !isnan(r->rows[i].accuracy))
			return true;
	return false;
}

static int write_plot(const struct report *r, const char *dir, int plot, struct err *e)
{
	static const char *const titles[] = { "parameters", "multiply-adds per example", "order of the search" };
	struct str gp = { 0 }, dat = { 0 };

	rows_of(&dat, r, plot, false);
	rows_of(&dat, r, plot, true);
	front_rows(&dat, r, plot);
	script_head(&gp, plots[plot]);
	str_addf(&gp, "set xlabel '%s'\nset ylabel '%s'\n", titles[plot],
		 r->classify ? "validation accuracy, %" : "validation metric");
	if (plot < 2)
		str_add(&gp, "set logscale x\nset format x '%.0s%c'\n");
	str_addf(&gp,
		 "set autoscale xfix\nset offsets graph 0.05, graph 0.05, graph 0.05, graph 0.02\n"
		 "plot '%s.dat' index 2 using 1:2 with steps lc rgb '#98a2b3' title 'front', \\\n"
		 "     '' index 0 using 1:2:3:4 with yerrorbars pt 7 ps 0.8 lc rgb '#2f6db5' title 'search', \\\n"
		 "     '' index 1 using 1:2:3:4 with yerrorbars pt 5 ps 0.9 lc rgb '#d1480f' title 'baselines', \\\n"
		 "     '' index 1 using 1:2:5 with labels noenhanced left offset 1,0 notitle\n",
		 plots[plot]);
	if (put(dir, plots[plot], "dat", &dat, e) < 0) {
		str_release(&gp);
		return -1;
	}
	return put(dir, plots[plot], "gp", &gp, e);
}

/* ---- learning curves ------------------------------------------------------------------------------------ */

static void curve_rows(struct str *out, const struct report *r, const struct report_row *w)
{
	double scale = r->classify ? 100 : 1;

	str_add(out,
		"# epoch, training loss, validation loss, training accuracy, validation accuracy, learning rate\n# ");
	escape_plain(out, w->label);
	str_addc(out, '\n');
	for (int i = 0; i < w->n_runs; i++) {
		for (int k = 0; k < w->runs[i].n_epochs; k++) {
			const struct store_epoch *p = &w->runs[i].epochs[k];

			str_addf(out, "%d ", p->epoch);
			value(out, p->train_loss);
			value(out, p->val_loss);
			value(out, scale * p->train_accuracy);
			value(out, scale * p->val_accuracy);
			value(out, p->rate);
			str_addc(out, '\n');
		}
		str_add(out, "\n\n"); /* a block a seed */
	}
}

static int write_curves(const struct report *r, const struct report_row *w, const char *dir, struct err *e)
{
	struct str gp = { 0 }, dat = { 0 };
	char name[96];

	snprintf(name, sizeof name, "curves-%s", w->file);
	curve_rows(&dat, r, w);
	script_head(&gp, name);
	str_addf(&gp,
		 "set multiplot layout 1,2\nset xlabel 'epoch'\nset key top right\nset title 'loss'\n"
		 "plot '%s.dat' using 1:2 with linespoints pt 1 dt 2 lc rgb '#6f6f6f' title 'training', \\\n"
		 "     '' using 1:3 with linespoints pt 7 ps 0.6 lc rgb '#2f6db5' title 'validation'\n"
		 "set key bottom right\nset title '%s'\n"
		 "plot '%s.dat' using 1:4 with linespoints pt 1 dt 2 lc rgb '#6f6f6f' title 'training', \\\n"
		 "     '' using 1:5 with linespoints pt 7 ps 0.6 lc rgb '#2f6db5' title 'validation'\n"
		 "unset multiplot\n",
		 name, r->classify ? "accuracy, %" : "metric", name);
	if (put(dir, name, "dat", &dat, e) < 0) {
		str_release(&gp);
		return -1;
	}
	return put(dir, name, "gp", &gp, e);
}

/* Only models with charts of their own get figures, and only if an epoch was recorded. */
static bool has_curves(const struct report_row *w)
{
	for (int i = 0; i < w->n_runs; i++)
		if (w->runs[i].n_epochs)
			return w->detailed;
	return false;
}

int gnuplot_write(const struct report *r, const char *dir, struct err *e)
{
	int curves = 0;

	if (file_mkdirs(dir, e) < 0)
		return -1;
	for (int k = 0; k < PLOTS; k++)
		if (has_points(r, k) && write_plot(r, dir, k, e) < 0)
			return -1;
	for (int i = 0; i < r->n_ranked && curves < CURVES; i++)
		if (has_curves(&r->rows[i])) {
			if (write_curves(r, &r->rows[i], dir, e) < 0)
				return -1;
			curves++;
		}
	return 0;
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

/* Exit status of `program -d NAME.gp` in dir, or -1 with errno. */
static int run(const char *program, const char *dir, const char *name)
{
	extern char **environ;
	char script[128];
	char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t) "-d", script, NULL };
	posix_spawn_file_actions_t actions;
	int status, rc;
	pid_t pid;

	snprintf(script, sizeof script, "%s.gp", name);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, dir);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc) {
		errno = rc;
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int draw(const char *program, const char *dir, const char *name, char *note, size_t size)
{
	int rc = run(program, dir, name);

	if (rc == 0)
		return 1;
	if (rc < 0 && errno == ENOENT)
		snprintf(note, size, "%s is not installed: its scripts and data are in %s, to be drawn elsewhere",
			 program, dir);
	else if (rc < 0)
		snprintf(note, size, "%s could not be started: %s", program, strerror(errno));
	else
		snprintf(note, size, "%s ended with status %d on %s/%s.gp: run it there to see why", program, rc, dir,
			 name);
	return 0;
}

int gnuplot_draw(const struct report *r, const char *dir, const char *program, char *note, size_t size)
{
	int curves = 0;
	char name[96];

	note[0] = 0;
	for (int k = 0; k < PLOTS; k++)
		if (has_points(r, k) && !draw(program, dir, plots[k], note, size))
			return 0;
	for (int i = 0; i < r->n_ranked && curves < CURVES; i++) {
		if (!has_curves(&r->rows[i]))
			continue;
		snprintf(name, sizeof name, "curves-%s", r->rows[i].file);
		if (!draw(program, dir, name, note, size))
			return 0;
		curves++;
	}
	return 1;
}
