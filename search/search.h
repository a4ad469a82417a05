/* search/search.h - strategies behind ask and tell.
 *
 * A search is a pure function of study, seed and results: it has no clock, no files, no global state. Candidate k is
 * proposed from the results of candidates with index at most k - lag, taken in the order of their indices; results
 * that come earlier than that are kept back here, so every caller with the same lag gets the same search, however many
 * workers it has and in whatever order they finish.
 *
 * Legal order of calls:
 *	search_new
 *	search_forbid...                          baselines: never proposed again
 *	search_ask(0), search_ask(1), ...         in order, each once, each as soon as search_ready(k) holds
 *	search_tell(result)...                    in any order and at any time after the ask of that index
 *	search_free
 * To resume, a new search is taken through the same calls: ask for what was asked, tell what is stored.
 *
 * A candidate is new if graph (canonical hash), recipe, fidelity and inheritance together are new in this search. What
 * is not new is drawn again, SEARCH_RETRIES times; then the search says that its space is exhausted.
 */
#ifndef NAB_SEARCH_SEARCH_H
#define NAB_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/graph.h"
#include "arch/recipe.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/opt.h"
#include "space/space.h"

struct arena;
struct json;
struct json_in;
struct search;

enum { SEARCH_RETRIES = 1000 };

/* The "search" object of a study. Options of the strategy stand in the same object. */
struct search_cfg {
	const struct strategy *strategy;
	void *options;      /* of strategy->cfg_size bytes */
	int64_t candidates; /* how many to propose in all; 0: as many as there are */
	uint64_t seed;      /* written as a text of decimal digits ("42") */
	const char *seed_text;
	int lag; /* see above; 0: as the strategy says (unlimited for those that ignore results) */
};

/* object may be NULL (defaults: markov, 20 candidates, seed "1"). Mistakes go to `in`. */
int search_cfg_read(struct search_cfg *c, const struct json *object, struct arena *a, const struct json_in *in);
struct json *search_cfg_write(const struct search_cfg *c); /* complete; caller frees */
struct json *search_schema(void);
void search_help(struct str *out);

struct search_ctx {
	const struct space *space; /* borrowed by the search until search_free */
	struct space_target target;
	const struct json *recipe; /* the study's "train" object with its choices open, or NULL; borrowed */
};

/* How much of the real thing a candidate gets, beyond what its recipe says. */
struct proposal_fidelity {
	int epochs;                /* stop after so many; 0: as the recipe says */
	double data, image, width; /* shares, as in struct fidelity; 1: all */
};

struct proposal {
	int index;           /* k */
	struct graph *graph; /* in the arena given to search_ask */
	struct json *recipe; /* the study's "train" object with every choice made; NULL if it gave none. Owned by the
				arena, too: valid until its reset */
	struct proposal_fidelity fidelity;
	int continue_from; /* candidate whose run this one continues (same graph and recipe, more epochs), or -1 */
	int inherit_from;  /* candidate whose weights it starts from where layers agree, or -1 */
	struct hash128 identity; /* of all of the above but index: filled by search_ask */
	const char *note;        /* how it came about ("cell 4711"), or NULL; in the arena */
};

enum result_state { RESULT_DONE, RESULT_FAILED }; /* failed: diverged, out of memory, timed out, infeasible */

struct search_result {
	int index;
	enum result_state state;
	double score; /* larger is better; NAN if failed */
	struct cost cost;
	const struct proposal *proposal; /* may be NULL for strategies that do not use it; must stay valid */
};

/* e: ERR_INVALID if strategy and space do not go together ("grid" on a Markov space). */
int search_new(struct search **out, const struct search_cfg *cfg, const struct search_ctx *ctx, struct err *e);
void search_free(struct search *s); /* accepts NULL */

/* Checks the open places of a "train" object and that what can be drawn from it are valid recipes. */
int search_recipe_check(const struct json *recipe, const struct json_in *in);

int search_lag(const struct search *s); /* INT_MAX if unlimited */
/* Whether candidate k may be asked for: the results up to k - lag are there. */
bool search_ready(const struct search *s, int k);

/* Proposes candidate k. Returns 1; 0 if there is none (search_note() says why); -1 with e (ERR_INFEASIBLE: nothing in
 * the space is within its limits). */
int search_ask(struct search *s, int k, struct proposal *out, struct arena *a, struct err *e);
void search_tell(struct search *s, const struct search_result *r);

/* Counts graph and recipe of p (made by the caller) as known. */
void search_forbid(struct search *s, const struct proposal *p);
struct hash128 proposal_identity(const struct proposal *p);

const char *search_note(const struct search *s); /* why there are no more candidates; "" before */
const struct space_stats *search_stats(const struct search *s);

/* ---- what a strategy is: one file strategy_x.c, one row in strategies.def ---- */

struct strategy {
	const char *name, *help;
	const struct opt *opts; /* never NULL */
	size_t cfg_size;
	int lag;         /* default lag if it learns from results; 0: it ignores them */
	bool enumerates; /* it walks through its space: what is known is skipped without limit */
	/* self lives in `a` for as long as the search; ctx, stats stay valid as long */
	int (*create)(void **self, const struct search_cfg *cfg, const struct search_ctx *ctx,
		      struct space_stats *stats, struct arena *a, struct err *e);
	/* Candidate k, try `retry` (0, 1, ...: all before were known already). Fills graph, recipe, fidelity,
	 * continue_from, inherit_from, note of a zeroed proposal (ints -1, shares 1). Returns as search_ask(). */
	int (*ask)(void *self, int k, int retry, struct proposal *out, struct arena *a, struct err *e);
	void (*tell)(void *self, const struct search_result *r); /* in the order of the indices; NULL if lag is 0 */
	void (*free)(void *self);                                /* NULL: nothing to free */
};

#define STRATEGY(n) extern const struct strategy strategy_##n;
#include "search/strategies.def"
#undef STRATEGY

extern const struct strategy *const strategies[];
int strategies_count(void);
const struct strategy *strategy_find(const char *name); /* NULL if there is none */

#endif
