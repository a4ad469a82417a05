/* dataset/read_csv.c - a text table with one example per row.
 *
 * One column is the label (classes, in numeric or else byte order) or, for regression, the value to predict. A column
 * that holds numbers becomes one feature; a missing number becomes the mean of its column. Any other column becomes one
 * feature per value that occurs in the training file; a missing or new value is all zeros. What the columns mean is
 * decided by the training file alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/opt.h"
#include "dataset/csv.h"
#include "dataset/format.h"

enum header { HEADER_AUTO, HEADER_YES, HEADER_NO };
static const char *const header_names[] = { "auto", "yes", "no", NULL };
static const char *const csv_task_names[] = { "classification", "regression", NULL };

struct cfg {
	const char *label, *test, *missing, *delimiter;
	int header, task;
	struct opt_strs categorical, drop;
	struct opt_ints shape;
};

static const struct opt opts[] = {
	OPT_STR(struct cfg, label, NULL,
		"the label's column: its name, or its number from 0, or from the end: -1 (default)"),
	OPT_STR(struct cfg, test, NULL, "file of the test split, beside the training file"),
	OPT_ENUM(struct cfg, header, HEADER_AUTO, header_names, "whether the first row holds the names of the columns"),
	OPT_STR(struct cfg, delimiter, ",", "the character between columns; \"tab\" for tabs"),
	OPT_STR(struct cfg, missing, "?", "what stands for a missing value, beside an empty cell"),
	OPT_STRS(struct cfg, categorical, "columns to take as categories though they hold numbers"),
	OPT_STRS(struct cfg, drop, "columns to leave out"),
	OPT_ENUM(struct cfg, task, 0, csv_task_names, "whether the label is a class or a value to predict"),
	OPT_INTS(struct cfg, shape, 0, 1, SHAPE_DIM_MAX,
		 "shape of an example if it is a picture: [height, width] or [channels, height, width]"),
	OPT_END
};

enum { VALUES_MAX = 1000 }; /* of a category column */

enum column_kind { COLUMN_NUMBER, COLUMN_CATEGORY, COLUMN_LABEL, COLUMN_DROPPED };

struct column {
	enum column_kind kind;
	const char **values; /* sorted, of a category or label */
	int n_values;
	double fill; /* for missing numbers: the mean */
	int at;      /* first feature */
};

struct file {
	char *path, *buf;
	struct table t;
	int64_t first; /* row of the first example */
};

struct csv { /* one reading */
	const struct cfg *cfg;
	struct arena *arena;
	struct file train, test;
	struct column *columns;
	int features;
	int label;
	struct err *e;
};

static int bad_cell(const struct csv *c, const struct file *f, int64_t row, int column, const char *what)
{
	char where[160];

	snprintf(where, sizeof where, "%s:%" PRIu32, f->path, f->t.line[row]);
	return ERR(c->e, ERR_INVALID, where, "column %d (\"%.40s\") %s", column, table_cell(&f->t, row, column), what);
}

static bool is_missing(const struct csv *c, const char *cell)
{
	return !*cell || (c->cfg->missing && strcmp(cell, c->cfg->missing) == 0);
}

/* ---- files and headers ---------------------------------------------------------------------------------- */

static int load(struct csv *c, struct file *f)
{
	const char *d = c->cfg->delimiter;
	size_t len;

	if (!d || (strlen(d) != 1 && strcmp(d, "tab") != 0) || strchr("\"\r\n", *d))
		return ERR(c->e, ERR_INVALID, "dataset.options.delimiter", "must be one character, or \"tab\"");
	if (file_read(&f->buf, &len, f->path, (size_t)UINT32_MAX - 1, true, c->e) < 0)
		return -1;
	return table_parse(&f->t, f->buf, len, d[1] ? '\t' : d[0], f->path, c->e);
}

/* A header is there if some column holds no number in the first row and only numbers in the (up to 100) rows below. */
static bool guess_header(const struct csv *c, const struct table *t)
{
	int64_t rows = t->rows < 101 ? t->rows : 101;
	double x;

	for (int k = 0; k < t->columns; k++) {
		bool numbers =
		    rows > 1 && !is_missing(c, table_cell(t, 0, k)) && cell_number(&x, table_cell(t, 0, k)) < 0;

		for (int64_t i = 1; i < rows && numbers; i++)
			numbers = cell_number(&x, table_cell(t, i, k)) == 0;
		if (numbers)
			return true;
	}
	return false;
}

static bool same_row(const struct table *a, const struct table *b)
{
	for (int k = 0; k < a->columns; k++)
		if (strcmp(table_cell(a, 0, k), table_cell(b, 0, k)) != 0)
			return false;
	return true;
}

static int load_files(struct csv *c, const char *path)
{
	c->train.path = arena_strdup(c->arena, path);
	if (load(c, &c->train) < 0)
		return -1;
	c->train.first =
	    c->cfg->header == HEADER_YES || (c->cfg->header == HEADER_AUTO && guess_header(c, &c->train.t));
	if (c->train.t.rows <= c->train.first)
		return ERR(c->e, ERR_INVALID, path, "holds a header and no examples");
	if (!c->cfg->test)
		return 0;
	c->test.path = path_join(c->arena, path_dir(c->arena, path), c->cfg->test);
	if (load(c, &c->test) < 0)
		return -1;
	if (c->test.t.columns != c->train.t.columns)
		return ERR(c->e, ERR_INVALID, c->test.path, "has %d columns, the training file has %d",
			   c->test.t.columns, c->train.t.columns);
	c->test.first = c->cfg->header == HEADER_YES || (c->train.first && same_row(&c->train.t, &c->test.t));
	return 0;
}

/* ---- columns -------------------------------------------------------------------------------------------- */

/* Number of a column from its name or number; -1 after an error. */
static int find_column(const struct csv *c, const char *name, const char *option)
{
	const struct table *t = &c->train.t;
	char *end;
	long k;

	for (int i = 0; c->train.first && i < t->columns; i++)
		if (strcmp(table_cell(t, 0, i), name) == 0)
			return i;
	k = strtol(name, &end, 10);
	if (*name && !*end && k < 0)
		k += t->columns;
	if (*name && !*end && k >= 0 && k < t->columns)
		return (int)k;
	return ERR(c->e, ERR_INVALID, option, "there is no column \"%s\" in %s, which has %d%s", name,
		   path_base(c->train.path), t->columns, c->train.first ? "" : " and no header");
}

static int mark_columns(struct csv *c)
{
	const struct opt_strs *lists[] = { &c->cfg->categorical, &c->cfg->drop };
	static const char *const options[] = { "dataset.options.categorical", "dataset.options.drop" };

	c->label = find_column(c, c->cfg->label ? c->cfg->label : "-1", "dataset.options.label");
	if (c->label < 0)
		return -1;
	for (int l = 0; l < 2; l++) {
		for (int i = 0; i < lists[l]->n; i++) {
			int k = find_column(c, lists[l]->v[i], options[l]);

			if (k < 0)
				return -1;
			if (k == c->label)
				return ERR(c->e, ERR_INVALID, options[l], "\"%s\" is the label", lists[l]->v[i]);
			c->columns[k].kind = l ? COLUMN_DROPPED : COLUMN_CATEGORY;
		}
	}
	c->columns[c->label].kind = COLUMN_LABEL;
	return 0;
}

/* Numbers by value if all are numbers, else texts by bytes. */
static int by_value(const void *a_, const void *b_)
{
	const char *a = *(const char *const *)a_, *b = *(const char *const *)b_;
	double x, y;

	if (cell_number(&x, a) == 0 && cell_number(&y, b) == 0 && x != y)
		return x < y ? -1 : 1;
	return strcmp(a, b);
}

/* The different values of a column, sorted by bytes (so that they can be searched). */
static void collect_values(const struct csv *c, int k)
{
	const struct file *f = &c->train;
	const char **v = mem_new((size_t)f->t.rows * sizeof *v);
	int64_t n = 0, kept = 0;

	for (int64_t i = f->first; i < f->t.rows; i++)
		if (!is_missing(c, table_cell(&f->t, i, k)))
			v[n++] = table_cell(&f->t, i, k);
	if (n)
		qsort(v, (size_t)n, sizeof *v, text_order);
	for (int64_t i = 0; i < n; i++)
		if (i == 0 || strcmp(v[i], v[kept - 1]) != 0)
			v[kept++] = v[i];
	c->columns[k].n_values = (int)(kept < INT32_MAX ? kept : INT32_MAX);
	c->columns[k].values = ARENA_ARRAY(c->arena, const char *, kept + 1);
	for (int64_t i = 0; i < kept; i++)
		c->columns[k].values[i] = arena_strdup(c->arena, v[i]);
	mem_free(v);
}

/* Index of a value, or -1. */
static int find_value(const struct column *col, const char *value)
{
	const char **hit =
	    col->n_values ? bsearch(&value, col->values, (size_t)col->n_values, sizeof *hit, text_order) : NULL;

	return hit ? (int)(hit - col->values) : -1;
}

/* Sets kind and fill of a column that was not named in the options. */
static int study_column(struct csv *c, int k)
{
	struct column *col = &c->columns[k];
	const struct file *f = &c->train;
	double x, sum = 0;
	int64_t n = 0;

	for (int64_t i = f->first; i < f->t.rows && col->kind == COLUMN_NUMBER; i++) {
		const char *cell = table_cell(&f->t, i, k);

		if (is_missing(c, cell))
			continue;
		if (cell_number(&x, cell) < 0)
			col->kind = COLUMN_CATEGORY;
		sum += x;
		n++;
	}
	if (col->kind == COLUMN_NUMBER) {
		if (n == 0)
			return bad_cell(c, f, f->first, k, "holds no value in any row: drop it");
		col->fill = sum / (double)n;
		return 0;
	}
	if (col->kind == COLUMN_CATEGORY) {
		collect_values(c, k);
		if (col->n_values > VALUES_MAX)
			return bad_cell(c, f, f->first, k,
					"is text with more than 1000 different values, an id perhaps: drop it");
	}
	return 0;
}

static int study_columns(struct csv *c)
{
	int64_t at = 0;

	c->columns = ARENA_ARRAY(c->arena, struct column, c->train.t.columns);
	if (mark_columns(c) < 0)
		return -1;
	for (int k = 0; k < c->train.t.columns; k++) {
		struct column *col = &c->columns[k];

		if (study_column(c, k) < 0)
			return -1;
		col->at = (int)at;
		at += col->kind == COLUMN_NUMBER ? 1 : col->kind == COLUMN_CATEGORY ? col->n_values : 0;
		if (at > SHAPE_DIM_MAX)
			return ERR(c->e, ERR_INVALID, c->train.path, "gives more than %d features", SHAPE_DIM_MAX);
	}
	c->features = (int)at;
	return at > 0 ? 0 : ERR(c->e, ERR_INVALID, c->train.path, "has no column beside the label");
}

static int choose_classes(struct csv *c, struct raw *r)
{
	struct column *col = &c->columns[c->label];

	if (r->task == TASK_REGRESS) {
		r->classes = 1;
		return 0;
	}
	collect_values(c, c->label);
	if (col->n_values < 1 || col->n_values > DATA_CLASSES_MAX)
		return ERR(c->e, ERR_INVALID, c->train.path, "its label column holds %d classes, must be 1 to %d%s",
			   col->n_values, DATA_CLASSES_MAX, ": is this regression (option \"task\")?");
	r->classes = col->n_values;
	r->class_names = ARENA_ARRAY(c->arena, const char *, r->classes);
	memcpy(r->class_names, col->values, (size_t)r->classes * sizeof *r->class_names);
	qsort(r->class_names, (size_t)r->classes, sizeof *r->class_names, by_value);
	return 0;
}

/* ---- examples ------------------------------------------------------------------------------------------- */

/* The value's index among the sorted values of the label; adult's test file ends its labels in a dot that the training
 * file does not have: such a dot is dropped. */
static int find_label(const struct csv *c, const char *cell)
{
	const struct column *col = &c->columns[c->label];
	int i = find_value(col, cell);
	size_t n = strlen(cell);

	if (i < 0 && n > 1 && cell[n - 1] == '.')
		i = find_value(col, arena_printf(c->arena, "%.*s", (int)n - 1, cell));
	return i;
}

static int fill_row(struct csv *c, struct raw *r, const struct file *f, int64_t row, int64_t at)
{
	float *x = r->f32 + at * c->features;

	for (int k = 0; k < f->t.columns; k++) {
		const struct column *col = &c->columns[k];
		const char *cell = table_cell(&f->t, row, k);
		bool missing = is_missing(c, cell);
		double v = col->fill;
		int i;

		if (col->kind == COLUMN_NUMBER) {
			if (!missing && cell_number(&v, cell) < 0)
				return bad_cell(c, f, row, k, "must be a number, as in the training file");
			x[col->at] = (float)v;
		} else if (col->kind == COLUMN_CATEGORY && !missing) {
			i = find_value(col, cell);
			if (i >= 0)
				x[col->at + i] = 1;
		}
	}
	return 0;
}

/* rank[i]: class of the i-th value in byte order, since classes may be in numeric order. */
static int fill_label(struct csv *c, struct raw *r, const struct file *f, int64_t row, int64_t at, const int *rank)
{
	const char *cell = table_cell(&f->t, row, c->label);
	double v;
	int i;

	if (is_missing(c, cell))
		return bad_cell(c, f, row, c->label, "is the label and must not be missing");
	if (r->task == TASK_REGRESS) {
		if (cell_number(&v, cell) < 0)
			return bad_cell(c, f, row, c->label, "must be a number for regression");
		r->target[at] = (float)v;
		return 0;
	}
	i = find_label(c, cell);
	if (i < 0)
		return bad_cell(c, f, row, c->label, "is a class that the training file does not have");
	r->label[at] = rank[i];
	return 0;
}

static int fill(struct csv *c, struct raw *r)
{
	const struct file *files[] = { &c->train, &c->test };
	const struct column *label = &c->columns[c->label];
	int *rank = ARENA_ARRAY(c->arena, int, label->n_values + 1);
	int64_t at = 0;

	for (int i = 0; i < r->classes && r->class_names; i++)
		rank[find_value(label, r->class_names[i])] = i;
	for (int k = 0; k < 2; k++)
		for (int64_t i = files[k]->first; i < files[k]->t.rows; i++, at++)
			if (fill_row(c, r, files[k], i, at) < 0 || fill_label(c, r, files[k], i, at, rank) < 0)
				return -1;
	return 0;
}

/* Columns that slices name, as they stand in the files; dropped ones too. */
static int fill_wanted(struct csv *c, struct raw *r)
{
	const struct file *files[] = { &c->train, &c->test };

	for (int w = 0; w < r->n_want; w++) {
		int column = find_column(c, r->want[w], "dataset.slices");
		int64_t at = 0;

		if (column < 0)
			return -1;
		r->cells[w] = ARENA_ARRAY(c->arena, const char *, r->n_train + r->n_test);
		for (int k = 0; k < 2; k++)
			for (int64_t i = files[k]->first; i < files[k]->t.rows; i++)
				r->cells[w][at++] = arena_strdup(c->arena, table_cell(&files[k]->t, i, column));
	}
	return 0;
}

static int set_shape(struct csv *c, struct raw *r)
{
	struct array_view v = { .rank = c->cfg->shape.n + 1 };

	r->shape = shape_vector(c->features);
	if (c->cfg->shape.n == 0)
		return 0;
	if (c->cfg->shape.n > 3)
		return ERR(c->e, ERR_INVALID, "dataset.options.shape", "must hold 1 to 3 numbers");
	for (int i = 0; i < c->cfg->shape.n; i++)
		v.d[i + 1] = c->cfg->shape.v[i];
	if (array_shape(&r->shape, &v, "dataset.options.shape", c->e) < 0)
		return -1;
	if (shape_count(&r->shape) != c->features)
		return ERR(c->e, ERR_INVALID, "dataset.options.shape", "holds %" PRId64 " values, a row of %s has %d",
			   shape_count(&r->shape), path_base(c->train.path), c->features);
	return 0;
}

static int read_csv(struct raw *r, const char *dir, const void *cfg_, struct err *e)
{
	struct csv c = { .cfg = cfg_, .arena = r->arena, .e = e };
	int rc = -1;

	r->task = c.cfg->task ? TASK_REGRESS : TASK_CLASSIFY;
	TRY(load_files(&c, dir));
	TRY(study_columns(&c));
	TRY(choose_classes(&c, r));
	TRY(set_shape(&c, r));
	r->n_train = c.train.t.rows - c.train.first;
	r->n_test = c.cfg->test ? c.test.t.rows - c.test.first : 0;
	TRY(raw_alloc(r, true, dir, e));
	TRY(fill(&c, r));
	TRY(fill_wanted(&c, r));
	rc = 0;
out:
	table_release(&c.train.t);
	table_release(&c.test.t);
	mem_free(c.train.buf);
	mem_free(c.test.buf);
	return rc;
}

const struct data_format data_format_csv = {
	.name = "csv",
	.help = "a text table, one example per row; \"dir\" names the training file",
	.needs_dir = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.read = read_csv,
};
