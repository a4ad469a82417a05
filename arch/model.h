/* arch/model.h - a model as JSON (DESIGN.md section 3): reading with blocks, parameters and expressions expanded, and
 * the canonical print. What is printed reads back as the same graph, with the same ids, and prints the same text.
 */
#ifndef NAB_ARCH_MODEL_H
#define NAB_ARCH_MODEL_H

#include "arch/graph.h"

struct json_in;

/* Where "use" looks: beside the file that says it, then in these folders. */
struct block_path {
	const char *const *dirs;
	int n;
};

/* Reads a model file. Several mistakes are collected in d (e gets the first). The graph lives in `a`. */
int model_load(struct graph **out, const char *path, const struct block_path *lib, struct arena *a, struct diag *d,
	       struct err *e);

/* The same from a parsed document; `dir` is what relative "use" entries are relative to (may be NULL). The document
 * may be freed afterwards. */
int model_read(struct graph **out, const struct json *doc, const char *dir, const struct block_path *lib,
	       struct arena *a, const struct json_in *in);

/* What can be built of a document that model_read() refuses: its first entries, up to one that does not fit; there are
 * no outputs, and graph_finish() was not called. *whole: all entries fit (then it can be written and drawn). NULL if
 * not even its inputs and blocks can be read. */
struct graph *model_read_part(const struct json *doc, const struct block_path *lib, struct arena *a, bool *whole);

/* The shape of a model's input as written in "input": [1, 28, 28] or {"type":, "shape":, "open":}. */
int model_read_input(struct shape *s, const struct json *v, const struct json_in *in);
struct json *model_write_input(const struct shape *s);

/* Canonical form; caller frees. Identity (graph_digest) is the hash of its compact print
 * without "name", "note" and "sources". */
struct json *model_write(const struct graph *g);
void model_print(struct str *out, const struct graph *g); /* json_pretty of model_write, with a final newline */
struct hash128 graph_digest(const struct graph *g);

struct json *model_schema(void); /* JSON Schema, draft-07; caller frees */

/* ---- Building parts of models from JSON: for spaces, mutations, `nab edit` ----------------------------------------
 */

struct block_set; /* parameterised block definitions by name */

struct block_set *block_set_new(void);
void block_set_free(struct block_set *s); /* accepts NULL */
/* Adds the definitions of an object {"name": {"with":, "inputs":, "layers":, "out":}, ...}. A second definition of a
 * name replaces the first when `replace`, else is an error. The set keeps a copy. */
int block_set_add(struct block_set *s, const struct json *blocks, bool replace, const struct json_in *in);
/* Loads "use" files (a name or a list of names). A file is {"blocks": {...}} with optional "use" of its own. */
int block_set_use(struct block_set *s, const struct json *use, const char *dir, const struct block_path *lib,
		  const struct json_in *in);
const struct json *block_set_find(const struct block_set *s, const char *name);
/* All definitions that `layers` needs, directly or not, as an object (caller frees): what a stored model embeds. */
struct json *block_set_needed(const struct block_set *s, const struct json *layers);
int block_set_names(const struct block_set *s, const char **out, int most); /* for suggestions; returns the number */

/* Variables of expressions: "$name". A value may be any JSON value; numbers take part in arithmetic. */
struct scope {
	const struct scope *outer;
	const struct json *vars; /* object */
	const struct shape *in;  /* for $in.channels, $in.height, $in.width, $in.features, $in.steps; may be NULL */
};

/* Appends one entry of "layers" (a layer, a block use, a repeat) to the graph, reading `prev` unless it says "from".
 * *prev becomes its output. With a diag-less `in` (in->diag NULL) nothing is reported and -1 means "does not fit". */
int model_append(struct graph *g, const struct json *entry, const struct block_set *blocks, const struct scope *scope,
		 struct edge *prev, const struct json_in *in);

/* Value of a JSON value in a scope: "$filters/4" becomes a number (a new value, caller frees); other values are
 * copied with everything inside evaluated. NULL with a message in `in` if a name is unknown or a division is not
 * exact. */
struct json *scope_eval(const struct json *v, const struct scope *scope, const struct json_in *in);

#endif
