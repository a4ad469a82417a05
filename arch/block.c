/* arch/block.c - the set of parameterised block definitions that a model or a space may use. See model.h. */
#include <stdio.h>
#include <string.h>

#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { USE_DEPTH = 8, NAME_MAX_LENGTH = 48 }; /* ids and numbered definitions are made of a block's name */

struct block_set {
	struct json *defs; /* object: name -> definition */
	int depth;         /* of nested "use" */
};

struct block_set *block_set_new(void)
{
	struct block_set *s = mem_new(sizeof *s);

	s->defs = json_object();
	return s;
}

void block_set_free(struct block_set *s)
{
	if (!s)
		return;
	json_free(s->defs);
	mem_free(s);
}

const struct json *block_set_find(const struct block_set *s, const char *name)
{
	return s ? json_get(s->defs, name) : NULL;
}

int block_set_names(const struct block_set *s, const char **out, int most)
{
	int n = 0;

	if (!s)
		return 0;
	JSON_EACH(d, s->defs)
		if (n < most)
			out[n++] = json_key(d);
	return n;
}

/* "of" and "args" mark an explicit definition in a canonical model: whose expansion it is. */
static const char *const def_keys[] = { "with", "inputs", "layers", "out", "of", "args", "note" };

static int check_name(const struct json *at, const char *name, const struct json_in *in)
{
	if (!name || !graph_id_valid(name) || strlen(name) > NAME_MAX_LENGTH)
		return json_bad(in, at,
				"a block's name may hold letters, digits and single underscores only, %d at most",
				NAME_MAX_LENGTH);
	if (layer_find(name) >= 0)
		return json_bad(in, at, "\"%s\" is the name of a layer kind; give the block another one", name);
	return 0;
}

static int check_def(const struct json *def, const struct json_in *in)
{
	const struct json *with = json_get(def, "with"), *inputs = json_get(def, "inputs"), *layers;

	if (json_type(def) != JSON_OBJECT)
		return json_bad(in, def, "a block must be an object with \"layers\"");
	if (json_unknown(in, def, def_keys, 7))
		return -1;
	if (check_name(def, json_key(def), in) < 0 ||
	    (json_get(def, "of") && check_name(json_get(def, "of"), json_string(json_get(def, "of")), in) < 0))
		return -1;
	if (json_get(def, "args") && json_type(json_get(def, "args")) != JSON_OBJECT)
		return json_bad(in, json_get(def, "args"), "must be an object of arguments");
	if (with && json_type(with) != JSON_OBJECT)
		return json_bad(in, with, "must be an object of parameters and their defaults");
	if (inputs && (json_type(inputs) != JSON_ARRAY || json_count(inputs) < 1))
		return json_bad(in, inputs, "must be a list of input names");
	JSON_EACH(i, inputs)
		if (!json_string(i))
			return json_bad(in, i, "must be the name of an input");
	layers = json_get(def, "layers");
	if (json_type(layers) != JSON_ARRAY || json_count(layers) < 1)
		return json_bad(in, def, "a block needs \"layers\", a list of at least one layer");
	return 0;
}

int block_set_add(struct block_set *s, const struct json *blocks, bool replace, const struct json_in *in)
{
	int rc = 0;

	if (json_type(blocks) != JSON_OBJECT)
		return json_bad(in, blocks, "must be an object of block definitions, not %s",
				json_type_name(json_type(blocks)));
	JSON_EACH(def, blocks) {
		const struct json *old = json_get(s->defs, json_key(def));

		if (check_def(def, in) < 0)
			rc = -1;
		else if (old && !replace && !json_equal(old, def))
			rc = json_bad(in, def, "the block \"%s\" is defined twice, and differently", json_key(def));
		else
			json_put(s->defs, json_key(def), json_copy(def));
	}
	return rc;
}

/* The path of a "use" entry: beside the file that says it, then in the library's folders. */
static bool find_file(char *path, size_t size, const char *name, const char *dir, const struct block_path *lib)
{
	snprintf(path, size, "%s%s%s", dir && name[0] != '/' ? dir : "", dir && dir[0] && name[0] != '/' ? "/" : "",
		 name);
	if (file_exists(path))
		return true;
	for (int i = 0; lib && i < lib->n && name[0] != '/'; i++) {
		snprintf(path, size, "%s/%s", lib->dirs[i], name);
		if (file_exists(path))
			return true;
	}
	return false;
}

static const char *const file_keys[] = { "$schema", "name", "note", "use", "blocks" };

static int use_file(struct block_set *s, const struct json *entry, const char *dir, const struct block_path *lib,
		    const struct json_in *in)
{
	char path[1024], inner_dir[1024], text[512];
	struct json *doc = NULL;
	struct err e = { 0 };
	struct json_in inner;
	int rc = -1;

	if (!json_string(entry))
		return json_bad(in, entry, "must be the name of a block file");
	if (!find_file(path, sizeof path, json_string(entry), dir, lib))
		return json_bad(in, entry, "no block file \"%s\" beside this file or in the block library",
				json_string(entry));
	if (json_load(&doc, path, &e) < 0)
		return json_bad(in, entry, "%s", err_text(&e, text, sizeof text));
	inner = (struct json_in){ doc, in ? in->diag : NULL, path };
	snprintf(inner_dir, sizeof inner_dir, "%.*s", (int)(path_base(path) - path), path);
	if (inner_dir[0] && inner_dir[1])
		inner_dir[strlen(inner_dir) - 1] = 0;
	if (json_unknown(&inner, doc, file_keys, 5))
		goto out;
	if (json_get(doc, "use") && block_set_use(s, json_get(doc, "use"), inner_dir, lib, &inner) < 0)
		goto out;
	if (!json_get(doc, "blocks")) {
		json_bad(in, entry, "\"%s\" has no \"blocks\"", path);
		goto out;
	}
	rc = block_set_add(s, json_get(doc, "blocks"), false, &inner);
out:
	json_free(doc);
	return rc;
}

int block_set_use(struct block_set *s, const struct json *use, const char *dir, const struct block_path *lib,
		  const struct json_in *in)
{
	int rc = 0;

	if (s->depth >= USE_DEPTH)
		return json_bad(in, use, "\"use\" is nested more than %d files deep (do two files use each other?)",
				USE_DEPTH);
	s->depth++;
	if (json_type(use) == JSON_ARRAY) {
		JSON_EACH(v, use)
			rc |= use_file(s, v, dir, lib, in);
	} else {
		rc = use_file(s, use, dir, lib, in);
	}
	s->depth--;
	return rc < 0 ? -1 : 0;
}

/* Collects every definition whose name occurs in v as a key or as a text: arguments may name blocks, too. */
static void collect(const struct block_set *s, const struct json *v, struct json *out)
{
	const char *names[2] = { json_key(v), json_string(v) };

	for (int i = 0; i < 2; i++) {
		const struct json *def = names[i] ? block_set_find(s, names[i]) : NULL;

		if (def && !json_get(out, names[i])) {
			json_put(out, names[i], json_copy(def));
			collect(s, json_get(def, "layers"), out);
			collect(s, json_get(def, "with"), out);
		}
	}
	JSON_EACH(c, v)
		collect(s, c, out);
}

struct json *block_set_needed(const struct block_set *s, const struct json *layers)
{
	struct json *out = json_object();

	if (layers)
		collect(s, layers, out);
	return out;
}
