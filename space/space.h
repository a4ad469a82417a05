/* space/space.h - search spaces: sets of architectures with a way to draw from them.
 *
 * Three forms, told apart by their keys:
 *   Markov    "states", "start", "transitions" (optionally "after"): a chain draws a state, the state's layers are
 * drawn and appended, until the chain draws "end"; "stem" stands before, "head" behind. cell      "cell" (nodes, edges,
 * a choice per edge) and "stack", the macro-structure with "cell" as a block. template  "layers": a model with open
 * places. Anywhere in layers and their arguments, values may be left open (space/draw.h). "with": {"width": {"any": [8,
 * 16]}} draws once for the whole model; "$width" stands for it then, as "$classes" does for the data set's classes.
 *
 * Markov grammar beyond DESIGN.md's illustration:
 *   states:      name -> a layer, a block use, or a list of them, with open places and reserved keys ("repeat": ...)
 *   transitions: name -> {name: weight, ..., "end": weight}
 *   after:       {"dense": {"start"?, "transitions", "states"?, "head"?, "on_misfit"?}}: as soon as a state of that
 * name has been appended, this second chain replaces the first for the rest of the model. Its "states" replace
 *                definitions of the same names (a dense after a dense needs no flatten)
 *   on_misfit:   what happens when drawn layers do not fit what is there: "redraw" (state and options, from the same
 *                place of the chain), "end" (the model ends here), "reject" (another model)
 *   on_limit:    "reject": a model beyond a limit is thrown away and another one is drawn
 *   fit:         "any", or "strict": a window must be smaller than its input (REMAP's width - kernel > 0)
 *   limits:      {"params" | "macs" | "activations" | "train_bytes" | "states" | "layers" | "depth": {"min", "max"}},
 *                hard and exact. "states" counts draws of the chain (stem and head apart), the rest is as in struct
 * cost input, classes: what to sample for when no data set says it
 *
 * Files: space_load() once, space_sample() any number of times; a space is read-only after loading and lives in its
 * arena. Sampling is a function of the space, the target and the random numbers alone.
 */
#ifndef NAB_SPACE_SPACE_H
#define NAB_SPACE_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/graph.h"
#include "arch/shape.h"
#include "base/err.h"

struct arena;
struct block_path;
struct block_set;
struct diag;
struct json;
struct json_in;
struct rng;
struct space;

enum { SPACE_STATES_MAX = 64, SPACE_END = -1, SPACE_START = -2 };

enum space_form { SPACE_MARKOV, SPACE_CELL, SPACE_TEMPLATE };

enum space_limit {
	LIMIT_PARAMS,
	LIMIT_MACS,
	LIMIT_ACTIVATIONS,
	LIMIT_TRAIN_BYTES,
	LIMIT_STATES,
	LIMIT_LAYERS,
	LIMIT_DEPTH,
	LIMIT_COUNT
};
extern const char *const space_limit_names[]; /* "params", ..., NULL-terminated */

/* Why a model was thrown away. */
enum space_cause {
	CAUSE_MISFIT = 2 * LIMIT_COUNT, /* layers did not fit and on_misfit is "reject", or nothing more fitted */
	CAUSE_HEAD,                     /* stem or head (or a layer of a template or stack) did not fit */
	CAUSE_SIZE,                     /* more layers than a graph may have, or sizes that overflow */
	CAUSE_DUPLICATE,                /* known already (counted by the search) */
	CAUSE_COUNT
	/* 2 * limit: below its minimum; 2 * limit + 1: above its maximum */
};
const char *space_cause_name(enum space_cause c); /* "params.max", "misfit", ... */

/* Exact accounting: models = accepted, drawn = accepted + all rejected. Zero it, then hand it to every call. */
struct space_stats {
	int64_t drawn, accepted;
	int64_t rejected[CAUSE_COUNT];
	int64_t steps;                     /* states appended, also in rejected models */
	int64_t misfits[SPACE_STATES_MAX]; /* draws of a state that did not fit */
};
/* {"drawn":, "accepted":, "rejected": {cause: n}, "misfits": {state: n}}; caller frees. */
struct json *space_stats_write(const struct space_stats *st, const struct space *s);

/* What the models are for. */
struct space_target {
	struct shape input;
	enum task task;
	int classes; /* width of the logits: 1 for regression */
};

int space_load(struct space **out, const char *path, const struct block_path *lib, struct arena *a, struct diag *d,
	       struct err *e);
/* The same from a document, which may be freed afterwards; `dir` is what "use" is relative to (may be NULL). A text
 * value in place of an object is not a space: the caller loads the file. */
int space_read(struct space **out, const struct json *doc, const char *dir, const struct block_path *lib,
	       struct arena *a, const struct json_in *in);

const char *space_name(const struct space *s); /* "space" if the file gives none */
enum space_form space_form(const struct space *s);
/* The document with all needed blocks embedded and no "use": reads back as the same space. Borrowed. */
const struct json *space_json(const struct space *s);
/* The target that the space itself names. -1 if it names none. */
int space_own_target(const struct space *s, struct space_target *out);

/* Draws models until one is within all limits: a finished graph in `a` (rejected ones leave nothing there). Counts into
 * st, which may be NULL. After SPACE_ATTEMPTS rejections in a row: -1 with ERR_INFEASIBLE and what rejected them. */
enum { SPACE_ATTEMPTS = 20000 };
int space_sample(struct graph **out, const struct space *s, const struct space_target *t, struct rng *rng,
		 struct arena *a, struct space_stats *st, struct err *e);

/* Draws one model. Returns 1 with a graph, 0 with the cause if it was rejected, -1 with e if the space is broken for
 * this target. */
int space_draw(struct graph **out, const struct space *s, const struct space_target *t, struct rng *rng,
	       struct arena *a, struct space_stats *st, enum space_cause *cause, struct err *e);

/* Enumerable spaces (cells and templates with finitely many values): their number of encodings, limits apart; -1 if it
 * is not finite or the space is a Markov space. Cell spaces count the edges' choices, the first edge changing slowest:
 * edges in the order (0,1), (0,2), (1,2), (0,3), ... */
int64_t space_count(const struct space *s);
/* The k-th. Returns as space_draw() does. */
int space_nth(struct graph **out, const struct space *s, const struct space_target *t, int64_t k, struct arena *a,
	      struct space_stats *st, enum space_cause *cause, struct err *e);

/* Whether a graph made elsewhere (mutated, by hand) is within the limits that concern graphs ("states" does not):
 * 1, or 0 with the cause, or -1 with e. */
int space_accepts(const struct space *s, const struct graph *g, enum space_cause *cause, struct err *e);

/* ---- the chain, for mutation: what may follow ---- */

int space_states(const struct space *s);
const char *space_state_name(const struct space *s, int state);
int space_state(const struct space *s, const char *name); /* index, or -1 */
/* The chain in force once `state` has been appended under `chain` (0: the first one). */
int space_chain(const struct space *s, int chain, int state);
/* The state drawn after `prev` (or SPACE_START) under a chain: a state or SPACE_END. */
int space_next(const struct space *s, int chain, int prev, struct rng *rng);
/* The layers of a state, drawn: a list of entries for model_append(); caller frees. */
struct json *space_state_draw(const struct space *s, int chain, int state, struct rng *rng);
/* The definitions that those entries use, for model_append(). */
const struct block_set *space_blocks(const struct space *s);

#endif
