/* cli/cmd_distance.c - nab distance: how different models are, who is nearest to whom, and where they lie on a map. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mds.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/comparison.h"
#include "cli/target.h"
#include "report/escape.h"
#include "report/gather.h"
#include "report/map.h"
#include "report/table.h"
#include "store/cache.h"

enum { MATRIX_MOST = 3000 };

struct flags {
	const char *store, *study, *output;
	int metric, preset, format, nearest;
	bool all, normalised, weighted, map, no_cache;
};

static const struct opt flags[] = {
	OPT_STORE(struct flags),
	OPT_BOOL(struct flags, all, 0, "all models of the store that were trained on the same data as the newest"),
	OPT_STR(struct flags, study, NULL, "all models of this study"),
	OPT_ENUM(struct flags, metric, MAP_STRUCTURE, map_metric_names,
		 "how they are built, what they predict for validation examples, their layers"),
	OPT_ENUM(struct flags, preset, OTMANN_NAB, otmann_preset_names,
		 "structure: labels and masses, the corrected ones or as published"),
	OPT_BOOL(struct flags, normalised, 0, "structure: divided by the mass of both models, 0 to 1"),
	OPT_BOOL(struct flags, weighted, 0, "layers: |a - b| / max(a, b) for layers of different width"),
	OPT_INT(struct flags, nearest, 0, 0, 1000000, "of each model the so many nearest ones, instead of the matrix"),
	OPT_BOOL(struct flags, map, 0, "coordinates of a map, instead of the matrix"),
	OPT_BOOL(struct flags, no_cache, 0, "neither read nor write STORE.cache, which spares work for maps"),
	OPT_ENUM(struct flags, format, TABLE_TEXT, table_format_names, "of the table"),
	OPT_STR(struct flags, output, NULL, "file for it (also -o)"),
	OPT_END,
};

struct model {
	const char *label;
	const struct graph *graph;
	int64_t run;             /* 0: none with predictions */
	const char *data_digest; /* of its predictions */
};

struct job {
	struct cli *c;
	const struct flags *f;
	struct store *s; /* NULL: models are files */
	struct model *m;
	int n;
	struct distances *d;
	double *tri;
	double stress;
};

/* ---- which models --------------------------------------------------------------------------------------- */

static void add_model(struct job *j, struct model m)
{
	struct model *more = ARENA_ARRAY(j->c->arena, struct model, j->n + 1);

	if (j->n)
		memcpy(more, j->m, (size_t)j->n * sizeof *more);
	more[j->n++] = m;
	j->m = more;
}

static int add_named(struct job *j, struct err *e)
{
	for (int i = 0; i < j->c->n_args; i++) {
		struct target t;

		if (cli_target(j->c, j->c->args[i], j->f->store, &t, e) < 0)
			return -1;
		if (t.store && !j->s && store_open(&j->s, t.store, STORE_READ, e) < 0)
			return -1;
		add_model(j, (struct model){ t.name ? t.name : j->c->args[i], t.graph,
					     t.item.run.state == STATE_DONE ? t.item.run.id : 0, t.data_digest });
	}
	return 0;
}

static int gather(struct job *j, struct report **r, struct err *e)
{
	struct gather_opts o = { .top = 1 };

	if (cli_open_store(j->c, j->f->store, &j->s, e) < 0 ||
	    cli_study_id(j->s, j->f->study, &o.study, j->c->arena, e) < 0)
		return -1;
	return report_gather(r, j->s, &o, j->c->arena, e);
}

static int row_graph(struct job *j, const struct report_row *w, const struct graph **out, struct err *e)
{
	struct store_model m;

	*out = w->graph;
	if (w->graph)
		return 0;
	if (store_model_get(j->s, w->candidate->model, &m, j->c->arena, e) < 0)
		return -1;
	*out = gather_graph(&m, j->c->arena);
	return 0;
}

static int add_rows(struct job *j, const struct report *r, struct err *e)
{
	j->m = ARENA_ARRAY(j->c->arena, struct model, r->n_rows + 1);
	for (int i = 0; i < r->n_rows; i++) {
		const struct report_row *w = &r->rows[i];
		struct model m = { .label = w->label, .data_digest = r->data.digest };

		for (int k = 0; k < w->n_runs && !m.run; k++)
			m.run = w->runs[k].item.run.state == STATE_DONE ? w->runs[k].item.run.id : 0;
		if (j->f->metric != MAP_PREDICTIONS && row_graph(j, w, &m.graph, e) < 0)
			return -1;
		if (j->f->metric == MAP_PREDICTIONS ? m.run : m.graph != NULL)
			j->m[j->n++] = m;
	}
	if (!j->n)
		return ERR(e, ERR_INVALID, j->f->store,
			   r->n_rows ? "no run has finished: there are no predictions" : "no model is stored");
	return 0;
}

/* ---- distances ------------------------------------------------------------------------------------------ */

static int add_predictions(struct job *j, const struct model *m, struct err *e)
{
	struct arena *scratch = arena_new();
	struct store_evaluation v;
	int rc = -1, found;

	if (!m->run) {
		ERR(e, ERR_USAGE, m->label, "there are no predictions of it: name a finished run of a store");
		goto out;
	}
	if (j->m[0].data_digest && m->data_digest && strcmp(j->m[0].data_digest, m->data_digest) != 0) {
		ERR(e, ERR_INVALID, m->label, "was validated on other examples than \"%s\"", j->m[0].label);
		goto out;
	}
	TRY(found = store_evaluation_get(j->s, m->run, 1, &v, scratch, e));
	if (!found || !v.predicted || v.n < 1) {
		ERR(e, ERR_INVALID, m->label, "its predictions are not stored");
		goto out;
	}
	rc = distances_add_predictions(j->d, v.predicted, v.n, e);
	if (rc < 0)
		err_within(e, m->label);
out:
	arena_free(scratch);
	return rc < 0 ? -1 : 0;
}

static int compute(struct job *j, struct err *e)
{
	struct distance_opts o = { .metric = (enum map_metric)j->f->metric,
				   .preset = (enum otmann_preset)j->f->preset,
				   .raw = !j->f->normalised,
				   .weighted = j->f->weighted };
	int *number = ARENA_ARRAY(j->c->arena, int, j->n + 1);

	if (j->n > MATRIX_MOST)
		return ERR(e, ERR_USAGE, NULL,
			   "%d models make too large a matrix (at most %d): name some, or use --all --map", j->n,
			   MATRIX_MOST);
	j->d = distances_new(&o, j->c->arena);
	for (int i = 0; i < j->n; i++) {
		number[i] = i;
		if (j->f->metric == MAP_PREDICTIONS) {
			TRY(add_predictions(j, &j->m[i], e));
		} else if (distances_add_graph(j->d, j->m[i].graph, e) < 0) {
			err_within(e, j->m[i].label);
			return -1;
		}
	}
	j->tri = ARENA_ARRAY(j->c->arena, double, triangle_at(j->n, 0) + 1);
	distances_rows(j->d, j->tri, number, 0, j->n);
	return 0;
out:
	return -1;
}

/* ---- printing ------------------------------------------------------------------------------------------- */

static const char *describe(const struct job *j)
{
	static const char *const presets[] = { [OTMANN_NAB] = "corrected",
					       [OTMANN_REMAP] = "REMAP's",
					       [OTMANN_NASBOT_CNN] = "NASBOT's for CNNs",
					       [OTMANN_NASBOT_MLP] = "NASBOT's for MLPs" };

	if (j->f->metric == MAP_PREDICTIONS)
		return "Share of the validation examples that get different classes; REMAP used its test set for this.";
	if (j->f->metric == MAP_LAYERS)
		return j->f->weighted ? "Layers to insert, delete or exchange; other widths count in part."
				      : "Layers to insert, delete or exchange for another kind.";
	return arena_printf(j->c->arena, "OTMANN distance with %s labels and masses%s.", presets[j->f->preset],
			    j->f->normalised ? ", divided by the mass of both (0 to 1)" : "");
}

static struct json *labels_json(const struct job *j)
{
	struct json *list = json_array();

	for (int i = 0; i < j->n; i++) {
		struct str clean = { 0 };

		escape_plain(&clean, j->m[i].label);
		json_push(list, json_str(str_get(&clean)));
		str_release(&clean);
	}
	return list;
}

static struct json *matrix_json(const struct job *j)
{
	struct json *out = json_object(), *rows;

	json_put(out, "metric", json_str(map_metric_names[j->f->metric]));
	if (j->f->metric == MAP_STRUCTURE)
		json_put(out, "preset", json_str(otmann_preset_names[j->f->preset]));
	json_put(out, "models", labels_json(j));
	rows = json_put(out, "distances", json_array());
	for (int i = 0; i < j->n; i++) {
		struct json *row = json_push(rows, json_array());

		for (int k = 0; k < j->n; k++)
			json_push(row, json_num(triangle_get(j->tri, i, k)));
	}
	json_put(out, "note", json_str(describe(j)));
	return out;
}

static enum cell_type number_type(const struct job *j)
{
	return j->f->metric == MAP_LAYERS && !j->f->weighted ? CELL_WHOLE : CELL_REAL;
}

static struct table *matrix_table(const struct job *j)
{
	struct arena *a = j->c->arena;
	struct column *column = ARENA_ARRAY(a, struct column, j->n + 2);
	struct table *t;

	column[0] = (struct column){ .key = "number", .title = "#", .type = CELL_WHOLE };
	column[1] = (struct column){ .key = "model", .title = "model", .type = CELL_TEXT };
	for (int i = 0; i < j->n; i++)
		column[i + 2] = (struct column){ .key = arena_printf(a, "d%d", i + 1),
						 .title = arena_printf(a, "%d", i + 1),
						 .type = number_type(j) };
	t = table_new(a, column, j->n + 2);
	for (int i = 0; i < j->n; i++) {
		table_row(t);
		table_put(t, "number", i + 1);
		table_put_text(t, "model", j->m[i].label);
		for (int k = 0; k < j->n; k++)
			table_put(t, column[k + 2].key, triangle_get(j->tri, i, k));
	}
	table_note(t, describe(j));
	return t;
}

static const struct job *sorting; /* qsort has no argument for it; one thread */
static int sorting_from;

static int by_distance(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	double u = triangle_get(sorting->tri, sorting_from, x), v = triangle_get(sorting->tri, sorting_from, y);

	return u != v ? (u < v ? -1 : 1) : x - y;
}

static struct table *nearest_table(const struct job *j)
{
	static const struct column columns[2][4] = {
		{ { .key = "model", .title = "model", .type = CELL_TEXT },
		  { .key = "rank", .title = "#", .type = CELL_WHOLE },
		  { .key = "neighbour", .title = "neighbour", .type = CELL_TEXT },
		  { .key = "distance", .title = "distance", .type = CELL_REAL } },
		{ { .key = "model", .title = "model", .type = CELL_TEXT },
		  { .key = "rank", .title = "#", .type = CELL_WHOLE },
		  { .key = "neighbour", .title = "neighbour", .type = CELL_TEXT },
		  { .key = "distance", .title = "distance", .type = CELL_WHOLE } }
	};
	struct table *t = table_new(j->c->arena, columns[number_type(j) == CELL_WHOLE], 4);
	int *order = ARENA_ARRAY(j->c->arena, int, j->n + 1);

	for (int i = 0; i < j->n; i++) {
		int n = 0;

		for (int k = 0; k < j->n; k++)
			if (k != i)
				order[n++] = k;
		sorting = j;
		sorting_from = i;
		if (n)
			qsort(order, (size_t)n, sizeof *order, by_distance);
		for (int k = 0; k < n && k < j->f->nearest; k++) {
			table_row(t);
			table_put_text(t, "model", j->m[i].label);
			table_put(t, "rank", k + 1);
			table_put_text(t, "neighbour", j->m[order[k]].label);
			table_put(t, "distance", triangle_get(j->tri, i, order[k]));
		}
	}
	table_note(t, describe(j));
	return t;
}

static struct table *map_table(struct cli *c)
{
	static const struct column columns[] = {
		{ .key = "model", .title = "model", .type = CELL_TEXT },
		{ .key = "x", .title = "x", .type = CELL_REAL },
		{ .key = "y", .title = "y", .type = CELL_REAL },
	};
	return table_new(c->arena, columns, 3);
}

static void put_place(struct table *t, const char *label, double x, double y)
{
	table_row(t);
	table_put_text(t, "model", label);
	table_put(t, "x", x);
	table_put(t, "y", y);
}

static int print_table(struct job *j, struct table *t, struct err *e)
{
	enum table_format format = j->c->json ? TABLE_JSON : (enum table_format)j->f->format;
	bool matrix = !j->f->map && !j->f->nearest;
	struct str text = { 0 };
	int rc = 0;

	if (format == TABLE_JSON && matrix) {
		struct json *doc = matrix_json(j);

		json_pretty(&text, doc);
		str_addc(&text, '\n');
		json_free(doc);
	} else {
		table_print(&text, t, format, 0, !j->f->output && j->c->paint_out);
	}
	if (j->f->output)
		rc = file_write(j->f->output, str_get(&text), text.len, e);
	else
		fputs(str_get(&text), stdout); /* texts of others were escaped where they were put in */
	str_release(&text);
	return rc;
}

/* ---- running -------------------------------------------------------------------------------------------- */

/* Of the named models alone. */
static int map_named(struct job *j, struct err *e)
{
	size_t n = (size_t)j->n;
	double *d, (*x)[2] = arena_alloc(j->c->arena, (n + 1) * sizeof *x), raw;
	struct table *t;

	if (compute(j, e) < 0)
		return -1;
	d = ARENA_ARRAY(j->c->arena, double, n *n + 1);
	for (int i = 0; i < j->n; i++)
		for (int k = 0; k < j->n; k++)
			d[(size_t)i * n + (size_t)k] = triangle_get(j->tri, i, k);
	if (mds_map(x, NULL, d, j->n, &raw, e) < 0)
		return -1;
	t = map_table(j->c);
	for (int i = 0; i < j->n; i++)
		put_place(t, j->m[i].label, x[i][0], x[i][1]);
	table_note(t, arena_printf(j->c->arena, "%s Stress %.3f.", describe(j), mds_stress1(raw, d, j->n)));
	return print_table(j, t, e);
}

/* As reports draw it, with its cache. */
static int map_store(struct job *j, const struct report *r, struct err *e)
{
	const char *cache = j->f->no_cache ? NULL : cache_path(store_path(j->s), j->c->arena);
	struct table *t;
	struct map *m;

	if (j->f->preset != OTMANN_NAB || j->f->weighted)
		return ERR(e, ERR_USAGE, "--map",
			   "the map of a store is that of its reports: without --preset and --weighted");
	if (map_models(&m, r, (enum map_metric)j->f->metric, cache, j->c->arena, e) < 0)
		return -1;
	t = map_table(j->c);
	for (int i = 0; i < m->n; i++)
		put_place(t, r->rows[i].label, m->x[i], m->y[i]);
	table_note(t, m->note);
	return print_table(j, t, e);
}

static int check_flags(const struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	bool whole = f->all || f->study;

	if (whole && c->n_args)
		return ERR(e, ERR_USAGE, NULL, "name models, or take all with --all or --study, not both");
	if (!whole && c->n_args < 2)
		return ERR(e, ERR_USAGE, NULL, "name two models or more, or take all of a store with --all");
	if (f->map && f->nearest)
		return ERR(e, ERR_USAGE, "--nearest", "a map has coordinates, not neighbours: without --map");
	if ((f->preset != OTMANN_NAB || f->normalised) && f->metric != MAP_STRUCTURE)
		return ERR(e, ERR_USAGE, f->normalised ? "--normalised" : "--preset", "is for --metric structure");
	if (f->weighted && f->metric != MAP_LAYERS)
		return ERR(e, ERR_USAGE, "--weighted", "is for --metric layers");
	return 0;
}

static int distance(struct job *j, struct err *e)
{
	struct report *r = NULL;

	if (check_flags(j->c, e) < 0)
		return -1;
	if (j->c->n_args ? add_named(j, e) < 0 : gather(j, &r, e) < 0)
		return -1;
	if (r && j->f->map)
		return map_store(j, r, e);
	if (r && add_rows(j, r, e) < 0)
		return -1;
	if (j->f->map)
		return map_named(j, e);
	if (compute(j, e) < 0)
		return -1;
	return print_table(j, j->f->nearest ? nearest_table(j) : matrix_table(j), e);
}

static int run(struct cli *c, struct err *e)
{
	struct job j = { .c = c, .f = c->flags };
	int rc = distance(&j, e);

	store_close(j.s);
	return rc;
}

const struct command command_distance = {
	.name = "distance",
	.usage = "MODEL... [flags]",
	.help = "how different models are: a matrix, the nearest neighbours, or places on a map",
	.more = "A model is a file or a run of the store. Predictions are compared on the validation examples; REMAP "
		"compared\n"
		"those on its test set. What the distances mean: docs/map.md.\n\n"
		"  nab distance lenet5 best resnet8.json --store fashion.db\n"
		"  nab distance --all --nearest 3 --metric predictions\n"
		"  nab distance a.json b.json --preset remap --format csv\n"
		"  nab distance --all --map --json",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.max_args = -1,
	.run = run,
};
