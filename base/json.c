/* base/json.c - see json.h. */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* struct json is never defined: a pointer to it is a pointer to a cJSON node. */
static const cJSON *node(const struct json *v)
{
	return (const cJSON *)(const void *)v;
}

static cJSON *mnode(struct json *v)
{
	return (cJSON *)(void *)v;
}

static struct json *wrap(cJSON *n)
{
	return (struct json *)(void *)n;
}

static const struct json *cwrap(const cJSON *n)
{
	return (const struct json *)(const void *)n;
}

enum { MAX_FILE = 256 << 20, MAX_SAFE_DIGITS = 53 };

static void use_project_memory(void)
{
	static bool done;
	cJSON_Hooks hooks = { mem_new, mem_free };

	if (!done)
		cJSON_InitHooks(&hooks);
	done = true;
}

/* ---- parsing -------------------------------------------------------------------------------------------- */

/* Blanks out comments so that positions stay the same. Returns the offset of an unclosed comment, or -1. */
static long blank_comments(char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t end = i;

		if (s[i] == '"') {
			for (i++; i < len && s[i] != '"'; i++)
				i += s[i] == '\\';
			continue;
		}
		if (s[i] != '/' || i + 1 >= len)
			continue;
		if (s[i + 1] == '/') {
			while (end < len && s[end] != '\n')
				end++;
		} else if (s[i + 1] == '*') {
			for (end = i + 2; end + 1 < len && !(s[end] == '*' && s[end + 1] == '/'); end++)
				;
			if (end + 1 >= len)
				return (long)i;
			end += 2;
		} else {
			continue;
		}
		for (; i < end; i++)
			if (s[i] != '\n')
				s[i] = ' ';
		i--;
	}
	return -1;
}

/* How many brackets are open at `at`; in texts they do not count. */
static int nesting(const char *text, size_t at)
{
	int depth = 0;

	for (size_t i = 0; i < at; i++) {
		if (text[i] == '"')
			for (i++; i < at && text[i] != '"'; i++)
				i += text[i] == '\\';
		else if (text[i] == '[' || text[i] == '{')
			depth++;
		else if (text[i] == ']' || text[i] == '}')
			depth--;
	}
	return depth;
}

static int syntax_error(const char *text, size_t at, const char *name, const char *what, struct err *e)
{
	int line = 1, col = 1;
	char where[160];

	for (size_t i = 0; i < at && text[i]; i++) {
		col++;
		if (text[i] == '\n') {
			line++;
			col = 1;
		}
	}
	snprintf(where, sizeof where, "%s:%d:%d", name, line, col);
	return ERR(e, ERR_INVALID, where, "%s", what);
}

/* The offset of the first byte of `text` (closed by a NUL) that is not UTF-8, or -1. */
static long not_utf8(const char *text)
{
	int n;

	for (const char *s = text; *s; s += n)
		if ((n = str_utf8(s)) == 0)
			return s - text;
	return -1;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* A member of `object` whose key another member has, too, or NULL. By sorting: files may hold very many keys. */
static const cJSON *twice(const cJSON *object)
{
	size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
	const cJSON **all, *found = NULL;

	if (n < 2)
		return NULL;
	all = mem_new(n * sizeof *all);
	for (const cJSON *c = object->child; c; c = c->next)
		all[i++] = c;
	qsort(all, n, sizeof *all, by_key);
	for (i = 1; i < n && !found; i++)
		if (strcmp(all[i - 1]->string, all[i]->string) == 0)
			found = all[i];
	mem_free(all);
	return found;
}

/* A strict look at the tree: cJSON keeps duplicate keys and turns large numbers into others. */
static int check_tree(const cJSON *n, const cJSON *root, const char *name, struct err *e)
{
	const cJSON *again = cJSON_IsObject(n) ? twice(n) : NULL;

	if (again) {
		char path[160];

		json_path(cwrap(root), cwrap(again), path, sizeof path);
		ERR(e, ERR_INVALID, path, "the key is given twice");
		err_within(e, name);
		return -1;
	}
	for (const cJSON *c = n->child; c; c = c->next) {
		char path[160];

		if (cJSON_IsNumber(c) && (!isfinite(c->valuedouble) || fabs(c->valuedouble) > 9007199254740992.0) &&
		    !(isfinite(c->valuedouble) && c->valuedouble != floor(c->valuedouble))) {
			json_path(cwrap(root), cwrap(c), path, sizeof path);
			ERR(e, ERR_INVALID, path,
			    "the number is too large to be held exactly (write a seed as a string)");
			err_within(e, name);
			return -1;
		}
		if (check_tree(c, root, name, e) < 0)
			return -1;
	}
	return 0;
}

int json_parse(struct json **out, const char *text, size_t len, const char *name, struct err *e)
{
	const char *end = NULL;
	char *copy;
	cJSON *root;
	long open;
	int rc = -1;

	use_project_memory();
	*out = NULL;
	copy = mem_new(len + 1);
	memcpy(copy, text, len);
	if (memchr(copy, 0, len)) {
		ERR(e, ERR_INVALID, name, "is not JSON: it holds a NUL byte");
		goto out;
	}
	open = not_utf8(copy);
	if (open >= 0) {
		syntax_error(copy, (size_t)open, name, "is not UTF-8 text", e);
		goto out;
	}
	open = blank_comments(copy, len);
	if (open >= 0) {
		syntax_error(copy, (size_t)open, name, "the comment that begins here is never closed", e);
		goto out;
	}
	root = cJSON_ParseWithLengthOpts(copy, len + 1, &end, 1);
	if (!root) {
		size_t at = end ? (size_t)(end - copy) : 0;

		while (at < len && isspace((unsigned char)copy[at]))
			at++;
		syntax_error(copy, at, name,
			     nesting(copy, at) >= CJSON_NESTING_LIMIT ? "brackets are nested too deep"
			     : at >= len ? "the file ends too early: a bracket or quote is not closed"
					 : "syntax error (a comma, quote or bracket is missing or too many)",
			     e);
		goto out;
	}
	*out = wrap(root);
	rc = check_tree(root, root, name, e);
	if (rc < 0) {
		json_free(*out);
		*out = NULL;
	}
out:
	mem_free(copy);
	return rc;
}

int json_load(struct json **out, const char *path, struct err *e)
{
	char *text;
	size_t len;
	int rc;

	*out = NULL;
	if (file_read(&text, &len, path, MAX_FILE, false, e) < 0)
		return -1;
	rc = json_parse(out, text, len, path, e);
	mem_free(text);
	return rc;
}

void json_free(struct json *root)
{
	cJSON_Delete(mnode(root));
}

/* ---- access --------------------------------------------------------------------------------------------- */

enum json_type json_type(const struct json *v)
{
	const cJSON *n = node(v);

	if (!n)
		return JSON_ABSENT;
	switch (n->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	}
	return JSON_NULL;
}

const char *json_type_name(enum json_type t)
{
	static const char *const names[] = { "nothing",  "null",     "true or false", "a number",
					     "a string", "an array", "an object" };

	return names[t];
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (json_type(object) != JSON_OBJECT)
		return NULL;
	return cwrap(cJSON_GetObjectItemCaseSensitive(node(object), key));
}

const struct json *json_first(const struct json *container)
{
	return container ? cwrap(node(container)->child) : NULL;
}

const struct json *json_next(const struct json *v)
{
	return cwrap(node(v)->next);
}

int json_count(const struct json *container)
{
	return container ? cJSON_GetArraySize(node(container)) : 0;
}

const char *json_key(const struct json *v)
{
	return v ? node(v)->string : NULL;
}

const char *json_string(const struct json *v)
{
	return json_type(v) == JSON_STRING ? node(v)->valuestring : NULL;
}

double json_number(const struct json *v)
{
	return json_type(v) == JSON_NUMBER ? node(v)->valuedouble : (double)NAN;
}

bool json_true(const struct json *v)
{
	return v && cJSON_IsTrue(node(v));
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b)
		return a == b;
	return cJSON_Compare(node(a), node(b), 1);
}

/* ---- building ------------------------------------------------------------------------------------------- */

struct json *json_object(void)
{
	use_project_memory();
	return wrap(cJSON_CreateObject());
}

struct json *json_array(void)
{
	use_project_memory();
	return wrap(cJSON_CreateArray());
}

struct json *json_str(const char *s)
{
	use_project_memory();
	return wrap(cJSON_CreateString(s));
}

struct json *json_num(double v)
{
	use_project_memory();
	return wrap(isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull());
}

struct json *json_bool(bool v)
{
	use_project_memory();
	return wrap(cJSON_CreateBool(v));
}

struct json *json_null(void)
{
	use_project_memory();
	return wrap(cJSON_CreateNull());
}

struct json *json_copy(const struct json *v)
{
	return wrap(cJSON_Duplicate(node(v), 1));
}

struct json *json_put(struct json *object, const char *key, struct json *value)
{
	if (cJSON_GetObjectItemCaseSensitive(mnode(object), key))
		cJSON_ReplaceItemInObjectCaseSensitive(mnode(object), key, mnode(value));
	else
		cJSON_AddItemToObject(mnode(object), key, mnode(value));
	return value;
}

struct json *json_push(struct json *array, struct json *value)
{
	cJSON_AddItemToArray(mnode(array), mnode(value));
	return value;
}

void json_drop(struct json *object, const char *key)
{
	cJSON_DeleteItemFromObjectCaseSensitive(mnode(object), key);
}

struct json *json_mutable(struct json *object, const char *key)
{
	return wrap(cJSON_GetObjectItemCaseSensitive(mnode(object), key));
}

static cJSON *value_of_text(const char *text)
{
	struct json *v = NULL;

	if (json_parse(&v, text, strlen(text), "", NULL) < 0)
		v = json_str(text);
	return mnode(v);
}

int json_set_path(struct json *root, const char *path, const char *text, struct err *e)
{
	cJSON *at = mnode(root);
	const char *p = path;
	char key[128];

	for (;;) {
		size_t n = strcspn(p, ".[]");
		bool last;

		if (n == 0 || n >= sizeof key)
			return ERR(e, ERR_USAGE, path, "is not a key path (write a.b.c=value)");
		memcpy(key, p, n);
		key[n] = 0;
		p += n;
		p += *p == ']';
		last = !*p;
		p += !last;
		if (cJSON_IsArray(at)) {
			char *end;
			long i = strtol(key, &end, 10);

			if (*end || i < 0 || i >= cJSON_GetArraySize(at))
				return ERR(e, ERR_USAGE, path, "'%s' is not an element of a list of %d", key,
					   cJSON_GetArraySize(at));
			if (last)
				return cJSON_ReplaceItemInArray(at, (int)i, value_of_text(text)), 0;
			at = cJSON_GetArrayItem(at, (int)i);
			continue;
		}
		if (!cJSON_IsObject(at))
			return ERR(e, ERR_USAGE, path, "'%s' cannot be set: what holds it is not an object", key);
		if (last)
			return json_put(wrap(at), key, wrap(value_of_text(text))), 0;
		if (!cJSON_GetObjectItemCaseSensitive(at, key))
			cJSON_AddItemToObject(at, key, cJSON_CreateObject());
		at = cJSON_GetObjectItemCaseSensitive(at, key);
	}
}

struct step { /* of the way down to a value */
	const cJSON *node;
	int index;
	const struct step *up;
};

static void add_steps(struct str *out, const struct step *s)
{
	if (!s)
		return;
	add_steps(out, s->up);
	if (s->node->string)
		str_addf(out, "%s%s", out->len ? "." : "", s->node->string);
	else
		str_addf(out, "[%d]", s->index);
}

static bool find_path(const cJSON *at, const cJSON *v, const struct step *up, struct str *out)
{
	struct step s = { at->child, 0, up };

	if (at == v)
		add_steps(out, up);
	if (at == v)
		return true;
	for (; s.node; s.node = s.node->next, s.index++)
		if (find_path(s.node, v, &s, out))
			return true;
	return false;
}

char *json_path(const struct json *root, const struct json *v, char *buf, size_t size)
{
	struct str path = { 0 };

	snprintf(buf, size, "%s", root && v && find_path(node(root), node(v), NULL, &path) ? str_get(&path) : "?");
	str_release(&path);
	return buf;
}

/* ---- printing ------------------------------------------------------------------------------------------- */

/* Without printf: the page's charts pass through here, and printf is slow where a library has extended it, as the one
 * of OpenBLAS's Fortran does. */
void json_quote(struct str *out, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	str_addc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			str_addc(out, '\\');
			str_addc(out, (char)c);
		} else if (c == '\n') {
			str_add(out, "\\n");
		} else if (c == '\t') {
			str_add(out, "\\t");
		} else if (c < 0x20 || c == '<' || c == 0x7f) {
			str_add(out, "\\u00");
			str_addc(out, hex[c >> 4]);
			str_addc(out, hex[c & 15]);
		} else {
			str_addc(out, (char)c);
		}
	}
	str_addc(out, '"');
}

static void print_number(struct str *out, double v)
{
	char buf[32];

	if (v == floor(v) && fabs(v) < 1e15)
		str_whole(out, (int64_t)v);
	else
		str_add(out, str_real(buf, v));
}

enum { WIDTH = 110 };

enum layout {
	PLAIN,    /* no blanks */
	ONE_LINE, /* with blanks; given up where it gets longer than `most` */
	BROKEN    /* a line a member */
};

static void print_value(struct str *out, const cJSON *n, int indent, enum layout how, size_t most);

static void print_members(struct str *out, const cJSON *n, int indent, enum layout how, size_t most)
{
	bool object = cJSON_IsObject(n);

	str_addc(out, object ? '{' : '[');
	for (const cJSON *c = n->child; c && out->len <= most; c = c->next) {
		if (c != n->child)
			str_add(out, how == ONE_LINE ? ", " : ",");
		if (how == BROKEN)
			str_addf(out, "\n%*s", indent + 2, "");
		if (object) {
			json_quote(out, c->string);
			str_add(out, how == PLAIN ? ":" : ": ");
		}
		print_value(out, c, indent + 2, how, most);
	}
	if (how == BROKEN)
		str_addf(out, "\n%*s", indent, "");
	str_addc(out, object ? '}' : ']');
}

/* Members of a broken container stand in one line each where they fit. */
static void print_container(struct str *out, const cJSON *n, int indent, enum layout how, size_t most)
{
	size_t mark = out->len, end = mark + (indent < WIDTH ? (size_t)(WIDTH - indent) : 0);

	if (how != BROKEN || !n->child) {
		print_members(out, n, indent, how == BROKEN ? ONE_LINE : how, most);
		return;
	}
	print_members(out, n, indent, ONE_LINE, end);
	if (out->len <= end)
		return;
	out->len = mark;
	out->s[mark] = 0;
	print_members(out, n, indent, BROKEN, SIZE_MAX);
}

static void print_value(struct str *out, const cJSON *n, int indent, enum layout how, size_t most)
{
	switch (json_type(cwrap(n))) {
	case JSON_ABSENT:
	case JSON_NULL:
		str_add(out, "null");
		return;
	case JSON_BOOL:
		str_add(out, cJSON_IsTrue(n) ? "true" : "false");
		return;
	case JSON_NUMBER:
		print_number(out, n->valuedouble);
		return;
	case JSON_STRING:
		json_quote(out, n->valuestring);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		print_container(out, n, indent, how, most);
		return;
	}
}

void json_print(struct str *out, const struct json *v)
{
	print_value(out, node(v), 0, PLAIN, SIZE_MAX);
}

void json_brief(struct str *out, const struct json *v)
{
	double x = json_number(v);

	if (json_string(v))
		str_add(out, json_string(v));
	else if (!isnan(x) && x != floor(x))
		str_addf(out, "%.3g", x);
	else
		json_print(out, v);
}

void json_pretty(struct str *out, const struct json *v)
{
	print_value(out, node(v), 0, BROKEN, SIZE_MAX);
}

/* ---- reading a document --------------------------------------------------------------------------------- */

int json_bad(const struct json_in *in, const struct json *v, const char *fmt, ...)
{
	char path[160], where[400];
	va_list ap;

	if (!in || !in->diag)
		return -1;
	json_path(in->root, v, path, sizeof path);
	if (in->at)
		snprintf(where, sizeof where, "%s%s%s", in->at, path[0] && path[0] != '[' ? "." : "", path);
	else
		snprintf(where, sizeof where, "%s", path);
	va_start(ap, fmt);
	diag_vadd(in->diag, DIAG_ERROR, where, fmt, ap);
	va_end(ap);
	return -1;
}

int json_unknown(const struct json_in *in, const struct json *object, const char *const *known, int n)
{
	int bad = 0;

	JSON_EACH(v, object) {
		const char *near;
		int i = 0;

		while (i < n && strcmp(json_key(v), known[i]))
			i++;
		if (i < n)
			continue;
		near = str_nearest(json_key(v), known, n);
		if (near)
			json_bad(in, v, "unknown key (did you mean \"%s\"?)", near);
		else
			json_bad(in, v, "unknown key");
		bad++;
	}
	return bad;
}
