/* bench/bench_report.c - a report of a large store: how long it takes and how large the page is.
 *
 *	bench_report [RUNS [DIR [CLASSES]]]		10000 runs, a folder that is removed afterwards, 10 classes
 *
 * The store is filled through the store's own calls (tests/helper_store.h) unless DIR/runs.db is there already; the
 * report goes to DIR/report. It is written twice: first without a cache of distances, then with what the first left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "report/report.h"
#include "store/store.h"
#include "tests/helper_store.h"

static double cpu(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static int write_report(const char *path, const char *dir, const char *what, struct err *e)
{
	struct report_opts o = { .dir = dir, .no_figures = true };
	struct report_made made;
	struct store *s = NULL;
	double wall = clock_mono(), used = cpu();
	struct stat st;
	int rc;

	if (store_open(&s, path, STORE_READ, e) < 0)
		return -1;
	rc = report_write(s, &o, &made, e);
	store_close(s);
	if (rc < 0)
		return -1;
	wall = clock_mono() - wall;
	used = cpu() - used;
	printf("%-18s %6.2f s wall  %6.2f s CPU  %d models, page %.1f MB\n", what, wall, used, made.models,
	       stat(made.index, &st) == 0 ? (double)st.st_size / 1e6 : 0);
	return 0;
}

static void fill(const char *path, int runs, int classes)
{
	struct made_store m = { .study = "many", .baselines = 3, .seeds = 1, .epochs = 8, .examples = 2000, .seed = 1 };
	double t = clock_mono();

	m.candidates = runs - m.baselines;
	m.n_classes = classes;
	made_store_add(path, &m);
	printf("%-18s %6.2f s wall\n", "filling the store", clock_mono() - t);
}

int main(int argc, char **argv)
{
	char temporary[] = "/tmp/nab-bench-report-XXXXXX", path[600], dir[600], command[640];
	int runs = argc > 1 ? atoi(argv[1]) : 10000, rc;
	const char *place = argc > 2 ? argv[2] : mkdtemp(temporary);
	struct err e = { 0 };

	if (!place || runs < 10)
		return 2;
	snprintf(path, sizeof path, "%s/runs.db", place);
	snprintf(dir, sizeof dir, "%s/report", place);
	if (!file_exists(path))
		fill(path, runs, argc > 3 ? atoi(argv[3]) : 10);
	rc = write_report(path, dir, "first report", &e) < 0 || write_report(path, dir, "again", &e) < 0;
	if (rc)
		fprintf(stderr, "%s: %s\n", e.where, e.msg);
	snprintf(command, sizeof command, "rm -rf '%s'", temporary);
	if (argc < 3 && system(command) != 0)
		return 1;
	return rc;
}
