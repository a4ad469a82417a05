/* space/internal.h - what the files of space/ share: the read space and the draft of one model. */
#ifndef NAB_SPACE_INTERNAL_H
#define NAB_SPACE_INTERNAL_H

#include "arch/model.h"
#include "base/opt.h"
#include "space/draw.h"
#include "space/space.h"

struct json;
struct json_in;
struct rng;

/* ---- layers: a list of entries, compiled where they are plain ---- */

/* An option left open: one of several ready values, a range, or the number of classes. */
struct slot {
	const struct opt *opt;
	size_t size;           /* bytes of the field */
	int n;                 /* ready values; 0: a range or $classes */
	const char *values;    /* [n][size] */
	const double *weights; /* [n], or NULL: all alike */
	struct draw_range range;
	bool classes;
};

struct alt { /* one plain layer */
	enum layer_kind kind;
	const void *cfg; /* fixed options; copied, then the slots are filled in */
	const struct slot *slots;
	int n_slots;
};

struct place { /* one of several plain layers */
	const struct alt *alts;
	const double *weights; /* or NULL */
	int n;
	bool drawn; /* written as {"any": ...}: costs a random number even if n is 1 */
};

enum { PLACES_MAX = 8, CFG_MAX = 1024 };

struct layers {
	const struct json *entries; /* list, part of space->doc */
	const struct place *places; /* compiled, or NULL: read entry by entry */
	int n;
};

/* Compiles a list if all its entries are plain layers with plain options: l->places stays NULL otherwise. */
void layers_compile(struct layers *l, const struct block_set *blocks, struct arena *a);
/* Draws a place: kind and options, into cfg[CFG_MAX]. */
enum layer_kind place_draw(const struct place *p, int classes, void *cfg, struct rng *rng);

/* Mistakes that can be seen without shapes: unknown kinds, options, blocks and arguments; values out of bounds. */
int layers_check(const struct json *entries, const struct block_set *blocks, const struct json *with,
		 const struct json_in *in);

/* ---- the space ---- */

enum misfit { MISFIT_REDRAW, MISFIT_END, MISFIT_REJECT };

struct chain {
	const double *start;       /* [n_states + 1], the last is "end"; NULL in a chain that is only switched to */
	const double *const *rows; /* [n_states], each [n_states + 1] or NULL: nothing may follow */
	const struct layers *defs; /* [n_states] */
	struct layers head;
	enum misfit on_misfit;
};

struct limit {
	int64_t min, max; /* INT64_MIN, INT64_MAX: none */
};

struct cell {
	int nodes, n_edges;
	const int (*edges)[2];      /* from, to; ordered by to, then from */
	const struct json *choices; /* list of entries */
	const struct json *edge;    /* the document's value: {"any": choices} or one entry */
	const char *merge;          /* "add" or "concat" */
};

struct space {
	enum space_form form;
	const char *name;
	const struct json *doc;  /* embedded: everything below points into it */
	const struct json *with; /* or NULL */
	struct block_set *blocks;
	struct layers stem, body; /* body: a template's layers or a cell space's stack */
	int n_states, n_chains;
	const char **states;
	const int *triggers; /* [n_states] chain that takes over, or 0 */
	struct chain *chains;
	struct cell cell;
	struct limit limits[LIMIT_COUNT];
	bool limited_cost; /* a limit that needs graph_cost() */
	bool strict;
	struct space_target own; /* classes 0: none */
};

/* ---- one model being drawn ---- */

struct draft {
	const struct space *s;
	const struct space_target *t;
	struct rng *rng;
	struct arena *a;
	struct space_stats *st;
	const struct block_set *blocks;
	struct block_set *own_blocks; /* with the drawn cell; or NULL */
	struct graph *g;
	struct edge last;
	struct json *vars; /* $classes and "with"; made when first needed */
	bool broken;       /* half of something was appended: only to be thrown away */
	int counted;       /* nodes that are in the sums */
	int64_t sum[LIMIT_COUNT];
	enum space_cause cause;
	struct diag *why; /* collects what did not fit, for messages; or NULL */
};

void draft_begin(struct draft *d, const struct space *s, const struct space_target *t, struct rng *rng, struct arena *a,
		 struct space_stats *st);
/* Appends layers. 1, or 0 if they do not fit: then nothing was appended. Both forms leave the draft usable. */
int draft_append(struct draft *d, const struct layers *l);
/* Appends entries whose places are all drawn. whole: they are the whole model, which is thrown away if they misfit. */
int draft_entries(struct draft *d, const struct json *entries, bool whole);
/* Updates the sums; false (with d->cause) if a maximum is exceeded. */
bool draft_within(struct draft *d);
/* Declares the output, checks everything. Returns 1 with the graph, or 0 with the cause. */
int draft_finish(struct draft *d, struct graph **out);
int draft_reject(struct draft *d, enum space_cause cause); /* returns 0 */
void draft_release(struct draft *d);

/* The k-th encoding of a cell or a template (k >= 0) or a random one (k = -1). As space_draw(). */
int cell_build(struct draft *d, int64_t k);
int64_t cell_count(const struct space *s);
/* Reads "cell". */
int cell_read(struct cell *c, const struct json *v, const struct block_set *blocks, const struct json *with,
	      struct arena *a, const struct json_in *in);

#endif
