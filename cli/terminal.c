/* cli/terminal.c - see terminal.h. */
#include "cli/terminal.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"
#include "report/escape.h"

static bool is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (int i = 0; i < 3; i++) {
		const char *v = getenv(names[i]);

		if (v && v[0])
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

struct look terminal_look(bool paint)
{
	struct look l = { .width = 100, .paint = paint, .utf8 = is_utf8() };
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		l.width = size.ws_col;
		l.height = size.ws_row;
	} else if (columns && atoi(columns) > 20) {
		l.width = atoi(columns);
	}
	return l;
}

/* ---- cells ---------------------------------------------------------------------------------------------- */

/* After Unicode's EastAsianWidth.txt, in rough: letters of East Asia and pictures take two cells, marks none. */
static int cells(uint32_t c)
{
	static const uint32_t wide[][2] = { { 0x1100, 0x115f }, { 0x2e80, 0xa4cf },   { 0xac00, 0xd7a3 },
					    { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
					    { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff }, { 0x20000, 0x3fffd } };
	static const uint32_t none[][2] = {
		{ 0x300, 0x36f }, { 0x200b, 0x200f }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }
	};

	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		if (wide[i][0] <= c && c <= wide[i][1])
			return 2;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		if (none[i][0] <= c && c <= none[i][1])
			return 0;
	return 1;
}

/* The next cell's bytes: an escape sequence (of our own), a character or a broken byte; their number and width. */
static int next(const char *s, int *width)
{
	int n = str_utf8(s);

	*width = 0;
	if (s[0] == '\033' && s[1] == '[') {
		n = 2 + (int)strspn(s + 2, "0123456789;");
		return s[n] ? n + 1 : n;
	}
	*width = n ? cells(str_code_point(s, n)) : 1;
	return n ? n : 1;
}

int cell_width(const char *text)
{
	int sum = 0, w;

	for (; *text; sum += w)
		text += next(text, &w);
	return sum;
}

/* As much of s as fits in `width` cells; their number. */
static int put_part(struct str *out, const char *s, int width)
{
	int sum = 0, w, n;

	for (; *s; s += n, sum += w) {
		n = next(s, &w);
		if (sum + w > width)
			break;
		str_addn(out, s, (size_t)n);
	}
	return sum;
}

static void to_ascii(struct str *t)
{
	struct str out = { 0 };
	int n;

	for (const char *s = str_get(t); *s; s += n) {
		n = str_utf8(s);
		n = n ? n : 1;
		str_addc(&out, (unsigned char)*s < 0x80 ? *s : '?');
	}
	str_release(t);
	*t = out;
}

void cell_text(struct str *out, const char *text, int width, bool utf8)
{
	struct str t = { 0 };
	int used;

	escape_plain(&t, text ? text : "");
	if (!utf8)
		to_ascii(&t);
	if (width <= 0) {
		str_add(out, str_get(&t));
	} else if (cell_width(str_get(&t)) > width) {
		used = put_part(out, str_get(&t), width - 1);
		str_addf(out, "%s%*s", utf8 ? "…" : "~", width - 1 - used, "");
	} else {
		used = put_part(out, str_get(&t), width);
		str_addf(out, "%*s", width - used, "");
	}
	str_release(&t);
}

void cell_cut(struct str *out, const char *line, int width)
{
	if (cell_width(line) <= width) {
		str_add(out, line);
		return;
	}
	put_part(out, line, width);
	if (strchr(line, '\033'))
		str_add(out, "\033[0m");
}

/* ---- pictures ------------------------------------------------------------------------------------------- */

void cell_bar(struct str *out, double part, int width, bool utf8)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int full, rest;

	part = part >= 0 ? fmin(part, 1) : 0;
	full = (int)(part * width * 8 + 0.5);
	rest = full % 8;
	full /= 8;
	for (int i = 0; i < full; i++)
		str_add(out, utf8 ? "█" : "#");
	if (utf8)
		str_add(out, eighths[rest]);
	else
		rest = 0;
	str_addf(out, "%*s", width - full - (rest > 0), "");
}

/* The k-th of `width` groups of the values: their mean, over the known ones. */
static double group_mean(const double *value, int n, int k, int width)
{
	int from = (int)((int64_t)k * n / width), to = (int)((int64_t)(k + 1) * n / width), known = 0;
	double sum = 0;

	for (int i = from; i < to; i++)
		if (isfinite(value[i])) {
			sum += value[i];
			known++;
		}
	return known ? sum / known : (double)NAN;
}

int cell_spark(struct str *out, const double *value, int n, int width, bool utf8)
{
	static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { "_", ".", ",", "-", "=", "+", "*", "#" };
	double lo = INFINITY, hi = -INFINITY;

	if (width > n)
		width = n;
	for (int k = 0; k < width; k++) {
		double x = group_mean(value, n, k, width);

		lo = fmin(lo, x);
		hi = fmax(hi, x);
	}
	for (int k = 0; k < width; k++) {
		double x = group_mean(value, n, k, width);
		int level = isnan(x) ? 0 : hi > lo ? (int)(7.99 * (x - lo) / (hi - lo)) : 3;

		str_add(out, isnan(x) ? " " : utf8 ? blocks[level] : ascii[level]);
	}
	return width;
}
