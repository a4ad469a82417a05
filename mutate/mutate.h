/* mutate/mutate.h - edits of a model: one registry of operators serves `nab edit`, `nab ablate`, `nab vary` and the
 * search strategies that mutate.
 *
 * An edit is JSON in the manner of a model's layers: one key names the operator, its value is the layer or block
 * instance it acts on (a flat id), sibling keys are the operator's options:
 *
 *	{"remove": "conv2d_2"}                          a layer, or a whole block instance
 *	{"insert": {"conv2d": {"filters": 16, ...}}, "after": "relu_1"}     an entry as in a model's "layers"; or
 *"before"
 *	{"prepend": "relu_1", "with": "batchnorm"}      on its first input; REMAP's "add"
 *	{"replace": "residual_2", "with": "maxpool2d"}
 *	{"reparameterize": "conv2d_1", "option": "kernel", "value": 5}
 *	{"swap": "relu_1", "with": "maxpool2d_1"}       x -> relu_1 -> maxpool2d_1 becomes x -> maxpool2d_1 -> relu_1
 *	{"widen": "conv2d_1", "to": 32}
 *	{"set": "dropout_1", "options": {"rate": 0.3}}
 *	{"skip": "relu_1", "to": "batchnorm_4", "merge": "add"}
 *
 * An operator has two halves: draw() makes such an edit at random (every number in it then stands there), apply()
 * carries one out on a draft (mutate/draft.h). So whatever was drawn is recorded, repeated and edited by hand in the
 * same form, and applying it again to the same model gives the same model with the same ids.
 *
 * After the edits the draft is built: shapes are recomputed forward from the inputs and what no longer fits is repaired
 * (channels, groups, strides, windows, merges, flattening, the classifier). Every repair is recorded. What cannot be
 * repaired is refused with a reason; the model it was made from is never touched.
 *
 * Ids are kept: a layer that survives has its old flat id (and so its parent's initial weights); a new layer gets an
 * id that the parent does not use. A block instance whose inside was edited stays an instance of its block's name,
 * without arguments: it prints as a definition of its own.
 *
 * Sources: REMAP's variation and ablation (Cashman et al. 2019, without the defects listed for its code), Net2Net
 *(Chen, Goodfellow, Shlens 2016), network morphism (Wei et al. 2016), Elsken, Metzen, Hutter 2017.
 */
#ifndef NAB_MUTATE_MUTATE_H
#define NAB_MUTATE_MUTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/model.h"
#include "base/err.h"

struct arena;
struct draft;
struct json;
struct json_in;
struct opt;
struct rng;
struct space;
struct weights;

/* What an edit acts on: a layer or a block instance of the graph it is applied to. The other index is -1. */
struct place {
	int node, group;
};

/* What edits may draw on. Everything is borrowed; all may be NULL. */
struct mutate_env {
	const struct space *space;      /* new layers are drawn from its chain, conditioned on their neighbours */
	const struct block_set *blocks; /* definitions that inserted entries may use, beside the model's own */
	const struct weights *weights;  /* of the model: narrowing keeps the filters of the largest magnitude */
};

enum { MUTATE_LAYER = 1, MUTATE_BLOCK = 2 }; /* what an operator may act on */

/* A row of the registry: mutate/op_<name>.c, MUTATION(name) in mutate/ops.def. */
struct mutation {
	const char *name;       /* the key of its edits: "remove" */
	const char *help;       /* one line */
	unsigned at;            /* MUTATE_LAYER | MUTATE_BLOCK */
	bool entry;             /* what stands under its key is a new entry of "layers", not the id of a place */
	bool morph;             /* keeps the function when weights are inherited, where it says so (mutate/carry.h) */
	const struct opt *opts; /* the sibling keys */
	size_t cfg_size;

	/* Makes an edit at this place at random: a new object, caller frees; NULL if it has no sense there
	 * ("reparameterize a flatten"). NULL: the operator is never drawn. */
	struct json *(*draw)(const struct graph *g, struct place at, const struct mutate_env *env, struct rng *rng);

	/* Carries it out. 1: done; 0: refused, draft_refuse() has said why (the caller drops the draft); -1: the edit
	 * is wrong (e). cfg is the op's struct, filled from the sibling keys; value is what stands under the operator's
	 * key, at is the place that it names (both indices -1 when it names none, as insert's does). */
	int (*apply)(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e);
};

#define MUTATION(name) extern const struct mutation mutation_##name;
#include "mutate/ops.def"
#undef MUTATION
extern const struct mutation *const mutations[];        /* NULL-terminated, in the order of ops.def */
const struct mutation *mutation_find(const char *name); /* or NULL */

/* What was done. Lives in the arena given. */
struct mutate_log {
	struct json
	    *edits; /* list of the edits, canonical: applying them again gives the same model. In the arena's care */
	const char *words;    /* "removed residual_2; widened conv2d_1 from 16 to 32 channels" */
	const char **repairs; /* "dense_1: 784 -> 196 features"; what repairing did, a line each */
	int n_repairs;
	const char *refusal; /* why it was refused, or NULL */
};

/* Applies one edit or a list of edits, in order, and builds the result in `a`. 1: *out is a finished, valid graph whose
 * hash differs from g's or whose edits are neutral on purpose; 0: refused, log->refusal says which edit and why; -1:
 * the edits are wrong (unknown operator, id or option: all in one go, in `in`, with suggestions). */
int mutate_apply(struct graph **out, const struct graph *g, const struct json *edits, const struct mutate_env *env,
		 struct mutate_log *log, struct arena *a, const struct json_in *in);

/* The "change" document of a stored candidate: {"edits": [...], "words": "...", "repairs": [...]}; caller frees. */
struct json *mutate_change(const struct mutate_log *log);

/* An edit of this operator at this place, drawn; NULL if it has no sense there. Caller frees. */
struct json *mutate_draw(const struct mutation *m, const struct graph *g, struct place at, const struct mutate_env *env,
			 struct rng *rng);

/* The place with this flat id; false if there is none. A layer's id wins (ids are unique over both). */
bool mutate_place(struct place *out, const struct graph *g, const char *id);
const char *mutate_place_id(const struct graph *g, struct place at);

/* Whether a layer may never be removed or replaced: it makes an output's logits (the classifier), or g would be empty
 * without it. why (may be NULL) gets a static text. */
bool mutate_is_fixed(const struct graph *g, int node, const char **why);

/* JSON Schema (draft-07) of a list of edits; caller frees. Help text, an operator with its options a paragraph. */
struct json *mutate_schema(void);
void mutate_help(struct str *out);

#endif
