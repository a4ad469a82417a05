/* dataset/metadata.c - see metadata.h. */
#include "dataset/metadata.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "dataset/csv.h"

static int check_values(const struct json *is, const struct json_in *in)
{
	int rc = 0;

	if (!is || json_string(is))
		return 0;
	if (json_type(is) != JSON_ARRAY || json_count(is) < 1)
		return json_bad(in, is, "must be a text or a list of texts");
	JSON_EACH(v, is)
		if (!json_string(v))
			rc = json_bad(in, v, "must be a text, not %s", json_type_name(json_type(v)));
	return rc;
}

int metadata_check(const struct json *slice, const struct json_in *in)
{
	static const char *const keys[] = { "column", "is", "from", "to" };
	static const char *const ends[] = { "from", "to" };
	const struct json *is = json_get(slice, "is");
	int rc = json_unknown(in, slice, keys, 4) ? -1 : 0;

	if (!json_string(json_get(slice, "column")))
		rc = json_bad(in, slice, "must name its \"column\", a text");
	if (check_values(is, in) < 0)
		rc = -1;
	for (int i = 0; i < 2; i++) {
		const struct json *v = json_get(slice, ends[i]);

		if (v && json_type(v) != JSON_NUMBER)
			rc = json_bad(in, v, "must be a number");
		else if (v && is)
			rc = json_bad(in, v, "cannot stand beside \"is\"");
	}
	if (!is && !json_get(slice, "from") && !json_get(slice, "to"))
		rc = json_bad(in, slice, "must say what belongs to it: \"is\": [values], or \"from\" and \"to\"");
	return rc;
}

void metadata_want(struct raw *r, const struct json *slices)
{
	r->want = ARENA_ARRAY(r->arena, const char *, json_count(slices) + 1);
	JSON_EACH(v, slices)
		if (json_type(v) == JSON_OBJECT)
			r->want[r->n_want++] = json_string(json_get(v, "column"));
	r->cells = ARENA_ARRAY(r->arena, const char **, r->n_want + 1);
}

/* ---- the table beside the data -------------------------------------------------------------------------- */

static int find_column(const struct table *t, const char *name, const char *path, struct err *e)
{
	const char **names = mem_new((size_t)t->columns * sizeof *names), *near;
	int at = -1;

	for (int k = 0; k < t->columns; k++) {
		names[k] = table_cell(t, 0, k);
		if (strcmp(names[k], name) == 0)
			at = k;
	}
	near = str_nearest(name, names, t->columns);
	if (at < 0)
		ERR(e, ERR_INVALID, path, "there is no column \"%s\"%s%s%s, which a slice names", name,
		    near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
	mem_free(names);
	return at;
}

static int copy_columns(struct raw *r, const struct table *t, const char *path, struct err *e)
{
	int64_t n = r->n_train + r->n_test;

	if (t->rows - 1 != n)
		return ERR(e, ERR_INVALID, path,
			   "holds a header and %" PRId64 " rows, but there are %" PRId64
			   " examples: it must have one for each, training examples first",
			   t->rows - 1, n);
	for (int w = 0; w < r->n_want; w++) {
		int k = find_column(t, r->want[w], path, e);

		if (k < 0)
			return -1;
		r->cells[w] = ARENA_ARRAY(r->arena, const char *, n);
		for (int64_t i = 0; i < n; i++)
			r->cells[w][i] = arena_strdup(r->arena, table_cell(t, i + 1, k));
	}
	return 0;
}

static int read_table(struct raw *r, const struct dataset_spec *spec, struct err *e)
{
	const char *path = spec->metadata;
	struct table t = { 0 };
	char *text;
	size_t len;
	int rc;

	if (!path && !spec->dir)
		return ERR(e, ERR_INVALID, "dataset.slices",
			   "a slice names a column, but the data have no table: name it in dataset.metadata");
	if (!path)
		path = path_join(r->arena, spec->dir, "metadata.csv");
	if (file_read(&text, &len, path, (size_t)UINT32_MAX - 1, true, e) < 0)
		return -1;
	rc = table_parse(&t, text, len, ',', path, e);
	if (rc == 0)
		rc = copy_columns(r, &t, path, e);
	table_release(&t);
	mem_free(text);
	return rc;
}

/* ---- who belongs ---------------------------------------------------------------------------------------- */

static bool is_among(const char *cell, const struct json *is)
{
	if (json_string(is))
		return strcmp(cell, json_string(is)) == 0;
	JSON_EACH(v, is)
		if (strcmp(cell, json_string(v)) == 0)
			return true;
	return false;
}

static bool belongs(const char *cell, const struct json *slice)
{
	double from = json_number(json_get(slice, "from")), to = json_number(json_get(slice, "to")), x;

	if (json_get(slice, "is"))
		return is_among(cell, json_get(slice, "is"));
	return cell_number(&x, cell) == 0 && !(x < from) && !(x > to); /* an absent end is NAN and holds nobody back */
}

int metadata_read(struct raw *r, const struct dataset_spec *spec, struct err *e)
{
	int64_t n = r->n_train + r->n_test;
	int at = 0;

	if (!r->n_want)
		return 0;
	if (!r->cells[0] && read_table(r, spec, e) < 0)
		return -1;
	r->member = ARENA_ARRAY(r->arena, uint8_t *, r->n_want);
	JSON_EACH(v, spec->slices) {
		int64_t count = 0;

		if (json_type(v) != JSON_OBJECT)
			continue;
		r->member[at] = arena_alloc(r->arena, (size_t)n + 1);
		for (int64_t i = 0; i < n; i++)
			count += r->member[at][i] = belongs(r->cells[at][i], v);
		if (!count)
			return ERR(e, ERR_INVALID, "dataset.slices",
				   "no example belongs to \"%s\": check the values of column \"%s\"", json_key(v),
				   r->want[at]);
		at++;
	}
	return 0;
}
