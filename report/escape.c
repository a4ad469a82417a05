/* report/escape.c - see escape.h. */
#include "report/escape.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

static const char replacement[] = "\xef\xbf\xbd";

/* C0 and C1 controls, and the characters that reverse or hide text (bidirectional overrides, U+2028, BOM). */
static bool is_control(const unsigned char *s, int n)
{
	if (n == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (n == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	if (n == 3 && s[0] == 0xe2)
		return (s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae) || (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
	return n == 3 && s[0] == 0xef && ((s[1] == 0xbb && s[2] == 0xbf) || (s[1] == 0xbf && s[2] >= 0xbe));
}

/* The next character of *s as clean text: its bytes in *text, their number; 0 at the end. */
static int next_char(const char **s, const char **text, bool newlines)
{
	const unsigned char *p = (const unsigned char *)*s;
	int n;

	if (!*p)
		return 0;
	n = str_utf8(*s);
	*text = *s;
	*s += n ? n : 1;
	if (n && (!is_control(p, n) || (newlines && *p == '\n')))
		return n;
	*text = replacement;
	return 3;
}

unsigned escape_char(const char **s)
{
	const char *text;
	int n = next_char(s, &text, false);

	return n ? str_code_point(text, n) : 0;
}

void escape_plain(struct str *out, const char *s)
{
	const char *c;

	for (int n; s && (n = next_char(&s, &c, false));)
		str_addn(out, c, (size_t)n);
}

void escape_xml(struct str *out, const char *s)
{
	const char *c;

	for (int n; s && (n = next_char(&s, &c, true));) {
		const char *entity = *c == '&'    ? "&amp;"
				     : *c == '<'  ? "&lt;"
				     : *c == '>'  ? "&gt;"
				     : *c == '"'  ? "&quot;"
				     : *c == '\'' ? "&#39;"
						  : NULL;
		if (entity)
			str_add(out, entity);
		else
			str_addn(out, c, (size_t)n);
	}
}

void escape_markdown(struct str *out, const char *s)
{
	const char *c;

	for (int n; s && (n = next_char(&s, &c, false));) {
		if (*c == '<' || *c == '>' || *c == '&') {
			str_add(out, *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : "&amp;");
			continue;
		}
		if (strchr("\\`*_[]|~", *c))
			str_addc(out, '\\');
		str_addn(out, c, (size_t)n);
	}
}

/* Latin-1 letters are the ones that every LaTeX since 2018 reads without a package. */
static bool latex_knows(const char *c, int n)
{
	unsigned u = str_code_point(c, n);

	return u >= 0xc0 && u <= 0xff && u != 0xd0 && u != 0xd7 && u != 0xde && u != 0xf0 && u != 0xf7 && u != 0xfe;
}

static const char *latex_special(char c)
{
	switch (c) {
	case '\\':
		return "\\textbackslash{}";
	case '^':
		return "\\textasciicircum{}";
	case '~':
		return "\\textasciitilde{}";
	case '`':
		return "\\`{}";
	case '"':
		return "''";
	case '<':
		return "$<$";
	case '>':
		return "$>$";
	case '|':
		return "$|$";
	case '[': /* behind the end of a row, these would be an option of \\ */
		return "{[}";
	case '*':
		return "{*}";
	case '-': /* no ligatures */
		return "{-}";
	}
	return NULL;
}

/* Symbols that our own texts use, in what every LaTeX has. */
static const char *latex_symbol(const char *c, int n)
{
	static const char *const symbols[][2] = {
		{ "\xc3\x97", "$\\times$" },    { "\xe2\x80\xa6", "\\ldots{}" },
		{ "\xc2\xb7", "$\\cdot$" },     { "\xc2\xb1", "$\\pm$" },
		{ "\xe2\x88\x92", "$-$" },      { "\xe2\x86\x92", "$\\to$" },
		{ "\xe2\x86\x90", "$\\gets$" }, { "\xe2\x80\x93", "{--}" },
		{ "\xe2\x80\x94", "{---}" },    { "\xe2\x89\xa4", "$\\le$" },
		{ "\xe2\x89\xa5", "$\\ge$" },   { "\xc2\xb5", "$\\mu$" },
		{ "\xc2\xb0", "$^\\circ$" },    { "\xc2\xa0", "~" },
	};

	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
		if (strlen(symbols[i][0]) == (size_t)n && memcmp(symbols[i][0], c, (size_t)n) == 0)
			return symbols[i][1];
	return NULL;
}

void escape_latex(struct str *out, const char *s)
{
	const char *c, *special;
	char before = ' ';

	for (int n; s && (n = next_char(&s, &c, false)); before = *c) {
		special = n > 1 ? latex_symbol(c, n) : latex_special(*c);
		if (*c == '-' && isdigit((unsigned char)*s) && !isalnum((unsigned char)before))
			special = "$-$";
		if (special)
			str_add(out, special);
		else if (n > 1)
			str_addn(out, latex_knows(c, n) ? c : "?", latex_knows(c, n) ? (size_t)n : 1);
		else
			str_addf(out, "%s%c", strchr("{}$&#%_", *c) ? "\\" : "", *c);
	}
}

void escape_csv(struct str *out, const char *s)
{
	struct str cell = { 0 };
	bool quote;

	if (s && *s && strchr("=+-@\t\r", *s))
		str_addc(&cell, '\'');
	escape_plain(&cell, s);
	quote = cell.len && strpbrk(cell.s, ",\"\n;");
	if (quote)
		str_addc(out, '"');
	for (size_t i = 0; i < cell.len; i++) {
		if (cell.s[i] == '"')
			str_addc(out, '"');
		str_addc(out, cell.s[i]);
	}
	if (quote)
		str_addc(out, '"');
	str_release(&cell);
}

void escape_gnuplot(struct str *out, const char *s)
{
	const char *c;

	for (int n; s && (n = next_char(&s, &c, false));) {
		if (*c == '\'')
			str_addc(out, '\'');
		str_addn(out, c, (size_t)n);
	}
}

void escape_file(struct str *out, const char *s)
{
	int written = 0;
	bool gap = false;

	for (; s && *s && written < 48; s++) {
		if (!isalnum((unsigned char)*s) && *s != '_') {
			gap = true;
			continue;
		}
		if (gap && written)
			str_addc(out, '-');
		gap = false;
		str_addc(out, *s);
		written++;
	}
	if (!written)
		str_add(out, "model");
}
