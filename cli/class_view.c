/* cli/class_view.c - see class_view.h. */
#include "cli/class_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/terminal.h"

enum { NAME = 14, WORST = 12, BARS = 60, WEAKEST = 30 };

static int64_t cell(const struct class_view *v, int i, int j)
{
	return v->confusion[(int64_t)i * v->k + j];
}

static int64_t row_sum(const struct class_view *v, int i)
{
	int64_t n = 0;

	for (int j = 0; j < v->k; j++)
		n += cell(v, i, j);
	return n;
}

static int64_t column_sum(const struct class_view *v, int j)
{
	int64_t n = 0;

	for (int i = 0; i < v->k; i++)
		n += cell(v, i, j);
	return n;
}

static double share(int64_t part, int64_t of)
{
	return of ? (double)part / (double)of : (double)NAN;
}

static const char *paint(const struct look *look, const char *code)
{
	return look->paint ? code : "";
}

static void add_percent(struct str *out, double x)
{
	if (isnan(x))
		str_addf(out, " %7s", "-");
	else
		str_addf(out, " %5.1f %%", 100 * x);
}

/* ---- matrix --------------------------------------------------------------------------------------------- */

/* Right ones in blue, wrong ones in red, the deeper the more: the 256 colours' ramps, and a text colour that can be
 * read on them. Where few are wrong they still show: the root of the share counts. */
static void shade(struct str *out, double x, bool right)
{
	static const int blue[] = { 254, 195, 153, 111, 69, 27, 20 }, red[] = { 254, 224, 217, 210, 203, 196, 124 };
	int level = isnan(x) || x <= 0 ? 0 : 1 + (int)fmin(5, 6 * (right ? x * x : sqrt(x)));

	if (level)
		str_addf(out, "\033[48;5;%d;38;5;%dm", right ? blue[level] : red[level], level > 3 ? 231 : 16);
}

static void row_head(struct str *out, const struct class_view *v, int i, const struct look *look)
{
	str_addf(out, "%3d ", i);
	cell_text(out, v->names[i] ? v->names[i] : "", NAME, look->utf8);
}

static void numbers(struct str *out, const struct class_view *v, const struct look *look)
{
	str_addf(out, "%*s", NAME + 4, "");
	for (int j = 0; j < v->k; j++)
		str_addf(out, " %5d", j);
	str_addc(out, '\n');
	for (int i = 0; i < v->k; i++) {
		int64_t n = row_sum(v, i);

		row_head(out, v, i, look);
		for (int j = 0; j < v->k; j++) {
			int64_t x = cell(v, i, j);

			if (look->paint)
				shade(out, share(x, n), i == j);
			if (x)
				str_addf(out, " %5lld", (long long)x);
			else
				str_addf(out, " %5s", ".");
			str_add(out, paint(look, "\033[0m"));
		}
		add_percent(out, share(cell(v, i, i), n));
		str_addc(out, '\n');
	}
}

static const char *block(double x, bool utf8)
{
	static const char *const blocks[] = { "  ", "··", "░░", "▒▒", "▓▓", "██" }, *const ascii[] = {
		"  ", " .", " :", "-+", "**", "##"
	};
	int level = isnan(x) || x <= 0 ? 0 : x < 0.02 ? 1 : x < 0.1 ? 2 : x < 0.3 ? 3 : x < 0.7 ? 4 : 5;

	return utf8 ? blocks[level] : ascii[level];
}

static void shades(struct str *out, const struct class_view *v, const struct look *look)
{
	for (int line = 0; line < 2; line++) { /* tens above units */
		str_addf(out, "%*s ", NAME + 4, "");
		for (int j = 0; j < v->k; j++)
			if (line || (j && j % 10 == 0))
				str_addf(out, "%2d", line ? j % 10 : j / 10);
			else
				str_add(out, "  ");
		str_addc(out, '\n');
	}
	for (int i = 0; i < v->k; i++) {
		int64_t n = row_sum(v, i);

		row_head(out, v, i, look);
		str_addc(out, ' ');
		for (int j = 0; j < v->k; j++) {
			double x = share(cell(v, i, j), n);

			if (!look->paint) {
				str_add(out, block(x, look->utf8));
				continue;
			}
			shade(out, x, i == j);
			str_add(out, x > 0 ? "  " : look->utf8 ? " ·" : " .");
			str_add(out, "\033[0m");
		}
		add_percent(out, share(cell(v, i, i), n));
		str_addc(out, '\n');
	}
}

struct pair {
	int from, to;
	int64_t n;
};

static int by_count(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return x->from != y->from ? x->from - y->from : x->to - y->to;
}

static void worst(struct str *out, const struct class_view *v, const struct look *look)
{
	struct pair *all = mem_new(((size_t)v->k * (size_t)v->k + 1) * sizeof *all);
	int n = 0;

	for (int i = 0; i < v->k; i++)
		for (int j = 0; j < v->k; j++)
			if (i != j && cell(v, i, j))
				all[n++] = (struct pair){ i, j, cell(v, i, j) };
	qsort(all, (size_t)n, sizeof *all, by_count);
	str_add(out, n ? "\nmost often confused (true, taken for, examples, share of the true class)\n" : "");
	for (int i = 0; i < n && i < WORST; i++) {
		str_add(out, "  ");
		cell_text(out, v->names[all[i].from] ? v->names[all[i].from] : "", 20, look->utf8);
		str_add(out, look->utf8 ? " → " : " > ");
		cell_text(out, v->names[all[i].to] ? v->names[all[i].to] : "", 20, look->utf8);
		str_addf(out, " %7lld", (long long)all[i].n);
		add_percent(out, share(all[i].n, row_sum(v, all[i].from)));
		str_addc(out, '\n');
	}
	mem_free(all);
}

void class_matrix(struct str *out, const struct class_view *v, const struct look *look)
{
	bool wide = NAME + 4 + 6 * v->k + 8 <= look->width, fits = NAME + 5 + 2 * v->k + 8 <= look->width;

	if (wide || fits)
		str_add(out, "confusion matrix (rows: true class, columns: predicted)\n");
	if (wide)
		numbers(out, v, look);
	else if (fits)
		shades(out, v, look);
	else
		str_addf(out, "the confusion matrix of %d classes needs %d columns", v->k, NAME + 5 + 2 * v->k + 8);
	str_add(out, wide || fits ? "" : "\n");
	if (!wide)
		worst(out, v, look);
}

/* ---- classes -------------------------------------------------------------------------------------------- */

struct class_row {
	int class;
	int64_t n;
	double recall, precision, f1;
};

static struct class_row row_of(const struct class_view *v, int i)
{
	struct class_row r = { .class = i, .n = row_sum(v, i) };
	int64_t right = cell(v, i, i), taken = column_sum(v, i);

	r.recall = share(right, r.n);
	r.precision = share(right, taken);
	r.f1 = share(2 * right, r.n + taken);
	return r;
}

static int by_recall(const void *a, const void *b)
{
	const struct class_row *x = a, *y = b;
	bool no_x = isnan(x->recall), no_y = isnan(y->recall);

	if (no_x != no_y)
		return no_x - no_y;
	if (!no_x && x->recall != y->recall)
		return x->recall < y->recall ? -1 : 1;
	return x->class - y->class;
}

void class_bars(struct str *out, const struct class_view *v, const struct look *look)
{
	struct class_row *rows = mem_new((size_t)(v->k + 1) * sizeof *rows);
	int n = v->k > BARS ? WEAKEST : v->k, bar = look->width >= 90 ? 30 : 14;

	for (int i = 0; i < v->k; i++)
		rows[i] = row_of(v, i);
	if (n < v->k)
		qsort(rows, (size_t)v->k, sizeof *rows, by_recall);
	str_addf(out, "%-*s %*s   found precision      F1  examples\n", NAME + 4,
		 n < v->k ? "the weakest classes" : "class", bar + 1, "");
	for (int i = 0; i < n; i++) {
		const struct class_row *r = &rows[i];

		row_head(out, v, r->class, look);
		str_addf(out, " %s%s", look->utf8 ? "▕" : "|", paint(look, "\033[34m"));
		cell_bar(out, r->recall, bar, look->utf8);
		str_addf(out, "%s", paint(look, "\033[0m"));
		add_percent(out, r->recall);
		add_percent(out, r->precision);
		add_percent(out, r->f1);
		str_addf(out, " %9lld\n", (long long)r->n);
	}
	mem_free(rows);
}

/* ---- JSON ----------------------------------------------------------------------------------------------- */

void class_json(struct json *doc, const struct class_view *v)
{
	struct json *list = json_put(doc, "classes", json_array()), *matrix = json_put(doc, "confusion", json_array());

	for (int i = 0; i < v->k; i++) {
		struct class_row r = row_of(v, i);
		struct json *row = json_push(list, json_object()), *counts = json_push(matrix, json_array());

		json_put(row, "name", v->names[i] ? json_str(v->names[i]) : json_null());
		json_put(row, "n", json_num((double)r.n));
		json_put(row, "recall", json_num(r.recall));
		json_put(row, "precision", json_num(r.precision));
		json_put(row, "f1", json_num(r.f1));
		for (int j = 0; j < v->k; j++)
			json_push(counts, json_num((double)cell(v, i, j)));
	}
}
