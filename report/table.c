/* report/table.c - see table.h. */
#include "report/table.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/escape.h"

struct cell {
	double v;
	const char *text;
};

struct table {
	struct arena *a;
	const struct column *columns;
	int n_columns, n_rows, cap_rows, n_notes, cap_notes;
	struct cell *cells; /* [n_rows][n_columns] */
	const char **notes;
};

static void release(void *arg)
{
	struct table *t = arg;

	mem_free(t->cells);
	mem_free(t->notes);
}

struct table *table_new(struct arena *a, const struct column *columns, int n)
{
	struct table *t = ARENA_NEW(a, struct table);

	*t = (struct table){ .a = a, .columns = columns, .n_columns = n };
	arena_defer(a, release, t);
	return t;
}

void table_row(struct table *t)
{
	if (t->n_rows == t->cap_rows) {
		t->cap_rows = t->cap_rows ? 2 * t->cap_rows : 16;
		t->cells = mem_resize(t->cells, (size_t)t->cap_rows * (size_t)t->n_columns * sizeof *t->cells);
	}
	for (int c = 0; c < t->n_columns; c++)
		t->cells[t->n_rows * t->n_columns + c] = (struct cell){ (double)NAN, NULL };
	t->n_rows++;
}

static struct cell *cell(struct table *t, const char *key)
{
	int c = 0;

	while (c < t->n_columns && strcmp(t->columns[c].key, key))
		c++;
	assert(t->n_rows && c < t->n_columns);
	return &t->cells[(t->n_rows - 1) * t->n_columns + c];
}

void table_put(struct table *t, const char *key, double v)
{
	cell(t, key)->v = v;
}

void table_put_text(struct table *t, const char *key, const char *text)
{
	cell(t, key)->text = text ? arena_strdup(t->a, text) : NULL;
}

void table_note(struct table *t, const char *note)
{
	GROW(t->notes, t->n_notes, t->cap_notes);
	t->notes[t->n_notes++] = arena_strdup(t->a, note);
}

/* ---- for people ----------------------------------------------------------------------------------------- */

static bool is_empty(const struct column *c, const struct cell *v)
{
	return c->type == CELL_TEXT ? !v->text || !*v->text : isnan(v->v);
}

static bool shown(const struct table *t, int c)
{
	if (t->columns[c].machine)
		return false;
	for (int i = 0; i < t->n_rows; i++)
		if (!is_empty(&t->columns[c], &t->cells[i * t->n_columns + c]))
			return true;
	return false;
}

/* A cell as people read it; for texts the words as they are. */
static const char *pretty(char buf[40], const struct column *c, const struct cell *v)
{
	buf[0] = 0;
	if (is_empty(c, v))
		return buf;
	switch (c->type) {
	case CELL_TEXT:
		return v->text;
	case CELL_WHOLE:
		str_thousands(buf, (long long)v->v);
		break;
	case CELL_SHARE:
		snprintf(buf, 40, "%.2f", 100 * v->v);
		break;
	case CELL_SECONDS:
		snprintf(buf, 40, v->v < 100 ? "%.1f" : "%.0f", v->v);
		break;
	}
	return buf;
}

static int columns_of(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void pad(struct str *out, int n)
{
	for (; n > 0; n--)
		str_addc(out, ' ');
}

static void text_cell(struct str *line, const char *s, int width, bool right, bool last)
{
	int n = columns_of(s);

	if (right)
		pad(line, width - n);
	str_add(line, s);
	if (!right && !last)
		pad(line, width - n);
}

/* Cuts at a character's border. */
static void add_line(struct str *out, const struct str *line, int width)
{
	const char *s = str_get(line);
	size_t end = 0;
	int n = 0;

	for (; s[end]; end++) {
		n += ((unsigned char)s[end] & 0xc0) != 0x80;
		if (width && n > width)
			break;
	}
	while (end && s[end - 1] == ' ')
		end--;
	str_addn(out, s, end);
	str_addc(out, '\n');
}

static void clean_cell(struct str *out, const struct table *t, int row, int c)
{
	char buf[40];

	str_clear(out);
	escape_plain(out,
		     row < 0 ? t->columns[c].title : pretty(buf, &t->columns[c], &t->cells[row * t->n_columns + c]));
}

void table_text(struct str *out, const struct table *t, int width)
{
	struct str line = { 0 }, text = { 0 };
	int *w = mem_new((size_t)t->n_columns * sizeof *w), last = 0;

	for (int c = 0; c < t->n_columns; c++)
		for (int i = -1; i < t->n_rows && shown(t, c); i++) {
			clean_cell(&text, t, i, c);
			w[c] = columns_of(str_get(&text)) > w[c] ? columns_of(str_get(&text)) : w[c];
			last = c;
		}
	for (int i = -1; i < t->n_rows; i++) {
		str_clear(&line);
		for (int c = 0; c < t->n_columns; c++) {
			if (!w[c])
				continue;
			clean_cell(&text, t, i, c);
			str_add(&line, line.len ? "  " : "");
			text_cell(&line, str_get(&text), w[c], t->columns[c].type != CELL_TEXT, c == last);
		}
		add_line(out, &line, width);
	}
	for (int i = 0; i < t->n_notes; i++)
		str_addf(out, "%s%s\n", i ? "" : "\n", t->notes[i]);
	mem_free(w);
	str_release(&line);
	str_release(&text);
}

void table_markdown(struct str *out, const struct table *t)
{
	char buf[40];

	for (int i = -2; i < t->n_rows; i++) {
		str_add(out, "|");
		for (int c = 0; c < t->n_columns; c++) {
			const struct column *k = &t->columns[c];

			if (!shown(t, c))
				continue;
			if (i == -1) {
				str_add(out, k->type == CELL_TEXT ? " --- |" : " ---: |");
				continue;
			}
			str_addc(out, ' ');
			escape_markdown(out, i == -2 ? k->title : pretty(buf, k, &t->cells[i * t->n_columns + c]));
			str_add(out, " |");
		}
		str_addc(out, '\n');
	}
	for (int i = 0; i < t->n_notes; i++) {
		str_addc(out, '\n');
		escape_markdown(out, t->notes[i]);
		str_addc(out, '\n');
	}
}

/* ---- for machines --------------------------------------------------------------------------------------- */

void table_csv(struct str *out, const struct table *t)
{
	char buf[40];

	for (int i = -1; i < t->n_rows; i++) {
		const char *sep = "";

		for (int c = 0; c < t->n_columns; c++) {
			const struct column *k = &t->columns[c];
			const struct cell *v = &t->cells[(i < 0 ? 0 : i) * t->n_columns + c];

			if (k->people)
				continue;
			str_add(out, sep);
			sep = ",";
			if (i < 0)
				str_add(out, k->key);
			else if (k->type == CELL_TEXT)
				escape_csv(out, v->text);
			else if (!isnan(v->v))
				str_add(out, str_real(buf, v->v));
		}
		str_add(out, "\r\n"); /* RFC 4180 */
	}
}

static struct json *cell_json(const struct column *k, const struct cell *v)
{
	if (is_empty(k, v))
		return json_null();
	if (k->type == CELL_TEXT) {
		struct str clean = { 0 };
		struct json *j;

		escape_plain(&clean, v->text);
		j = json_str(str_get(&clean));
		str_release(&clean);
		return j;
	}
	return json_num(v->v);
}

struct json *table_json(const struct table *t)
{
	struct json *out = json_object(), *rows = json_put(out, "rows", json_array());
	struct json *notes = json_put(out, "notes", json_array());

	for (int i = 0; i < t->n_rows; i++) {
		struct json *row = json_push(rows, json_object());

		for (int c = 0; c < t->n_columns; c++)
			if (!t->columns[c].people)
				json_put(row, t->columns[c].key,
					 cell_json(&t->columns[c], &t->cells[i * t->n_columns + c]));
	}
	for (int i = 0; i < t->n_notes; i++)
		json_push(notes, json_str(t->notes[i]));
	return out;
}
