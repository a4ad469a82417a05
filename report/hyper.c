/* report/hyper.c - see hyper.h. */
#include "report/hyper.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/gather.h"

enum { MOST_KEYS = 64 };

struct key { /* a column that grows while recipes are read; texts as JSON, NULL: this recipe has none */
	const char *name;
	const char **value; /* [n_recipes] */
};

struct keys {
	struct arena *a;
	struct key key[MOST_KEYS];
	int n, n_recipes, at; /* at: the recipe that is read */
};

static struct key *key_of(struct keys *k, const char *name)
{
	int i = 0;

	while (i < k->n && strcmp(k->key[i].name, name))
		i++;
	if (i == MOST_KEYS)
		return NULL;
	if (i == k->n)
		k->key[k->n++] = (struct key){ .name = arena_strdup(k->a, name),
					       .value = ARENA_ARRAY(k->a, const char *, k->n_recipes) };
	return &k->key[i];
}

static void put_key(struct keys *k, const char *name, const struct json *v)
{
	struct key *key = key_of(k, name);
	struct str text = { 0 };

	if (!key)
		return;
	if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT) { /* shown as it is written */
		json_print(&text, v);
		key->value[k->at] = arena_strdup(k->a, str_get(&text));
		str_clear(&text);
		json_quote(&text, key->value[k->at]);
	} else {
		json_print(&text, v);
	}
	key->value[k->at] = arena_strdup(k->a, str_get(&text));
	str_release(&text);
}

/* {"optimizer": {"adamw": {"lr": 0.1}}} is optimizer = adamw and optimizer.lr = 0.1: an optimizer's rate is one axis,
 * whatever the optimizer. */
static void flatten(struct keys *k, const char *path, const struct json *object)
{
	JSON_EACH(v, object) {
		const struct json *only = json_type(v) == JSON_OBJECT && json_count(v) == 1 ? json_first(v) : NULL;
		const char *name = arena_printf(k->a, "%s%s%s", path, *path ? "." : "", json_key(v));

		if (only && json_type(only) == JSON_OBJECT) {
			struct json *choice = json_str(json_key(only));

			put_key(k, name, choice);
			json_free(choice);
			flatten(k, name, only);
		} else if (json_type(v) == JSON_OBJECT) {
			flatten(k, name, v);
		} else {
			put_key(k, name, v);
		}
	}
}

/* Two recipes say something else; one that does not have it (the momentum of adamw) says nothing. */
static bool varies(const struct key *key, int n)
{
	const char *first = NULL;

	for (int j = 0; j < n; j++) {
		if (key->value[j] && first && strcmp(key->value[j], first) != 0)
			return true;
		first = first ? first : key->value[j];
	}
	return false;
}

struct recipe_row {
	const char *text;
	int row;
};

static int by_text(const void *a, const void *b)
{
	const struct recipe_row *x = a, *y = b;
	int c = strcmp(x->text, y->text);

	return c ? c : x->row - y->row;
}

/* Every recipe that occurs is read once; at[row] is its number. */
static void read_recipes(struct keys *k, const struct report *r, int *at)
{
	struct recipe_row *list = mem_new((size_t)(r->n_rows + 1) * sizeof *list);

	for (int i = 0; i < r->n_rows; i++)
		list[i] = (struct recipe_row){ r->rows[i].candidate->recipe ? r->rows[i].candidate->recipe : "", i };
	qsort(list, (size_t)r->n_rows, sizeof *list, by_text);
	for (int i = 0; i < r->n_rows; i++)
		k->n_recipes += !i || strcmp(list[i].text, list[i - 1].text) != 0;
	k->at = -1;
	for (int i = 0; i < r->n_rows; i++) {
		struct json *v = NULL;

		at[list[i].row] = i && strcmp(list[i].text, list[i - 1].text) == 0 ? k->at : ++k->at;
		if (i && at[list[i].row] == at[list[i - 1].row])
			continue;
		if (json_parse(&v, list[i].text, strlen(list[i].text), "recipe", NULL) == 0)
			flatten(k, "", v);
		json_free(v);
	}
	mem_free(list);
}

int hyper_gather(struct hyper **out, const struct report *r, struct arena *a)
{
	struct keys k = { .a = a };
	int *at = ARENA_ARRAY(a, int, r->n_rows + 1), n = 0;

	*out = ARENA_ARRAY(a, struct hyper, MOST_KEYS);
	read_recipes(&k, r, at);
	for (int i = 0; i < k.n; i++) {
		struct hyper *h = &(*out)[n];

		if (!varies(&k.key[i], k.n_recipes))
			continue;
		*h = (struct hyper){ k.key[i].name, ARENA_ARRAY(a, const char *, r->n_rows + 1) };
		for (int j = 0; j < r->n_rows; j++)
			h->value[j] = k.key[i].value[at[j]];
		n++;
	}
	return n;
}
