/* report/table.c - see table.h. */
#include "report/table.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/escape.h"
#include "report/metric.h"

struct cell {
	double v;
	const char *text;
	bool bold;
};

struct table {
	struct arena *a;
	const struct column *columns;
	const struct metric *metric;
	int n_columns, n_rows, cap_rows, n_notes, cap_notes;
	struct cell *cells; /* [n_rows][n_columns] */
	const char **notes;
	bool *filled; /* [n_columns] some row has a value */
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

	*t = (struct table){ .a = a, .columns = columns, .n_columns = n, .filled = ARENA_ARRAY(a, bool, n) };
	table_metric(t, metric_of_task(TASK_CLASSIFY));
	arena_defer(a, release, t);
	return t;
}

void table_metric(struct table *t, const struct metric *m)
{
	t->metric = m;
}

void table_row(struct table *t)
{
	if (t->n_rows == t->cap_rows) {
		t->cap_rows = t->cap_rows ? 2 * t->cap_rows : 16;
		t->cells = mem_resize(t->cells, (size_t)t->cap_rows * (size_t)t->n_columns * sizeof *t->cells);
	}
	for (int c = 0; c < t->n_columns; c++)
		t->cells[t->n_rows * t->n_columns + c] = (struct cell){ .v = (double)NAN };
	t->n_rows++;
}

static int column_of(const struct table *t, const char *key)
{
	int c = 0;

	while (c < t->n_columns && strcmp(t->columns[c].key, key))
		c++;
	assert(t->n_rows && c < t->n_columns);
	return c;
}

static struct cell *last_cell(struct table *t, int c)
{
	return &t->cells[(t->n_rows - 1) * t->n_columns + c];
}

void table_put(struct table *t, const char *key, double v)
{
	int c = column_of(t, key);

	last_cell(t, c)->v = v;
	t->filled[c] = t->filled[c] || !isnan(v);
}

void table_put_text(struct table *t, const char *key, const char *text)
{
	int c = column_of(t, key);

	last_cell(t, c)->text = text ? arena_strdup(t->a, text) : NULL;
	t->filled[c] = t->filled[c] || (text && *text);
}

void table_bold(struct table *t, const char *key)
{
	last_cell(t, column_of(t, key))->bold = true;
}

void table_note(struct table *t, const char *note)
{
	GROW(t->notes, t->n_notes, t->cap_notes);
	t->notes[t->n_notes++] = arena_strdup(t->a, note);
}

struct table *table_first(const struct table *t, int n)
{
	struct table *out = table_new(t->a, t->columns, t->n_columns);

	table_metric(out, t->metric);
	for (int i = 0; i < t->n_rows && i < n; i++)
		table_row(out);
	if (out->n_rows)
		memcpy(out->cells, t->cells, (size_t)out->n_rows * (size_t)t->n_columns * sizeof *t->cells);
	memcpy(out->filled, t->filled, (size_t)t->n_columns * sizeof *t->filled);
	for (int i = 0; i < t->n_notes; i++)
		table_note(out, t->notes[i]);
	if (t->n_rows > n)
		table_note(out, arena_printf(t->a, "The first %d of %d rows.", n, t->n_rows));
	return out;
}

/* ---- for people ----------------------------------------------------------------------------------------- */

static bool is_empty(const struct column *c, const struct cell *v)
{
	return c->type == CELL_TEXT ? !v->text || !*v->text : isnan(v->v);
}

static const struct cell *cell_at(const struct table *t, int row, int c)
{
	return &t->cells[row * t->n_columns + c];
}

static bool shown(const struct table *t, int c)
{
	return !t->columns[c].machine && t->filled[c];
}

static bool is_right(const struct column *c)
{
	return c->right || c->type != CELL_TEXT;
}

/* A cell as people read it; for texts the words as they are. */
static const char *pretty(char buf[METRIC_TEXT], const struct table *t, int row, int column)
{
	const struct column *c = &t->columns[column];
	const struct cell *v = cell_at(t, row, column);

	buf[0] = 0;
	if (is_empty(c, v))
		return buf;
	switch (c->type) {
	case CELL_TEXT:
		return v->text;
	case CELL_WHOLE:
		str_thousands(buf, (long long)v->v);
		break;
	case CELL_METRIC:
		metric_number(buf, t->metric, v->v);
		break;
	case CELL_SECONDS:
		snprintf(buf, 40, v->v < 100 ? "%.1f" : "%.0f", v->v);
		break;
	case CELL_REAL:
		snprintf(buf, 40, "%.*f", v->v == 0 ? 0 : fabs(v->v) < 10 ? 4 : fabs(v->v) < 1000 ? 2 : 1, v->v);
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

/* ---- text ----------------------------------------------------------------------------------------------- */

enum { GAP = 2, WRAP_MIN = 16, INDENT = 2, HANG = 4 };

struct layout {
	const struct table *t;
	int *w;     /* of each column; 0: not in the grid */
	bool *bold; /* the column holds a cell that stands out */
	int width, last, left_out;
	bool colour;
};

static void clean_cell(struct str *out, const struct table *t, int row, int c)
{
	char buf[METRIC_TEXT];

	str_clear(out);
	escape_plain(out, row < 0 ? t->columns[c].title : pretty(buf, t, row, c));
}

/* Without colours a star marks a bold cell, and blanks stand where its neighbours have none. */
static void marked_cell(struct str *out, const struct layout *y, int row, int c)
{
	clean_cell(out, y->t, row, c);
	if (y->bold[c] && !y->colour && out->len)
		str_addc(out, row >= 0 && cell_at(y->t, row, c)->bold ? '*' : ' ');
}

static int sum_of(const struct layout *y, bool wrapped)
{
	int sum = -GAP;

	for (int c = 0; c < y->t->n_columns; c++) {
		bool less = wrapped && y->t->columns[c].wrap && y->w[c] > WRAP_MIN;

		sum += y->w[c] ? (less ? WRAP_MIN : y->w[c]) + GAP : 0;
	}
	return sum;
}

/* Columns yield until the rest fits with its texts wrapped; then the texts get what is left. */
static void fit(struct layout *y)
{
	while (y->width && sum_of(y, true) > y->width) {
		int worst = -1;

		for (int c = 0; c < y->t->n_columns; c++)
			if (y->w[c] && y->t->columns[c].yields &&
			    (worst < 0 || y->t->columns[c].yields > y->t->columns[worst].yields))
				worst = c;
		if (worst < 0)
			break;
		y->w[worst] = 0;
		y->left_out++;
	}
	for (int over = sum_of(y, false) - y->width; y->width && over > 0; over--) {
		int widest = -1;

		for (int c = 0; c < y->t->n_columns; c++)
			if (y->t->columns[c].wrap && y->w[c] > WRAP_MIN && (widest < 0 || y->w[c] > y->w[widest]))
				widest = c;
		if (widest < 0)
			break;
		y->w[widest]--;
	}
}

static void measure(struct layout *y)
{
	struct str text = { 0 };

	for (int c = 0; c < y->t->n_columns; c++) {
		if (y->t->columns[c].below || !shown(y->t, c))
			continue;
		for (int i = 0; i < y->t->n_rows; i++)
			y->bold[c] = y->bold[c] || cell_at(y->t, i, c)->bold;
		for (int i = -1; i < y->t->n_rows; i++) {
			marked_cell(&text, y, i, c);
			y->w[c] = columns_of(str_get(&text)) > y->w[c] ? columns_of(str_get(&text)) : y->w[c];
		}
	}
	str_release(&text);
	fit(y);
	for (int c = 0; c < y->t->n_columns; c++)
		y->last = y->w[c] ? c : y->last;
}

/* Bytes of s that go on a line of `width`: up to the last blank, or behind the last of "-_/,;" or at any character; the
 * blanks that follow are passed over in *next. */
static size_t line_of(const char *s, int width, size_t *next)
{
	size_t end = 0, at = 0;
	int n = 0;

	for (; s[end]; end++) {
		n += ((unsigned char)s[end] & 0xc0) != 0x80;
		if (n > width)
			break;
		if (s[end] == ' ')
			at = end;
		else if (strchr("-_/,;", s[end]) && n < width)
			at = end + 1;
	}
	if (!s[end] || width < 1)
		at = strlen(s);
	else if (s[end] == ' ' || !at)
		at = end;
	*next = at;
	while (s[*next] == ' ')
		++*next;
	return at;
}

/* Cuts at a character's border; ANSI sequences take no room. */
static void add_line(struct str *out, const struct str *line, int width)
{
	const char *s = str_get(line);
	size_t end = 0;
	int n = 0;
	bool escape = false;

	for (; s[end]; end++) {
		escape = escape || s[end] == '\x1b';
		n += !escape && ((unsigned char)s[end] & 0xc0) != 0x80;
		escape = escape && s[end] != 'm';
		if (width && n > width)
			break;
	}
	while (end && s[end - 1] == ' ')
		end--;
	str_addn(out, s, end);
	str_addc(out, '\n');
}

static void grid_cell(struct str *line, const struct layout *y, const char *s, size_t len, int c, bool bold)
{
	struct str piece = { 0 };
	int n;

	str_addn(&piece, s, len);
	n = columns_of(str_get(&piece));
	if (is_right(&y->t->columns[c]))
		pad(line, y->w[c] - n);
	str_addf(line, "%s%s%s", bold && len ? "\x1b[1m" : "", str_get(&piece), bold && len ? "\x1b[0m" : "");
	if (!is_right(&y->t->columns[c]) && c != y->last)
		pad(line, y->w[c] - n);
	str_release(&piece);
}

static void grid_row(struct str *out, const struct layout *y, int row)
{
	struct str *rest = mem_new((size_t)y->t->n_columns * sizeof *rest), line = { 0 };
	bool more = true;

	for (int c = 0; c < y->t->n_columns; c++)
		if (y->w[c])
			marked_cell(&rest[c], y, row, c);
	while (more) {
		more = false;
		str_clear(&line);
		for (int c = 0; c < y->t->n_columns; c++) {
			const char *s = str_get(&rest[c]);
			size_t next = strlen(s), len = y->t->columns[c].wrap ? line_of(s, y->w[c], &next) : next;
			struct str left = { 0 };

			if (!y->w[c])
				continue;
			str_add(&line, line.len ? "  " : "");
			grid_cell(&line, y, s, len, c, y->colour && row >= 0 && cell_at(y->t, row, c)->bold);
			str_add(&left, s + next);
			more = more || left.len;
			str_release(&rest[c]);
			rest[c] = left;
		}
		add_line(out, &line, y->width);
	}
	for (int c = 0; c < y->t->n_columns; c++)
		str_release(&rest[c]);
	mem_free(rest);
	str_release(&line);
}

/* A paragraph: the first line indented by `first`, the others by `rest`. */
static void paragraph(struct str *out, const char *s, int width, int first, int rest)
{
	for (int indent = first; *s; indent = rest) {
		size_t next, len = line_of(s, width ? width - indent : INT_MAX, &next);

		pad(out, indent);
		str_addn(out, s, len);
		str_addc(out, '\n');
		s += next;
	}
}

static void lines_below(struct str *out, const struct layout *y, int row)
{
	struct str text = { 0 };

	for (int c = 0; c < y->t->n_columns; c++) {
		if (!y->t->columns[c].below || y->t->columns[c].machine)
			continue;
		clean_cell(&text, y->t, row, c);
		paragraph(out, str_get(&text), y->width, INDENT, HANG);
	}
	str_release(&text);
}

void table_text_in(struct str *out, const struct table *t, int width, bool colour)
{
	struct layout y = { .t = t, .width = width, .colour = colour };

	y.w = mem_new((size_t)t->n_columns * sizeof *y.w);
	y.bold = mem_new((size_t)t->n_columns * sizeof *y.bold);
	measure(&y);
	for (int i = -1; i < t->n_rows; i++) {
		grid_row(out, &y, i);
		if (i >= 0)
			lines_below(out, &y, i);
	}
	for (int i = 0; i < t->n_notes; i++) {
		str_add(out, i ? "" : "\n");
		paragraph(out, t->notes[i], width > WRAP_MIN ? width : 0, 0, 0);
	}
	if (y.left_out) {
		struct str note = { 0 };

		str_addf(&note, "%d column%s did not fit into %d characters; other formats have all.", y.left_out,
			 y.left_out == 1 ? "" : "s", width);
		paragraph(out, str_get(&note), width, 0, 0);
		str_release(&note);
	}
	mem_free(y.w);
	mem_free(y.bold);
}

void table_text(struct str *out, const struct table *t, int width)
{
	table_text_in(out, t, width, false);
}

/* ---- Markdown ------------------------------------------------------------------------------------------- */

void table_markdown(struct str *out, const struct table *t)
{
	char buf[METRIC_TEXT];

	for (int i = -2; i < t->n_rows; i++) {
		str_add(out, "|");
		for (int c = 0; c < t->n_columns; c++) {
			const struct column *k = &t->columns[c];
			bool bold = i >= 0 && cell_at(t, i, c)->bold && !is_empty(k, cell_at(t, i, c));

			if (!shown(t, c))
				continue;
			if (i == -1) {
				str_add(out, is_right(k) ? " ---: |" : " --- |");
				continue;
			}
			str_add(out, bold ? " **" : " ");
			escape_markdown(out, i == -2 ? k->title : pretty(buf, t, i, c));
			str_add(out, bold ? "** |" : " |");
		}
		str_addc(out, '\n');
	}
	for (int i = 0; i < t->n_notes; i++) {
		str_addc(out, '\n');
		escape_markdown(out, t->notes[i]);
		str_addc(out, '\n');
	}
}

/* ---- LaTeX ---------------------------------------------------------------------------------------------- */

static void latex_row(struct str *out, const struct table *t, int row)
{
	const char *sep = "";
	char buf[METRIC_TEXT];

	for (int c = 0; c < t->n_columns; c++) {
		bool bold;

		if (t->columns[c].below || !shown(t, c))
			continue;
		bold = row >= 0 && cell_at(t, row, c)->bold;
		str_addf(out, "%s%s", sep, bold ? "\\textbf{" : "");
		escape_latex(out, row < 0 ? t->columns[c].title : pretty(buf, t, row, c));
		str_add(out, bold ? "}" : "");
		sep = " & ";
	}
	str_add(out, " \\\\\n");
}

static void latex_below(struct str *out, const struct table *t, int row, int columns)
{
	for (int c = 0; c < t->n_columns; c++) {
		const struct cell *v = cell_at(t, row, c);

		if (!t->columns[c].below || t->columns[c].machine || is_empty(&t->columns[c], v))
			continue;
		str_addf(out, "\\multicolumn{%d}{@{\\quad}p{0.9\\linewidth}@{}}{\\footnotesize ", columns);
		escape_latex(out, v->text);
		str_add(out, "} \\\\\n");
	}
}

void table_latex(struct str *out, const struct table *t)
{
	int columns = 0;

	str_add(out, "% \\usepackage{booktabs,graphicx}\n"
		     "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
		     "\\setlength{\\tabcolsep}{4pt}%\n\\begin{tabular}{@{}");
	for (int c = 0; c < t->n_columns; c++)
		if (!t->columns[c].below && shown(t, c)) {
			str_add(out, is_right(&t->columns[c]) ? "r" : "l");
			columns++;
		}
	str_add(out, "@{}}\n\\toprule\n");
	latex_row(out, t, -1);
	str_add(out, "\\midrule\n");
	for (int i = 0; i < t->n_rows; i++) {
		latex_row(out, t, i);
		latex_below(out, t, i, columns);
	}
	str_add(out, "\\bottomrule\n\\end{tabular}}\n");
	if (!t->n_notes)
		return;
	str_add(out, "\\par\\smallskip\\noindent\n\\begin{minipage}{\\linewidth}\\footnotesize\n");
	for (int i = 0; i < t->n_notes; i++) {
		escape_latex(out, t->notes[i]);
		str_add(out, "\\par\n");
	}
	str_add(out, "\\end{minipage}\n");
}

/* ---- for machines --------------------------------------------------------------------------------------- */

void table_csv(struct str *out, const struct table *t)
{
	char buf[METRIC_TEXT];

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

/* ---- by name -------------------------------------------------------------------------------------------- */

const char *const table_format_names[] = { "text", "markdown", "latex", "csv", "json", NULL };

void table_print(struct str *out, const struct table *t, enum table_format format, int width, bool colour)
{
	struct json *j;

	switch (format) {
	case TABLE_TEXT:
		table_text_in(out, t, width, colour);
		break;
	case TABLE_MARKDOWN:
		table_markdown(out, t);
		break;
	case TABLE_LATEX:
		table_latex(out, t);
		break;
	case TABLE_CSV:
		table_csv(out, t);
		break;
	case TABLE_JSON:
		j = table_json(t);
		json_pretty(out, j);
		str_addc(out, '\n');
		json_free(j);
		break;
	case TABLE_FORMAT_COUNT:
		break;
	}
}
