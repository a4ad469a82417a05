/* export/python.c - see python.h. */
#include "export/python.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void py_release(struct py *p)
{
	str_release(&p->text);
}

/* ---- lines ---------------------------------------------------------------------------------------------- */

/* Past the string literal that begins at s. */
static const char *skip_string(const char *s)
{
	char quote = *s++;

	for (; *s && *s != quote; s++)
		if (*s == '\\' && s[1])
			s++;
	return *s ? s + 1 : s;
}

/* The opening bracket of the longest bracketed part of `line` that is in no other, the last of equals; NULL: none. */
static const char *widest_open(const char *line)
{
	const char *stack[64], *found = NULL;
	int depth = 0;
	long most = 1;

	for (const char *s = line; *s;) {
		if (*s == '"') {
			s = skip_string(s);
			continue;
		}
		if (strchr("([{", *s) && depth < 64)
			stack[depth++] = s;
		else if (strchr(")]}", *s) && depth > 0 && --depth == 0 && s - stack[0] > most) {
			found = stack[0];
			most = s - found;
		}
		s++;
	}
	return found;
}

static const char *matching(const char *open)
{
	int depth = 0;

	for (const char *s = open; *s;) {
		if (*s == '"') {
			s = skip_string(s);
			continue;
		}
		depth += !!strchr("([{", *s) - !!strchr(")]}", *s);
		if (depth == 0)
			return s;
		s++;
	}
	return NULL;
}

/* Past the element of a list that begins at s: its comma, or the end. */
static const char *element_end(const char *s, const char *end)
{
	int depth = 0;

	while (s < end) {
		if (*s == '"') {
			s = skip_string(s);
			continue;
		}
		depth += !!strchr("([{", *s) - !!strchr(")]}", *s);
		if (*s == ',' && depth == 0)
			break;
		s++;
	}
	return s;
}

static void plain(struct py *p, const char *s, int n, const char *end, const char *comment)
{
	str_addf(&p->text, "%*s%.*s%s", 4 * p->indent, "", n, s, end);
	if (comment)
		str_addf(&p->text, "  # %s", comment);
	str_addc(&p->text, '\n');
}

/* A list, dict or tuple with commas stands one element a line; arguments may share one. */
static bool is_display(const char *line, const char *open, const char *close)
{
	bool call = open > line && (isalnum((unsigned char)open[-1]) || strchr("_)]", open[-1]));

	return !(call && *open == '(') && element_end(open + 1, close) < close;
}

static void broken(struct py *p, const char *line, const char *open, const char *comment)
{
	const char *close = matching(open), *s = open + 1;
	int body = (int)(close - s);

	plain(p, line, (int)(s - line), "", NULL);
	p->indent++;
	if (4 * p->indent + body <= PY_WIDTH && !is_display(line, open, close)) {
		plain(p, s, body, "", NULL);
	} else {
		while (s < close) {
			const char *end = element_end(s, close);

			plain(p, s, (int)(end - s), ",", NULL);
			for (s = end; s < close && (*s == ',' || *s == ' ');)
				s++;
		}
	}
	p->indent--;
	plain(p, close, (int)strlen(close), "", comment);
}

void py_line(struct py *p, const char *comment, const char *fmt, ...)
{
	struct str line = { 0 };
	const char *open;
	size_t width;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&line, fmt, ap);
	va_end(ap);
	width = 4 * (size_t)p->indent + line.len + (comment ? strlen(comment) + 4 : 0);
	open = width > PY_WIDTH ? widest_open(str_get(&line)) : NULL;
	if (open && matching(open))
		broken(p, str_get(&line), open, comment);
	else
		plain(p, str_get(&line), (int)line.len, "", comment);
	str_release(&line);
}

void py_blank(struct py *p, int lines)
{
	while (lines-- > 0)
		str_addc(&p->text, '\n');
}

void py_text(struct py *p, const char *text)
{
	while (*text) {
		int n = (int)strcspn(text, "\n");

		if (n)
			plain(p, text, n, "", NULL);
		else
			py_blank(p, 1);
		text += n + (text[n] == '\n');
	}
}

/* ---- names and texts ------------------------------------------------------------------------------------ */

static bool is_keyword(const char *word)
{
	static const char *const keywords[] = { "False",  "None",     "True",  "and",    "as",       "assert",
						"async",  "await",    "break", "class",  "continue", "def",
						"del",    "elif",     "else",  "except", "finally",  "for",
						"from",   "global",   "if",    "import", "in",       "is",
						"lambda", "nonlocal", "not",   "or",     "pass",     "raise",
						"return", "try",      "while", "with",   "yield" };

	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (strcmp(word, keywords[i]) == 0)
			return true;
	return false;
}

bool py_is_name(const char *word)
{
	if (!isalpha((unsigned char)word[0]) && word[0] != '_')
		return false;
	for (const char *s = word; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return !is_keyword(word);
}

void py_name(struct str *out, const char *word)
{
	if (isdigit((unsigned char)word[0]) || !word[0])
		str_addc(out, '_');
	for (const char *s = word; *s; s++)
		str_addc(out, isalnum((unsigned char)*s) ? *s : '_');
	if (is_keyword(word))
		str_addc(out, '_');
}

void py_class_name(struct str *out, const char *word)
{
	bool up = true;

	if (!isalpha((unsigned char)word[0]))
		str_add(out, "Block");
	for (const char *s = word; *s; s++) {
		if (isalnum((unsigned char)*s))
			str_addc(out, up ? (char)toupper((unsigned char)*s) : *s);
		up = !isalnum((unsigned char)*s);
	}
}

void py_prose(struct str *out, const char *text)
{
	for (const char *s = text; *s; s++) {
		if (*s == '\\')
			str_add(out, "\\\\");
		else if (strncmp(s, "\"\"\"", 3) == 0)
			str_addc(out, '\'');
		else
			str_addc(out, (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s);
	}
}

char *py_real(char *buf, double v)
{
	str_real(buf, v);
	if (!strpbrk(buf, ".en"))
		strcat(buf, ".0");
	return buf;
}
