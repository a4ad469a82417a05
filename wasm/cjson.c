/* wasm/cjson.c - the part of cJSON that base/json.c uses, for the page's editor: Debian has cJSON for the host alone.
 *
 * It implements cJSON's own header, so the compiler holds it to cJSON's signatures; what it accepts, refuses and calls
 * the place of a mistake is cJSON 1.7's, which the tests of the page compare with the host's. Memory is base/mem.h's.
 */
#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct reader {
	const unsigned char *s;
	size_t at, length;
	int depth;
};

/* ---- the tree ------------------------------------------------------------------------------------------- */

void cJSON_InitHooks(cJSON_Hooks *hooks)
{
	(void)hooks; /* memory is the project's in any case */
}

static cJSON *item_new(int type)
{
	cJSON *item = mem_new(sizeof *item);

	item->type = type;
	return item;
}

void cJSON_Delete(cJSON *item)
{
	while (item) {
		cJSON *next = item->next;

		cJSON_Delete(item->child);
		mem_free(item->valuestring);
		mem_free(item->string);
		mem_free(item);
		item = next;
	}
}

cJSON *cJSON_CreateNull(void)
{
	return item_new(cJSON_NULL);
}

cJSON *cJSON_CreateBool(cJSON_bool boolean)
{
	return item_new(boolean ? cJSON_True : cJSON_False);
}

cJSON *cJSON_CreateNumber(double num)
{
	cJSON *item = item_new(cJSON_Number);

	item->valuedouble = num;
	return item;
}

cJSON *cJSON_CreateString(const char *string)
{
	cJSON *item = item_new(cJSON_String);

	item->valuestring = mem_strdup(string);
	return item;
}

cJSON *cJSON_CreateArray(void)
{
	return item_new(cJSON_Array);
}

cJSON *cJSON_CreateObject(void)
{
	return item_new(cJSON_Object);
}

cJSON *cJSON_Duplicate(const cJSON *item, cJSON_bool recurse)
{
	cJSON *copy;

	if (!item)
		return NULL;
	copy = item_new(item->type);
	copy->valuedouble = item->valuedouble;
	copy->valuestring = item->valuestring ? mem_strdup(item->valuestring) : NULL;
	copy->string = item->string ? mem_strdup(item->string) : NULL;
	for (const cJSON *c = recurse ? item->child : NULL; c; c = c->next)
		cJSON_AddItemToArray(copy, cJSON_Duplicate(c, 1));
	return copy;
}

/* Children are a list whose first one's `prev` is the last one. */
cJSON_bool cJSON_AddItemToArray(cJSON *array, cJSON *item)
{
	cJSON *first = array->child;

	if (first) {
		first->prev->next = item;
		item->prev = first->prev;
		first->prev = item;
	} else {
		array->child = item;
		item->prev = item;
	}
	item->next = NULL;
	return 1;
}

static void name_item(cJSON *item, const char *name)
{
	char *copy = mem_strdup(name);

	mem_free(item->string);
	item->string = copy;
}

cJSON_bool cJSON_AddItemToObject(cJSON *object, const char *string, cJSON *item)
{
	name_item(item, string);
	return cJSON_AddItemToArray(object, item);
}

int cJSON_GetArraySize(const cJSON *array)
{
	int n = 0;

	for (const cJSON *c = array->child; c; c = c->next)
		n++;
	return n;
}

cJSON *cJSON_GetArrayItem(const cJSON *array, int index)
{
	cJSON *c = array->child;

	while (c && index-- > 0)
		c = c->next;
	return c;
}

cJSON *cJSON_GetObjectItemCaseSensitive(const cJSON *const object, const char *const string)
{
	cJSON *c = object ? object->child : NULL;

	while (c && (!c->string || strcmp(c->string, string)))
		c = c->next;
	return c;
}

static void replace(cJSON *parent, cJSON *old, cJSON *item)
{
	cJSON *last = parent->child->prev;

	item->next = old->next;
	item->prev = old->prev;
	if (old->next)
		old->next->prev = item;
	if (parent->child == old) {
		parent->child = item;
		item->prev = last == old ? item : last;
	} else {
		old->prev->next = item;
		if (last == old)
			parent->child->prev = item;
	}
	old->next = NULL;
	cJSON_Delete(old);
}

cJSON_bool cJSON_ReplaceItemInArray(cJSON *array, int which, cJSON *newitem)
{
	replace(array, cJSON_GetArrayItem(array, which), newitem);
	return 1;
}

cJSON_bool cJSON_ReplaceItemInObjectCaseSensitive(cJSON *object, const char *string, cJSON *newitem)
{
	name_item(newitem, string);
	replace(object, cJSON_GetObjectItemCaseSensitive(object, string), newitem);
	return 1;
}

void cJSON_DeleteItemFromObjectCaseSensitive(cJSON *object, const char *string)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(object, string);

	if (!item)
		return;
	if (item->next)
		item->next->prev = item->prev;
	else
		object->child->prev = item->prev;
	if (object->child == item)
		object->child = item->next;
	else
		item->prev->next = item->next;
	item->next = NULL;
	cJSON_Delete(item);
}

static bool is(const cJSON *item, int type)
{
	return item && (item->type & 0xff) == type;
}

cJSON_bool cJSON_IsTrue(const cJSON *const item)
{
	return is(item, cJSON_True);
}

cJSON_bool cJSON_IsNumber(const cJSON *const item)
{
	return is(item, cJSON_Number);
}

cJSON_bool cJSON_IsArray(const cJSON *const item)
{
	return is(item, cJSON_Array);
}

cJSON_bool cJSON_IsObject(const cJSON *const item)
{
	return is(item, cJSON_Object);
}

static bool same_members(const cJSON *a, const cJSON *b)
{
	for (const cJSON *c = a->child; c; c = c->next)
		if (!cJSON_Compare(c, cJSON_GetObjectItemCaseSensitive(b, c->string), 1))
			return false;
	return true;
}

cJSON_bool cJSON_Compare(const cJSON *const a, const cJSON *const b, const cJSON_bool case_sensitive)
{
	const cJSON *x, *y;

	(void)case_sensitive; /* always, here */
	if (!a || !b || (a->type & 0xff) != (b->type & 0xff))
		return 0;
	switch (a->type & 0xff) {
	case cJSON_Number:
		return fabs(a->valuedouble - b->valuedouble) <=
		       fmax(fabs(a->valuedouble), fabs(b->valuedouble)) * DBL_EPSILON;
	case cJSON_String:
		return strcmp(a->valuestring, b->valuestring) == 0;
	case cJSON_Array:
		for (x = a->child, y = b->child; x && y; x = x->next, y = y->next)
			if (!cJSON_Compare(x, y, 1))
				return 0;
		return !x && !y;
	case cJSON_Object:
		return same_members(a, b) && same_members(b, a);
	}
	return 1;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static bool parse_value(cJSON *item, struct reader *r);

static bool here(const struct reader *r, char c)
{
	return r->at < r->length && r->s[r->at] == (unsigned char)c;
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->length && r->s[r->at] <= 32)
		r->at++;
	if (r->at == r->length)
		r->at--;
}

/* Four hexadecimal digits; -1 if they are none. */
static long hex4(const unsigned char *s)
{
	long v = 0;

	for (int i = 0; i < 4; i++) {
		int d = s[i] >= '0' && s[i] <= '9'   ? s[i] - '0'
			: s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10
			: s[i] >= 'A' && s[i] <= 'F' ? s[i] - 'A' + 10
						     : -1;

		if (d < 0)
			return -1;
		v = 16 * v + d;
	}
	return v;
}

static char *put_utf8(char *out, long c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* "\u...." at s, perhaps a surrogate pair. Returns the bytes read, 0 if it is wrong. */
static size_t unicode(const unsigned char *s, const unsigned char *end, char **out)
{
	long c, low;

	if (end - s < 6)
		return 0;
	c = hex4(s + 2);
	if (c < 0 || (c >= 0xdc00 && c <= 0xdfff))
		return 0;
	if (c < 0xd800 || c > 0xdbff) {
		*out = put_utf8(*out, c);
		return 6;
	}
	if (end - s < 12 || s[6] != '\\' || s[7] != 'u')
		return 0;
	low = hex4(s + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*out = put_utf8(*out, 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff)));
	return 12;
}

static size_t escape(const unsigned char *s, const unsigned char *end, char **out)
{
	static const char letters[] = "bfnrt\"\\/", values[] = "\b\f\n\r\t\"\\/";
	const char *known = strchr(letters, s[1]);

	if (s[1] == 'u')
		return unicode(s, end, out);
	if (!s[1] || !known)
		return 0;
	*(*out)++ = values[known - letters];
	return 2;
}

/* The text that begins at the reader's quote; NULL if there is none, with the reader at the mistake. */
static char *parse_text(struct reader *r)
{
	const unsigned char *in = r->s + r->at + 1, *end = in;
	char *text = NULL, *out;

	if (!here(r, '"'))
		goto bad;
	while (end < r->s + r->length && *end != '"')
		end += *end == '\\' ? 2 : 1;
	if (end >= r->s + r->length)
		goto bad;
	text = out = mem_new((size_t)(end - in) + 1); /* an escape is never shorter than what it means */
	while (in < end) {
		size_t n;

		if (*in != '\\') {
			*out++ = (char)*in++;
			continue;
		}
		n = escape(in, end, &out);
		if (!n)
			goto bad;
		in += n;
	}
	r->at = (size_t)(end - r->s) + 1;
	return text;
bad:
	mem_free(text);
	r->at = (size_t)(in - r->s);
	return NULL;
}

static bool parse_number(cJSON *item, struct reader *r)
{
	char text[64], *end;
	size_t n = 0;

	while (n < sizeof text - 1 && r->at + n < r->length && r->s[r->at + n] &&
	       strchr("0123456789+-eE.", r->s[r->at + n])) {
		text[n] = (char)r->s[r->at + n];
		n++;
	}
	text[n] = 0;
	item->valuedouble = strtod(text, &end);
	item->type = cJSON_Number;
	r->at += (size_t)(end - text);
	return end != text;
}

static bool parse_member(cJSON *parent, struct reader *r, bool object)
{
	cJSON *item = item_new(cJSON_NULL);

	cJSON_AddItemToArray(parent, item);
	r->at++; /* the bracket or the comma */
	skip_blanks(r);
	if (object) {
		item->string = parse_text(r);
		if (!item->string)
			return false;
		skip_blanks(r);
		if (!here(r, ':'))
			return false;
		r->at++;
		skip_blanks(r);
	}
	if (!parse_value(item, r))
		return false;
	skip_blanks(r);
	return true;
}

static bool parse_members(cJSON *item, struct reader *r, char close)
{
	if (r->depth >= CJSON_NESTING_LIMIT)
		return false;
	r->depth++;
	item->type = close == '}' ? cJSON_Object : cJSON_Array;
	r->at++;
	skip_blanks(r);
	if (!here(r, close)) {
		r->at--;
		do {
			if (!parse_member(item, r, close == '}'))
				return false;
		} while (here(r, ','));
		if (!here(r, close))
			return false;
	}
	r->depth--;
	r->at++;
	return true;
}

static bool parse_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if (r->length - r->at < n || memcmp(r->s + r->at, word, n))
		return false;
	r->at += n;
	return true;
}

static bool parse_value(cJSON *item, struct reader *r)
{
	unsigned char c = r->at < r->length ? r->s[r->at] : 0;

	if (parse_word(r, "null"))
		return true;
	if (parse_word(r, "false")) {
		item->type = cJSON_False;
		return true;
	}
	if (parse_word(r, "true")) {
		item->type = cJSON_True;
		return true;
	}
	if (c == '"') {
		item->type = cJSON_String;
		item->valuestring = parse_text(r);
		return item->valuestring != NULL;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return parse_number(item, r);
	if (c == '[' || c == '{')
		return parse_members(item, r, c == '[' ? ']' : '}');
	return false;
}

cJSON *cJSON_ParseWithLengthOpts(const char *value, size_t buffer_length, const char **return_parse_end,
				 cJSON_bool require_null_terminated)
{
	struct reader r = { (const unsigned char *)value, 0, buffer_length, 0 };
	cJSON *item = item_new(cJSON_NULL);
	bool good;

	if (buffer_length > 4 && memcmp(value, "\xef\xbb\xbf", 3) == 0)
		r.at = 3;
	skip_blanks(&r);
	good = parse_value(item, &r);
	if (good && require_null_terminated) {
		skip_blanks(&r);
		good = r.at < r.length && r.s[r.at] == 0;
	}
	if (!good) {
		cJSON_Delete(item);
		item = NULL;
	}
	*return_parse_end = value + (r.at < r.length ? r.at : r.length - 1);
	return item;
}
