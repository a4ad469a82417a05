/* tests/unit/test_canvas.c - the back ends of the display list: they draw the same picture, their files are what other
 * programs accept, and texts stay texts, whatever they say. Random canvases differ from run to run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/png.h"
#include "base/rng.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/font.h"
#include "report/outline.h"
#include "tests/helper_files.h"
#include "tests/helper_ok.h"
#include "tests/helper_skip.h"
#include "tests/helper_xml.h"

static const struct svg_opts light = { .theme = SVG_LIGHT, .paper = true, .label = "a (picture) \\ of <it>" };

struct bench {
	struct arena *a;
	struct rng rng;
	const char *dir;
};

static int setup(void **state)
{
	struct bench *b = mem_new(sizeof *b);
	uint64_t seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();

	print_message("# seed %llu\n", (unsigned long long)seed);
	rng_init(&b->rng, seed, 7);
	b->a = arena_new();
	b->dir = temp_dir();
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	arena_free(b->a);
	mem_free(b);
	return temp_teardown(state);
}

/* Runs a command in the folder of the test, its output dropped or written to a file. */
static int in_dir(struct bench *b, const char *command)
{
	struct str line = { 0 };
	int rc;

	str_addf(&line, "cd '%s' && %s 2>/dev/null", b->dir, command);
	rc = system(str_get(&line));
	str_release(&line);
	return rc;
}

static void put(struct bench *b, const char *name, const struct str *text)
{
	OK(file_write(arena_printf(b->a, "%s/%s", b->dir, name), str_get(text), text->len, &bad));
}

static char *got(struct bench *b, const char *name, size_t *len)
{
	char *text, *copy;

	OK(file_read(&text, len, arena_printf(b->a, "%s/%s", b->dir, name), 1 << 26, false, &bad));
	copy = arena_strdup(b->a, text);
	mem_free(text);
	return copy;
}

/* ---- canvases ------------------------------------------------------------------------------------------- */

static const char *const hostile[] = {
	"<script>alert(1)</script>",
	"</text><image href=\"http://example.org/x\"/>&nbsp;&#0;",
	"\\input{/etc/passwd}",
	"\\write18{touch x} $x^2$ #1 %comment ~ & _ {unbalanced",
	"^^5cend{tikzpicture}",
	"};\\end{document}",
	"(a) Tj ET ) ) ( \\ \\) endstream endobj",
	"\x1b[31mred\x1b]0;title\x07 \x9b"
	"2J",
	"line\nbreak\ttab\r",
	"\xff\xfe broken \xc3( \xe2\x80",
	"\xe2\x80\xae"
	"backwards",
	"gr\xc3\xbc\xc3\x9f"
	"e \xe2\x82\xac \xe2\x80\xa6 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80 e\xcc\x81",
	"%PDF-1.4 xref trailer startxref",
	"`touch x` $(touch x) @x 'y' \"z\"",
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static struct canvas *hostile_canvas(struct arena *a)
{
	struct canvas *c = canvas_new(a, 600, 20 * HOSTILE + 10);

	for (int i = 0; i < HOSTILE; i++) {
		struct font f = { 11, (enum anchor)(i % 3), i % 2, i % 4 == 3, INK_TEXT };

		canvas_open(c, hostile[i], hostile[i], hostile[i]);
		canvas_text(c, i % 3 * 300, 20 * i + 15, f, hostile[i]);
		canvas_close(c);
	}
	return c;
}

static double within(struct rng *r, double low, double high)
{
	return low + rng_real(r) * (high - low);
}

static enum ink any_ink(struct rng *r)
{
	return (enum ink)(1 + rng_below(r, INK_COUNT - 1));
}

static struct pen any_pen(struct rng *r)
{
	return (struct pen){ rng_below(r, 4) ? any_ink(r) : INK_NONE, within(r, 0.5, 4), (enum dash)rng_below(r, 3) };
}

static void any_rect(struct canvas *c, struct rng *r, double w, double h)
{
	double x = within(r, 0, w - 20), y = within(r, 0, h - 20);
	struct item *i =
	    canvas_rect(c, x, y, within(r, 1, w - x), within(r, 1, h - y), rng_below(r, 5) ? any_ink(r) : INK_NONE);
	double most = fmin(i->w, i->h) / 2;

	if (rng_below(r, 2)) {
		rect_round(i, within(r, 0, most));
		rect_frame(i, any_pen(r));
	} else {
		for (int k = 0; k < 4; k++) {
			i->radius[k] = rng_below(r, 2) ? within(r, 0, most) : 0;
			i->side[k] = any_pen(r);
		}
	}
	i->opacity = rng_below(r, 3) ? 1 : within(r, 0, 1);
}

static void any_path(struct canvas *c, struct rng *r, double w, double h)
{
	struct item *i = canvas_path(c, rng_below(r, 2) ? any_ink(r) : INK_NONE, any_pen(r));
	int n = (int)rng_below(r, 8);

	i->opacity = rng_below(r, 3) ? 1 : within(r, 0, 1);
	path_move(c, within(r, 0, w), within(r, 0, h));
	for (int k = 0; k < n; k++)
		switch (rng_below(r, 8)) {
		case 0:
			path_close(c);
			path_move(c, within(r, 0, w), within(r, 0, h));
			break;
		case 1:
		case 2:
			path_curve(c, within(r, 0, w), within(r, 0, h), within(r, 0, w), within(r, 0, h),
				   within(r, 0, w), within(r, 0, h));
			break;
		default:
			path_line(c, within(r, 0, w), within(r, 0, h));
		}
}

static void any_text(struct canvas *c, struct rng *r, double w, double h)
{
	static const char nasty[] = "<>&\"'()\\{}$%#^_~ \n\x1b\x80\xe2\xf4\xc2|`[]-;,@";
	struct font f = { within(r, 6, 20), (enum anchor)rng_below(r, 3), rng_below(r, 2), rng_below(r, 2),
			  any_ink(r) };
	char text[40];
	int n = 1 + (int)rng_below(r, sizeof text - 1);

	for (int k = 0; k < n; k++)
		text[k] = rng_below(r, 2) ? nasty[rng_below(r, sizeof nasty - 1)] : (char)(1 + rng_below(r, 255));
	text[n < (int)sizeof text ? n : (int)sizeof text - 1] = 0;
	canvas_text(c, within(r, -5, w), within(r, -5, h), f, text);
}

static struct canvas *any_canvas(struct arena *a, struct rng *r, bool texts)
{
	double w = 40 + rng_below(r, 400), h = 40 + rng_below(r, 300);
	struct canvas *c = canvas_new(a, w, h);
	int n = (int)rng_below(r, 30);

	for (int k = 0; k < n; k++)
		switch (rng_below(r, texts ? 5 : 4)) {
		case 0:
		case 1:
			any_rect(c, r, w, h);
			break;
		case 2:
			any_path(c, r, w, h);
			break;
		case 3: {
			struct item *i = canvas_disc(c, within(r, 0, w), within(r, 0, h), within(r, 1, 40), any_ink(r));

			i->pen = any_pen(r);
			i->opacity = rng_below(r, 3) ? 1 : within(r, 0, 1);
			break;
		}
		default:
			any_text(c, r, w, h);
		}
	return c;
}

/* ---- what a file must be -------------------------------------------------------------------------------- */

/* Reads a PDF as its specification says: from the end, through the table, to every object and stream. */
static void check_pdf(const struct str *pdf)
{
	const char *s = str_get(pdf), *tail = s + pdf->len - 40, *end = strstr(tail, "startxref\n");
	size_t table, at, n;

	assert_int_equal(strlen(s), pdf->len); /* no NUL: strings of C may look at it */
	assert_non_null(end);
	assert_string_equal(strchr(end + 10, '\n'), "\n%%EOF\n");
	table = strtoul(end + 10, NULL, 10);
	assert_int_equal(strncmp(s + table, "xref\n0 ", 7), 0);
	n = strtoul(s + table + 7, NULL, 10);
	at = (size_t)(strchr(s + table + 7, '\n') - s) + 1;
	assert_int_equal(strncmp(s + at + 20 * n, "trailer\n", 8), 0);
	assert_int_equal(strncmp(s + at, "0000000000 65535 f \n", 20), 0);
	for (size_t k = 1; k < n; k++) {
		char want[32];
		size_t offset = strtoul(s + at + 20 * k, NULL, 10);
		const char *stream, *length;

		snprintf(want, sizeof want, "%zu 0 obj\n", k);
		assert_int_equal(strncmp(s + offset, want, strlen(want)), 0);
		assert_int_equal(strncmp(s + at + 20 * k + 10, " 00000 n \n", 10), 0);
		stream = strstr(s + offset, "stream\n");
		length = strstr(s + offset, "/Length ");
		if (!length || !stream || length > stream || strstr(s + offset, "endobj") < stream)
			continue;
		stream += 7 + strtoul(length + 8, NULL, 10);
		assert_int_equal(strncmp(stream, "\nendstream\nendobj\n", 18), 0);
	}
}

static int sequence_length(const unsigned char *s)
{
	int n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;

	for (int k = 1; k < n; k++)
		if ((s[k] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Lines of valid UTF-8, no wider than allowed; the only sequences are colours, and none is left on at a line's end. */
static void check_terminal(const struct str *text, int columns, bool colour)
{
	const unsigned char *s = (const unsigned char *)str_get(text);
	bool painted = false;
	int width = 0;

	while (*s) {
		int n = sequence_length(s);

		assert_true(n > 0);
		if (*s == 0x1b) {
			assert_true(colour && s[1] == '[');
			n = 2 + (int)strspn((const char *)s + 2, "0123456789;");
			assert_true(s[n] == 'm');
			painted = !(n == 3 && s[2] == '0');
			n++;
		} else if (*s == '\n') {
			assert_false(painted);
			assert_true(columns == 0 || width <= columns);
			width = 0;
		} else {
			unsigned u = *s & (n == 1 ? 0x7fu : 0xffu >> (n + 1));

			for (int k = 1; k < n; k++)
				u = u << 6 | (s[k] & 63u);
			assert_true(u >= 0x20 && !(u >= 0x7f && u < 0xa0));
			width += font_columns(u);
		}
		s += n;
	}
}

/* Braces that TeX would count, over the whole file, never below zero. */
static void check_braces(const char *tex)
{
	int depth = 0;

	for (const char *s = tex; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (*s == '%')
			s = strchr(s, '\n');
		else if (*s == '{')
			depth++;
		else if (*s == '}')
			depth--;
		assert_true(depth >= 0);
	}
	assert_int_equal(depth, 0);
}

static void check_everything(struct arena *a, const struct canvas *c)
{
	static const int columns[] = { 0, 1, 7, 33, 80, 132 };
	struct str out = { 0 }, again = { 0 };

	(void)a;
	canvas_svg(&out, c, &light);
	assert_null(xml_wrong(str_get(&out), false, NULL));
	str_clear(&out);
	assert_true(canvas_pdf(&out, c, &light) >= 0);
	canvas_pdf(&again, c, &light);
	assert_int_equal(out.len, again.len);
	assert_memory_equal(out.s, again.s, out.len);
	check_pdf(&out);
	str_clear(&out);
	canvas_tikz(&out, c, &light);
	check_braces(str_get(&out));
	for (int k = 0; k < 12; k++) {
		str_clear(&out);
		canvas_terminal(&out, c, columns[k / 2], k % 2);
		check_terminal(&out, columns[k / 2], k % 2);
	}
	str_release(&out);
	str_release(&again);
}

static void random_canvases_make_sound_files(void **state)
{
	struct bench *b = *state;

	check_everything(b->a, canvas_new(b->a, 0, 0));
	check_everything(b->a, hostile_canvas(b->a));
	for (int k = 0; k < 150; k++) {
		struct arena *a = arena_new();

		check_everything(a, any_canvas(a, &b->rng, true));
		arena_free(a);
	}
}

/* ---- pictures ------------------------------------------------------------------------------------------- */

static void picture_of(struct bench *b, struct picture *p, const char *name)
{
	char *png;
	size_t len;

	OK(file_read(&png, &len, arena_printf(b->a, "%s/%s", b->dir, name), 1 << 26, false, &bad));
	OK(picture_decode(p, png, len, PICTURE_RGB, name, &bad));
	mem_free(png);
}

/* Mean difference of the values in 0 .. 255; 255 if sizes differ by more than a pixel. */
static double difference(struct bench *b, const char *x, const char *y)
{
	struct picture p = { 0 }, q = { 0 };
	double sum = 0;
	int h, w;

	picture_of(b, &p, x);
	picture_of(b, &q, y);
	h = p.height < q.height ? p.height : q.height;
	w = p.width < q.width ? p.width : q.width;
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < h; i++)
			for (int k = 0; k < w; k++)
				sum += abs(p.data[(c * p.height + i) * p.width + k] -
					   q.data[(c * q.height + i) * q.width + k]);
	sum /= 3.0 * h * w;
	if (abs(p.height - q.height) > 1 || abs(p.width - q.width) > 1)
		sum = 255;
	picture_release(&p);
	picture_release(&q);
	return sum;
}

/* Draws a canvas as SVG by librsvg and as PDF by poppler; one unit is two pixels in both. */
static double svg_against_pdf(struct bench *b, const struct canvas *c)
{
	struct str out = { 0 };

	OK(canvas_png(c, arena_printf(b->a, "%s/svg.png", b->dir), 2, false, &bad));
	canvas_pdf(&out, c, &light);
	put(b, "c.pdf", &out);
	str_release(&out);
	assert_int_equal(in_dir(b, "pdftoppm -png -r 192 -singlefile c.pdf pdf"), 0);
	return difference(b, "svg.png", "pdf.png");
}

/* A canvas with everything at known places; off: moved by so many units. */
static struct canvas *known_canvas(struct arena *a, double off)
{
	struct canvas *c = canvas_new(a, 300, 200);
	struct item *i = canvas_rect(c, 20 + off, 20, 80, 50, INK_FAMILY + FAMILY_CONV);

	rect_round(i, 12);
	rect_frame(i, (struct pen){ INK_CHIP_EDGE, 2, DASH_NONE });
	i = canvas_rect(c, 120 + off, 20, 80, 50, INK_FAMILY + FAMILY_DROPOUT);
	i->radius[0] = i->radius[3] = 8;
	i->side[1] = (struct pen){ INK_TEXT, 2, DASH_DOTTED };
	canvas_disc(c, 250 + off, 45, 20, INK_LINE + 2)->opacity = 0.5;
	canvas_path(c, INK_NONE, (struct pen){ INK_LINE + 1, 3, DASH_DASHED });
	path_move(c, 20 + off, 150);
	path_curve(c, 80 + off, 60, 150 + off, 240, 280 + off, 120);
	i = canvas_rect(c, 100 + off, 100, 100, 60, INK_LINE);
	rect_frame(i, (struct pen){ INK_LINE + 1, 10, DASH_NONE });
	i->opacity = 0.5;
	return c;
}

static void svg_and_pdf_agree(void **state)
{
	struct bench *b = *state;
	double same, moved;
	struct rng r;

	if (!program_there("rsvg-convert") || !program_there("pdftoppm"))
		SKIP_BECAUSE("no rsvg-convert or pdftoppm");
	same = svg_against_pdf(b, known_canvas(b->a, 0));
	assert_true(same < 1);
	/* the test can fail: what is moved by two units is further off */
	svg_against_pdf(b, known_canvas(b->a, 2));
	assert_int_equal(in_dir(b, "mv pdf.png moved.png"), 0);
	svg_against_pdf(b, known_canvas(b->a, 0));
	moved = difference(b, "svg.png", "moved.png");
	assert_true(moved > 3 * same && moved > 2);
	/* always the same canvases: how much the two smooth edges differently grows with the edges, without a bound */
	rng_init(&r, 12, 1);
	for (int k = 0; k < 12; k++) {
		struct arena *a = arena_new();
		double d = svg_against_pdf(b, any_canvas(a, &r, false));

		arena_free(a);
		if (d > 2.5) /* edges are smoothed differently */
			fail_msg("random canvas %d: mean difference %.2f of 255", k, d);
	}
}

/* Where the ink of a picture begins and ends, in units. */
static void ink_range(struct bench *b, const char *name, double *left, double *right)
{
	struct picture p = { 0 };
	int x0 = 1 << 30, x1 = -1;

	picture_of(b, &p, name);
	for (int k = 0; k < p.width * p.height; k++)
		if (p.data[k] < 128) {
			x0 = k % p.width < x0 ? k % p.width : x0;
			x1 = k % p.width > x1 ? k % p.width : x1;
		}
	*left = x0 / 2.0;
	*right = (x1 + 1) / 2.0;
	picture_release(&p);
}

/* Texts start, centre and end where they should, and are as wide as text_width() says. */
static void pdf_texts_are_where_they_belong(void **state)
{
	static const char word[] = "Hxxx gr\xc3\xbc\xc3\x9f\xe2\x80\xa6 12.5 % H";
	struct bench *b = *state;
	struct str out = { 0 };

	if (!program_there("pdftoppm"))
		SKIP_BECAUSE("no pdftoppm");
	for (int k = 0; k < 9; k++) {
		struct font f = { 18, (enum anchor)(k % 3), k / 3 == 1, k / 3 == 2, INK_TEXT };
		struct canvas *c = canvas_new(b->a, 600, 40);
		double w = text_width(word, &f), left, right, start = 300 - w * (k % 3) / 2;

		canvas_text(c, 300, 30, f, word);
		str_clear(&out);
		assert_int_equal(canvas_pdf(&out, c, &light), 0);
		put(b, "c.pdf", &out);
		assert_int_equal(in_dir(b, "pdftoppm -png -r 192 -singlefile c.pdf pdf"), 0);
		ink_range(b, "pdf.png", &left, &right);
		/* side bearings of an H are below a tenth of the size, of a wide substitute's a bit more */
		if (fabs(left - start) > 0.2 * f.size || fabs(right - start - w) > 0.2 * f.size)
			fail_msg("font %d: %.1f to %.1f instead of %.1f to %.1f", k, left, right, start, start + w);
	}
	str_release(&out);
}

/* ---- other programs ------------------------------------------------------------------------------------- */

static void poppler_opens_it(void **state)
{
	struct bench *b = *state;
	struct str out = { 0 };

	if (!program_there("pdfinfo") || !program_there("pdftotext"))
		SKIP_BECAUSE("no poppler-utils");
	canvas_pdf(&out, hostile_canvas(b->a), &light);
	put(b, "h.pdf", &out);
	assert_int_equal(in_dir(b, "pdfinfo h.pdf >info.txt 2>info.err && test ! -s info.err"), 0);
	assert_non_null(strstr(got(b, "info.txt", NULL), "a (picture) \\ of <it>"));
	assert_non_null(strstr(got(b, "info.txt", NULL), "Pages:           1"));
	assert_non_null(strstr(got(b, "info.txt", NULL), "JavaScript:      no"));
	assert_int_equal(in_dir(b, "pdftotext -layout h.pdf text.txt 2>text.err && test ! -s text.err"), 0);
	assert_non_null(strstr(got(b, "text.txt", NULL), hostile[0]));
	assert_non_null(strstr(got(b, "text.txt", NULL), hostile[2]));
	assert_non_null(strstr(got(b, "text.txt", NULL), hostile[6]));
	assert_non_null(strstr(got(b, "text.txt", NULL), "gr\xc3\xbc\xc3\x9f"
							 "e \xe2\x82\xac \xe2\x80\xa6 ?? ? e?"));
	str_release(&out);
}

static void xmllint_accepts_it(void **state)
{
	static const enum svg_theme themes[] = { SVG_LIGHT, SVG_DARK, SVG_AUTO };
	struct bench *b = *state;

	if (!program_there("xmllint"))
		SKIP_BECAUSE("no xmllint");
	for (int k = 0; k < 3; k++) {
		struct str out = { 0 };

		canvas_svg(&out, hostile_canvas(b->a), &(struct svg_opts){ .theme = themes[k], .label = "\x1b<x>" });
		put(b, "h.svg", &out);
		str_release(&out);
		assert_int_equal(in_dir(b, "xmllint --noout --nonet h.svg"), 0);
	}
}

/* On its own and inside a document; hostile texts come out as they went in. */
static void latex_compiles_it(void **state)
{
	static const char wrapper[] = "\\documentclass{article}\\usepackage{tikz}\\begin{document}\nBefore.\n\n"
				      "\\resizebox{5cm}{!}{\\input{h.tex}}\n\nAfter.\n\\end{document}\n";
	struct bench *b = *state;
	struct str out = { 0 };

	if (!program_there("pdflatex") ||
	    in_dir(b, "kpsewhich tikz.sty geometry.sty helvet.sty courier.sty phvr8r.tfm >found.txt"))
		SKIP_BECAUSE("no pdflatex with TikZ");
	canvas_tikz(&out, hostile_canvas(b->a), &light);
	put(b, "h.tex", &out);
	str_clear(&out);
	canvas_tikz(&out, known_canvas(b->a, 0), &light);
	put(b, "k.tex", &out);
	str_clear(&out);
	str_add(&out, wrapper);
	put(b, "w.tex", &out);
	str_release(&out);
	assert_int_equal(in_dir(b, "pdflatex -interaction=batchmode -halt-on-error h.tex >/dev/null"), 0);
	assert_int_equal(in_dir(b, "pdflatex -interaction=batchmode -halt-on-error w.tex >/dev/null"), 0);
	assert_int_equal(in_dir(b, "pdflatex -interaction=batchmode -halt-on-error k.tex >/dev/null"), 0);
	assert_int_equal(in_dir(b, "test ! -e x"), 0);
	if (!program_there("pdftotext"))
		return;
	assert_int_equal(in_dir(b, "pdftotext -layout h.pdf text.txt"), 0);
	assert_non_null(strstr(got(b, "text.txt", NULL), "\\input{/etc/passwd}"));
	assert_non_null(strstr(got(b, "text.txt", NULL), "<script>alert(1)</script>"));
	assert_int_equal(in_dir(b, "pdftotext -layout w.pdf text.txt"), 0);
	assert_non_null(strstr(got(b, "text.txt", NULL), "After."));
	if (!program_there("rsvg-convert") || !program_there("pdftoppm"))
		return;
	OK(canvas_png(known_canvas(b->a, 0), arena_printf(b->a, "%s/svg.png", b->dir), 2, false, &bad));
	assert_int_equal(in_dir(b, "pdftoppm -png -r 192 -singlefile k.pdf tex"), 0);
	assert_true(difference(b, "svg.png", "tex.png") < 1.5);
}

static void png_without_its_program(void **state)
{
	struct bench *b = *state;
	const char *path = getenv("PATH");
	char *kept = arena_strdup(b->a, path ? path : ""), *file = arena_printf(b->a, "%s/none.png", b->dir);

	setenv("PATH", b->dir, 1);
	assert_int_equal(canvas_png(known_canvas(b->a, 0), file, 1, false, &bad), -1);
	setenv("PATH", kept, 1);
	assert_int_equal(bad.code, ERR_RUNTIME);
	assert_non_null(strstr(bad.msg, "librsvg2-bin"));
	assert_false(file_exists(file));
	assert_int_equal(in_dir(b, "test ! -e none.png.tmp"), 0);
	if (!program_there("rsvg-convert"))
		return;
	err_clear(&bad);
	assert_int_equal(canvas_png(known_canvas(b->a, 0), "/nowhere/at/all.png", 1, false, &bad), -1);
	assert_int_equal(bad.code, ERR_RUNTIME);
}

/* ---- the terminal --------------------------------------------------------------------------------------- */

static void terminal_shows(void **state)
{
	struct bench *b = *state;
	struct canvas *c = canvas_new(b->a, 22, 33); /* 4 columns, 3 rows */
	struct font f = { 11, ANCHOR_MIDDLE, false, false, INK_CHIP_TEXT };
	struct str out = { 0 };

	canvas_rect(c, 0, 0, 22, 33, INK_FAMILY + FAMILY_CONV);
	canvas_text(c, 11, 20, f, "ab");
	canvas_terminal(&out, c, 0, false);
	assert_string_equal(str_get(&out), "\xe2\xa1\x8f\xe2\xa0\x89\xe2\xa0\x89\xe2\xa2\xb9\n"
					   "\xe2\xa1\x87"
					   "ab"
					   "\xe2\xa2\xb8\n"
					   "\xe2\xa3\x87\xe2\xa3\x80\xe2\xa3\x80\xe2\xa3\xb8\n");
	str_clear(&out);
	canvas_terminal(&out, c, 0, true); /* #ee8866 is nearest to colour 209 of the cube */
	assert_non_null(strstr(str_get(&out), "\x1b[0;38;5;234;48;5;209mab"));
	str_release(&out);
}

/* Every text of a chart that has room for it is there, whole, at any of the usual widths. */
static void terminal_texts_are_whole(void **state)
{
	static const char *const words[] = { "accuracy", "lenet5", "100 %", "epoch",
					     "res \xc3\x97"
					     "4" };
	struct bench *b = *state;

	for (int columns = 80; columns <= 160; columns += 40) {
		struct canvas *c = canvas_new(b->a, 640, 200);
		struct str out = { 0 };

		canvas_rect(c, 0, 0, 640, 200, INK_GRID);
		for (int k = 0; k < 5; k++)
			canvas_text(c, 60 + 120 * k, 100, (struct font){ 11, ANCHOR_MIDDLE, false, false, INK_TEXT },
				    words[k]);
		canvas_terminal(&out, c, columns, false);
		for (int k = 0; k < 5; k++)
			assert_non_null(strstr(str_get(&out), words[k]));
		str_release(&out);
	}
}

/* ---- fonts ---------------------------------------------------------------------------------------------- */

static void widths_are_helveticas(void **state)
{
	struct font f = { 1000, ANCHOR_START, false, false, INK_TEXT };

	(void)state;
	/* from Adobe's font metrics: W 944, A 667, v 500, euro 556, ellipsis 1000, u with dieresis 556; bold 944, 722
	 * ... */
	assert_true(fabs(text_width("WAv", &f) - (944 + 667 + 500)) < 1e-6);
	assert_true(fabs(text_width("\xe2\x82\xac\xe2\x80\xa6\xc3\xbc", &f) - (556 + 1000 + 556)) < 1e-6);
	f.bold = true;
	assert_true(fabs(text_width("WAv", &f) - (944 + 722 + 556)) < 1e-6);
	f.mono = true;
	assert_true(fabs(text_width("WAv\xe6\x97\xa5", &f) - (2400)) < 1e-6);
	assert_int_equal(font_code(0x20ac), 0x80);
	assert_int_equal(font_code(0x178), 0x9f);
	assert_int_equal(font_code(0x81), -1);
	assert_int_equal(font_code(0x2192), -1);
	for (int k = 0; k < 0x110; k++) { /* every code that can occur has a width */
		int code = font_code((unsigned)k);

		assert_true(code < 0 || (font_advance(code, false, false) > 0 && font_advance(code, true, false) > 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths_are_helveticas), cmocka_unit_test(random_canvases_make_sound_files),
		cmocka_unit_test(svg_and_pdf_agree),     cmocka_unit_test(pdf_texts_are_where_they_belong),
		cmocka_unit_test(poppler_opens_it),      cmocka_unit_test(xmllint_accepts_it),
		cmocka_unit_test(latex_compiles_it),     cmocka_unit_test(png_without_its_program),
		cmocka_unit_test(terminal_shows),        cmocka_unit_test(terminal_texts_are_whole),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
