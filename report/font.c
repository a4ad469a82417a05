/* report/font.c - see font.h. */
#include "report/font.h"

#include <stddef.h>

#include "base/str.h"
#include "report/canvas.h"
#include "report/escape.h"

/* From ' ' on. Codes without a character (0x7f, 0x81, 0x8d, 0x8f, 0x90, 0x9d) are 0. */
static const short regular[224] = {
	278,  278, 355, 556, 556, 889,  667,  191,  333, 333,  389, 584, 278,  333, 278, 278, /* 0x20 */
	556,  556, 556, 556, 556, 556,  556,  556,  556, 556,  278, 278, 584,  584, 584, 556, /* 0x30 */
	1015, 667, 667, 722, 722, 667,  611,  778,  722, 278,  500, 667, 556,  833, 722, 778, /* 0x40 */
	667,  778, 722, 667, 611, 722,  667,  944,  667, 667,  611, 278, 278,  278, 469, 556, /* 0x50 */
	333,  556, 556, 500, 556, 556,  278,  556,  556, 222,  222, 500, 222,  833, 556, 556, /* 0x60 */
	556,  556, 333, 500, 278, 556,  500,  722,  500, 500,  500, 334, 260,  334, 584, 0,   /* 0x70 */
	556,  0,   222, 556, 333, 1000, 556,  556,  333, 1000, 667, 333, 1000, 0,   611, 0,   /* 0x80 */
	0,    222, 222, 333, 333, 350,  556,  1000, 333, 1000, 500, 333, 944,  0,   500, 667, /* 0x90 */
	278,  333, 556, 556, 556, 556,  260,  556,  333, 737,  370, 556, 584,  333, 737, 333, /* 0xa0 */
	400,  584, 333, 333, 333, 556,  537,  278,  333, 333,  365, 556, 834,  834, 834, 611, /* 0xb0 */
	667,  667, 667, 667, 667, 667,  1000, 722,  667, 667,  667, 667, 278,  278, 278, 278, /* 0xc0 */
	722,  722, 778, 778, 778, 778,  778,  584,  778, 722,  722, 722, 722,  667, 667, 611, /* 0xd0 */
	556,  556, 556, 556, 556, 556,  889,  500,  556, 556,  556, 556, 278,  278, 278, 278, /* 0xe0 */
	556,  556, 556, 556, 556, 556,  556,  584,  611, 556,  556, 556, 556,  500, 556, 500, /* 0xf0 */
};

static const short heavy[224] = {
	278, 333, 474, 556, 556, 889,  722,  238,  333, 333,  389, 584, 278,  333, 278, 278, /* 0x20 */
	556, 556, 556, 556, 556, 556,  556,  556,  556, 556,  333, 333, 584,  584, 584, 611, /* 0x30 */
	975, 722, 722, 722, 722, 667,  611,  778,  722, 278,  556, 722, 611,  833, 722, 778, /* 0x40 */
	667, 778, 722, 667, 611, 722,  667,  944,  667, 667,  611, 333, 278,  333, 584, 556, /* 0x50 */
	333, 556, 611, 556, 611, 556,  333,  611,  611, 278,  278, 556, 278,  889, 611, 611, /* 0x60 */
	611, 611, 389, 556, 333, 611,  556,  778,  556, 556,  500, 389, 280,  389, 584, 0,   /* 0x70 */
	556, 0,   278, 556, 500, 1000, 556,  556,  333, 1000, 667, 333, 1000, 0,   611, 0,   /* 0x80 */
	0,   278, 278, 500, 500, 350,  556,  1000, 333, 1000, 556, 333, 944,  0,   500, 667, /* 0x90 */
	278, 333, 556, 556, 556, 556,  280,  556,  333, 737,  370, 556, 584,  333, 737, 333, /* 0xa0 */
	400, 584, 333, 333, 333, 611,  556,  278,  333, 333,  365, 556, 834,  834, 834, 611, /* 0xb0 */
	722, 722, 722, 722, 722, 722,  1000, 722,  667, 667,  667, 667, 278,  278, 278, 278, /* 0xc0 */
	722, 722, 778, 778, 778, 778,  778,  584,  778, 722,  722, 722, 722,  667, 667, 611, /* 0xd0 */
	556, 556, 556, 556, 556, 556,  889,  556,  556, 556,  556, 556, 278,  278, 278, 278, /* 0xe0 */
	611, 611, 611, 611, 611, 611,  611,  584,  611, 611,  611, 611, 611,  556, 611, 556, /* 0xf0 */
};

/* What code page 1252 has between 0x80 and 0x9f. */
static const unsigned short cp1252[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

int font_code(unsigned unicode)
{
	if (unicode == 0x2212) /* the minus sign looks like an en dash */
		return 0x96;
	if ((unicode >= 0x20 && unicode <= 0x7e) || (unicode >= 0xa0 && unicode <= 0xff))
		return (int)unicode;
	for (int i = 0; i < 32 && unicode; i++)
		if (cp1252[i] == unicode)
			return 0x80 + i;
	return -1;
}

int font_advance(int code, bool bold, bool mono)
{
	int i = code - ' ';

	if (mono)
		return 600;
	return bold ? heavy[i] : regular[i];
}

int font_encode(struct str *out, const char *text)
{
	int replaced = 0;

	for (unsigned u; text && (u = escape_char(&text));) {
		int code = font_code(u);

		replaced += code < 0;
		str_addc(out, code < 0 ? '?' : (char)code);
	}
	return replaced;
}

double font_width(const char *encoded, const struct font *f)
{
	int w = 0;

	for (const unsigned char *s = (const unsigned char *)encoded; *s; s++)
		w += font_advance(*s, f->bold, f->mono);
	return w * f->size / 1000;
}

int font_columns(unsigned u)
{
	/* ranges of Unicode's East Asian Width W and F, and of marks that combine with what is before them */
	static const struct {
		unsigned first, last;
		int columns;
	} ranges[] = {
		{ 0x0300, 0x036f, 0 },   { 0x0483, 0x0489, 0 },   { 0x0591, 0x05bd, 0 },   { 0x064b, 0x065f, 0 },
		{ 0x0900, 0x0902, 0 },   { 0x0e34, 0x0e3a, 0 },   { 0x0e47, 0x0e4e, 0 },   { 0x1ab0, 0x1aff, 0 },
		{ 0x1dc0, 0x1dff, 0 },   { 0x200b, 0x200f, 0 },   { 0x20d0, 0x20ff, 0 },   { 0xfe00, 0xfe0f, 0 },
		{ 0xfe20, 0xfe2f, 0 },   { 0xe0100, 0xe01ef, 0 }, { 0x1100, 0x115f, 2 },   { 0x2e80, 0x303e, 2 },
		{ 0x3041, 0x33ff, 2 },   { 0x3400, 0x4dbf, 2 },   { 0x4e00, 0x9fff, 2 },   { 0xa000, 0xa4cf, 2 },
		{ 0xa960, 0xa97f, 2 },   { 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },   { 0xfe30, 0xfe6f, 2 },
		{ 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },   { 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 },
		{ 0x1f900, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (u >= ranges[i].first && u <= ranges[i].last)
			return ranges[i].columns;
	return 1;
}
