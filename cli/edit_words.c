/* cli/edit_words.c - see edit_words.h. */
#include "cli/edit_words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/opt.h"
#include "base/str.h"
#include "mutate/mutate.h"

static bool is_json(const char *text)
{
	return text[0] && strchr("{[\"", text[0]);
}

/* A number, list or truth value if it is one, else a text. */
static struct json *scalar(const char *text, size_t n)
{
	struct json *v;
	char one[400];

	snprintf(one, sizeof one, "%.*s", (int)n, text);
	return json_parse(&v, one, strlen(one), "", NULL) == 0 ? v : json_str(one);
}

/* Length up to the next comma outside of brackets. */
static size_t piece(const char *s)
{
	int depth = 0;
	size_t n = 0;

	for (; s[n] && (s[n] != ',' || depth > 0); n++)
		depth += s[n] == '[' ? 1 : s[n] == ']' ? -1 : 0;
	return n;
}

static int unnamed(const char *what, bool layer, const char *text, size_t n, struct err *e)
{
	const char *near = layer || layer_find(what) >= 0 ? NULL : layer_suggest(what);

	if (near)
		return ERR(e, ERR_USAGE, what, "is no kind of layer (did you mean \"%s\"?)", near);
	return ERR(e, ERR_USAGE, what, "\"%.*s\" needs a name: write option=value", (int)n, text);
}

/* "16,3" or "filters=16,stride=2" into the options of a layer; opts NULL: names only. */
static int put_options(struct json *out, const struct opt *opts, const char *what, const char *text, struct err *e)
{
	for (size_t n; *text; text += n + (text[n] == ',')) {
		const char *eq;
		char key[80];

		n = piece(text);
		eq = memchr(text, '=', n);
		if (eq) {
			snprintf(key, sizeof key, "%.*s", (int)(eq - text), text);
			json_put(out, key, scalar(eq + 1, n - (size_t)(eq + 1 - text)));
		} else if (opts && opts->name) {
			json_put(out, opts->name, scalar(text, n));
		} else {
			return unnamed(what, opts != NULL, text, n, e);
		}
		if (opts && opts->name)
			opts++;
	}
	return 0;
}

/* "relu", "conv2d:16,3". */
static struct json *one_layer(const char *word, size_t n, struct err *e)
{
	char name[80], args[400];
	const char *colon = memchr(word, ':', n);
	struct json *v, *options;
	int kind;

	if (!colon)
		return scalar(word, n);
	snprintf(name, sizeof name, "%.*s", (int)(colon - word), word);
	snprintf(args, sizeof args, "%.*s", (int)(word + n - colon - 1), colon + 1);
	kind = layer_find(name);
	v = json_object();
	options = json_put(v, name, json_object());
	if (put_options(options, kind < 0 ? NULL : layer_classes[kind]->opts, name, args, e) == 0)
		return v;
	json_free(v);
	return NULL;
}

/* New layers from JSON or words; caller frees; NULL with e. */
static struct json *new_layers(const char *text, struct err *e)
{
	struct json *v = NULL, *list;

	if (is_json(text)) {
		if (json_parse(&v, text, strlen(text), "the new layers", e) < 0)
			return NULL;
		return v;
	}
	list = json_array();
	for (size_t n; *(text += strspn(text, " ")); text += n) {
		n = strcspn(text, " ");
		v = one_layer(text, n, e);
		if (!v)
			break;
		json_push(list, v);
	}
	if (!json_count(list) || !v) {
		json_free(list);
		ERR(e, ERR_USAGE, NULL, "no new layers are named");
		return NULL;
	}
	if (json_count(list) > 1)
		return list;
	v = json_copy(json_first(list));
	json_free(list);
	return v;
}

/* ---- one flag ------------------------------------------------------------------------------------------- */

static const struct opt *own_option(const struct edit_words *w, const char *flag, const char *value)
{
	const struct opt *o = w->op ? opt_find(w->op->opts, flag) : NULL;
	size_t key = value ? strcspn(value, "=") : 0;

	if (!o || json_get(w->last, flag))
		return NULL;
	/* "--arguments residual_1 --set filters=16" against "--set dropout_1.rate=0.3" */
	return mutation_find(flag) && value && (value[key] != '=' || memchr(value, '.', key)) ? NULL : o;
}

static int put_option(struct edit_words *w, const struct opt *o, const char *value, struct err *e)
{
	struct json *v;

	if (o->type == OPT_T_STR) {
		v = json_str(value);
	} else if (o->type != OPT_T_JSON || !strchr(value, '=') || is_json(value) || strcmp(o->name, "with") == 0) {
		v = strcmp(o->name, "with") == 0 ? new_layers(value, e) : scalar(value, strlen(value));
	} else {
		v = json_object();
		if (put_options(v, NULL, o->name, value, e) < 0) {
			json_free(v);
			return -1;
		}
	}
	if (!v)
		return -1;
	json_put(w->last, o->name, v);
	return 1;
}

static int begin(struct edit_words *w, const struct mutation *op, struct json *value)
{
	if (!value)
		return -1;
	if (!w->list)
		w->list = json_array();
	w->last = json_push(w->list, json_object());
	w->op = op;
	json_put(w->last, op->name, value);
	return 1;
}

/* "dropout_1.rate=0.3,other=1" */
static int begin_set(struct edit_words *w, const struct mutation *op, const char *value, struct err *e)
{
	const char *eq = strchr(value, '='), *dot = eq ? eq : value + strlen(value);
	struct json *options;
	char id[256];

	while (dot > value && *dot != '.')
		dot--;
	if (!eq || dot == value)
		return begin(w, op, json_str(value));
	snprintf(id, sizeof id, "%.*s", (int)(dot - value), value);
	begin(w, op, json_str(id));
	options = json_put(w->last, "options", json_object());
	return put_options(options, NULL, "--set", dot + 1, e) < 0 ? -1 : 1;
}

int edit_word(struct edit_words *w, const char *flag, const char *value, struct err *e)
{
	const struct opt *o = own_option(w, flag, value);
	const struct mutation *op = o ? NULL : mutation_find(flag);

	if (!o && !op)
		return 0;
	if (!value || (value[0] == '-' && (value[1] == '-' || isalpha((unsigned char)value[1]))))
		return ERR(e, ERR_USAGE, flag, "needs a value: %s", o ? o->help : op->help);
	if (o)
		return put_option(w, o, value, e);
	if (op->entry)
		return begin(w, op, new_layers(value, e));
	if (strcmp(op->name, "set") == 0)
		return begin_set(w, op, value, e);
	return begin(w, op, json_str(value));
}

void edit_words_add(struct edit_words *w, const struct json *edits)
{
	if (!w->list)
		w->list = json_array();
	w->last = NULL;
	w->op = NULL;
	if (json_type(edits) != JSON_ARRAY)
		json_push(w->list, json_copy(edits));
	else
		JSON_EACH(v, edits)
			json_push(w->list, json_copy(v));
}

void edit_words_release(struct edit_words *w)
{
	json_free(w->list);
	*w = (struct edit_words){ 0 };
}
