/* tests/helper_xml.c - see helper_xml.h. */
#include "tests/helper_xml.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH = 64, NAME = 64, ATTRIBUTES = 32, VALUE = 1 << 16 };

struct reader {
	const char *text, *s;
	bool html;
	const struct xml_seen *seen;
	char open[DEPTH][NAME];
	int depth, roots;
	char why[200];
};

static bool bad(struct reader *r, const char *what)
{
	snprintf(r->why, sizeof r->why, "%s at byte %ld: %.40s", what, (long)(r->s - r->text), r->s);
	return false;
}

static bool read_name(struct reader *r, char name[NAME])
{
	int n = 0;

	while ((isalnum((unsigned char)*r->s) || strchr("-_:.", *r->s)) && *r->s && n < NAME - 1)
		name[n++] = *r->s++;
	name[n] = 0;
	return n ? true : bad(r, "a name is missing");
}

/* An entity that both XML and HTML know, at '&'. */
static bool entity(const char *s)
{
	static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strncmp(s, known[i], strlen(known[i])) == 0)
			return true;
	return false;
}

static bool read_attribute(struct reader *r, char names[ATTRIBUTES][NAME], int *n)
{
	static char value[VALUE];
	size_t len = 0;

	if (*n == ATTRIBUTES)
		return bad(r, "too many attributes");
	if (!read_name(r, names[*n]))
		return false;
	for (int i = 0; i < *n; i++)
		if (strcmp(names[i], names[*n]) == 0)
			return bad(r, "an attribute is given twice");
	if (*r->s == '=') {
		if (*++r->s != '"')
			return bad(r, "an attribute is not quoted");
		for (r->s++; *r->s && *r->s != '"'; r->s++) {
			if (*r->s == '<' || (*r->s == '&' && !entity(r->s)))
				return bad(r, "an attribute holds markup");
			if (len < VALUE - 1)
				value[len++] = *r->s;
		}
		if (*r->s++ != '"')
			return bad(r, "an attribute does not end");
	} else if (!r->html) {
		return bad(r, "an attribute has no value");
	}
	value[len] = 0;
	if (r->seen && r->seen->attribute)
		r->seen->attribute(r->seen->arg, names[*n], value);
	(*n)++;
	return true;
}

static bool is_void(const char *name)
{
	static const char *const list[] = { "meta", "input", "br", "hr", "img", "link" };

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static bool close_tag(struct reader *r)
{
	char name[NAME];

	r->s += 2;
	if (!read_name(r, name))
		return false;
	if (*r->s++ != '>' || r->depth == 0 || strcmp(r->open[r->depth - 1], name))
		return bad(r, "an end tag does not fit");
	r->depth--;
	return true;
}

static bool raw_text(struct reader *r, const char *name)
{
	char end[NAME + 4];
	const char *stop;

	snprintf(end, sizeof end, "</%s>", name);
	stop = strstr(r->s, end);
	if (!stop)
		return bad(r, "raw text does not end");
	r->s = stop;
	return true;
}

static bool open_tag(struct reader *r)
{
	char names[ATTRIBUTES][NAME], name[NAME];
	int n = 0;

	r->s++;
	if (!read_name(r, name))
		return false;
	if (r->seen && r->seen->element)
		r->seen->element(r->seen->arg, name);
	while (isspace((unsigned char)*r->s)) {
		while (isspace((unsigned char)*r->s))
			r->s++;
		if (*r->s != '>' && *r->s != '/' && !read_attribute(r, names, &n))
			return false;
	}
	if (strncmp(r->s, "/>", 2) == 0) {
		r->s += 2;
		return true;
	}
	if (*r->s++ != '>')
		return bad(r, "a tag does not end");
	if (r->html && is_void(name))
		return true;
	if (r->depth == 0 && r->roots++)
		return bad(r, "a second root");
	if (r->depth == DEPTH)
		return bad(r, "too deep");
	strcpy(r->open[r->depth++], name);
	if (r->html && (strcmp(name, "script") == 0 || strcmp(name, "style") == 0))
		return raw_text(r, name);
	return true;
}

static bool step(struct reader *r)
{
	if (r->html && strncmp(r->s, "<!doctype html>", 15) == 0 && r->s == r->text)
		r->s += 15;
	else if (strncmp(r->s, "</", 2) == 0)
		return close_tag(r);
	else if (*r->s == '<')
		return open_tag(r);
	else if (*r->s == '&' && !entity(r->s))
		return bad(r, "an unknown entity");
	else if ((unsigned char)*r->s < 0x20 && *r->s != '\n' && *r->s != '\t')
		return bad(r, "a control character");
	else if (*r->s == '>')
		return bad(r, "a raw >");
	else if (r->depth == 0 && !isspace((unsigned char)*r->s))
		return bad(r, "text outside of the root");
	else
		r->s++;
	return true;
}

const char *xml_wrong(const char *text, bool html, const struct xml_seen *seen)
{
	static struct reader r;

	r = (struct reader){ .text = text, .s = text, .html = html, .seen = seen };
	while (*r.s)
		if (!step(&r))
			return r.why;
	if (r.depth)
		bad(&r, "an element is not closed");
	return r.why[0] ? r.why : NULL;
}
