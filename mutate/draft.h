/* mutate/draft.h - a model taken apart: what operators work on. For files of mutate/ only.
 *
 * Nodes and groups of a draft have indices that never change while it lives: 0 .. n_nodes - 1 are those of the graph it
 * was made from, new ones follow. Their order in the model stands apart (draft_order). An edge to a model's input k is
 * node -1 - k, as in a graph. The primitives keep these rules: every input comes before its reader; the nodes of a
 * group stand together; a node reads only nodes of its own group instance, of instances inside it (through their
 * outputs), or what its group reads from outside.
 *
 * A draft also knows how the weights of the parent go on into the child (struct dnode: origin, out_map, start), so that
 * function-preserving edits need no code beside the edit: mutate/carry.h computes the child's weights from it.
 */
#ifndef NAB_MUTATE_DRAFT_H
#define NAB_MUTATE_DRAFT_H

#include "base/opt.h"
#include "mutate/mutate.h"

enum start {                 /* the values a new layer starts from when weights are inherited */
	     START_DRAWN,    /* as an untrained layer */
	     START_IDENTITY, /* the identity function: dense, convolutions with stride 1 and as many outputs as inputs;
				norms: scale and shift that undo the statistics */
	     START_ZERO      /* its output is zero */
};

struct dnode {
	enum layer_kind kind;
	void *cfg; /* own copy, may be changed in place; "same" padding that was resolved keeps the output size: see
		      draft_set_kernel */
	const char *id;     /* flat id of a surviving layer; NULL: new, named when built */
	const char *prefer; /* local id wanted for a new layer, or NULL */
	struct edge *in;
	int n_in;
	int group; /* innermost group, or -1 */
	int share; /* node it shares its parameters with, or -1 */
	bool frozen, gone;
	const char *device;

	int origin;   /* node of the parent whose weights it goes on with, or -1 */
	int *out_map; /* [width] which of the origin's outputs (units, of a recurrent layer) each one repeats; NULL: the
			 same ones. Of a new layer that starts as the identity: which of its inputs */
	int n_out_map;
	enum start start; /* if origin is -1 */
	/* private */
	const void *given; /* cfg as it was in the parent, or when the layer was added */
	bool named;        /* prefer is its final local id */
};

struct dgroup {
	const char *id, *block, *args; /* id NULL: new; args NULL: edited inside */
	const char *prefer;
	int parent;
	bool gone;
	struct edge *in, *out;
	const char **in_names, **out_names;
	int n_in, n_out;
	int origin; /* group of the parent, or -1 */
	/* private */
	bool named;
};

struct draft {
	struct arena *arena;
	const struct graph *from; /* the parent */
	const struct mutate_env *env;
	struct dnode *nodes;
	struct dgroup *groups;
	int n_nodes, n_groups;
	int *order; /* [n_order] nodes in the model's order, gone ones left out */
	int n_order;
	struct edge *outputs; /* [from->n_outputs] what the model hands out */
	struct mutate_log *log;
	/* private */
	int cap_nodes, cap_groups, cap_order;
	struct block_set *blocks; /* that entries may use; made when first needed */
	struct json *sources;     /* definitions that the parent lacks, by name; NULL: none */
};

struct draft *draft_new(const struct graph *g, const struct mutate_env *env, struct mutate_log *log, struct arena *a);

/* Says why an edit cannot be done; returns 0. The first reason wins. */
int draft_refuse(struct draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds to the log's words ("; " between) or to its repairs. */
void draft_words(struct draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void draft_repair(struct draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ids as users know them, also of new nodes ("the new conv2d"). */
const char *draft_name(const struct draft *d, int node);
/* What an id stands for in the draft as it is: survivors, and what earlier edits of the same list have added. 0, or -1
 * with a suggestion. */
int draft_find(struct draft *d, struct place *out, const char *id, struct err *e);
/* Whether `node` makes an output's logits (mutate_is_fixed() of what it was in the parent). why may be NULL. */
bool draft_is_fixed(const struct draft *d, int node, const char **why);
/* Whether `group` lies in `outer` or is it; every group lies in -1, the model. */
bool draft_within_group(const struct draft *d, int group, int outer);
/* Readers of an edge: layers and model outputs. */
int draft_readers(const struct draft *d, struct edge at);
/* The longest path from an input to this edge, in layers. */
int draft_depth(const struct draft *d, struct edge at);
/* The shape at an edge of the draft as it stands (recomputed where the draft has changed); false if it does not fit
 * there at the moment. */
bool draft_shape(struct draft *d, struct edge at, struct shape *out);

/* ---- primitives; they mark the groups concerned as edited inside -------------------------------------------- */

/* Everything that reads `from` (nodes, group inputs and outputs, model outputs) reads `to` instead; but not node
 * `except` (-1: none). */
void draft_redirect(struct draft *d, struct edge from, struct edge to, int except);
/* Puts something behind `from`: what read it outside block instance `inside` (-1: anywhere) reads `to`, apart from the
 * nodes from first_node and the groups from first_group on, which are what was put there. */
void draft_divert(struct draft *d, struct edge from, struct edge to, int inside, int first_node, int first_group);
/* The same for one reader: `at` (a layer, by its first input, or a block, by its first) reads `to`. */
void draft_divert_one(struct draft *d, struct place at, struct edge to);
/* What a place reads first, hands out first, and the group it stands in; its last node in the order. */
struct edge draft_place_in(const struct draft *d, struct place at);
struct edge draft_place_out(const struct draft *d, struct place at);
int draft_place_group(const struct draft *d, struct place at);
int draft_place_last(const struct draft *d, struct place at);
bool draft_in_place(const struct draft *d, int node, struct place at);
/* The one output of a block that is read outside it; -1 if there are several or none. */
int draft_only_output(const struct draft *d, int group, struct edge *out);
/* Marks a block, and those around it, as edited inside. */
void draft_touch(struct draft *d, int group);
/* Takes a place out whose readers were given something else to read, then what was only there for it. */
void draft_drop_place(struct draft *d, struct place at);
/* The layers of an entry behind, before (on the first input) or in the place of what is there. As draft_expand(). */
int draft_put_after(struct draft *d, struct place at, const struct json *entry, struct err *e);
int draft_put_before(struct draft *d, struct place at, const struct json *entry, struct err *e);
int draft_put_instead(struct draft *d, struct place at, const struct json *entry, struct err *e);
/* A place in words, as draft_name(). */
const char *draft_place_name(const struct draft *d, struct place at);
/* The operand that a merge leaves when it goes: the longest, or of a product the one that the others come from. */
int draft_main_operand(const struct draft *d, int node);
/* Takes a layer out: its readers read its input number `keep`. Then drops what was only there for it (layers that
 * nothing reads any more, unless nothing read them in the parent either). */
void draft_bypass(struct draft *d, int node, int keep);
/* Takes a whole block instance out: readers of its outputs read its first input. 0 if it reads or hands out what cannot
 * stand for each other (refused). */
int draft_bypass_group(struct draft *d, int group);
/* A new layer reading in[0..n_in), standing after node `after` (-1: first of all) in group `group`. cfg is copied.
 * Returns its index. Nothing reads it yet. */
int draft_add(struct draft *d, int after, int group, enum layer_kind kind, const void *cfg, const struct edge *in,
	      int n_in);
/* Expands an entry of a model's "layers" (layer, block use, repeat, list of them) with what is read at `prev`, after
 * node `after`, in `group`. *last becomes its output. Blocks come from the model's own definitions and the env's. 1; 0:
 * it does not fit there (refused, with the reason); -1: it is not a valid entry. */
int draft_expand(struct draft *d, const struct json *entry, int after, int group, struct edge prev, struct edge *last,
		 struct err *e);
/* The kernel of a convolution or the window of a pool, with paddings that keep the output size if they did before. */
bool draft_set_kernel(struct draft *d, int node, int rows, int columns);

/* The numbers of a layer's window, pointers into its cfg; those of an axis or a kind that it lacks are NULL. */
struct window {
	int *kernel[2], *stride[2], *dilation[2];
	struct opt_pad *padding;
	bool pool;
};
bool draft_window(struct draft *d, int node, struct window *w);
/* Reads a new value for one of a layer's options; a kernel takes its padding along. 1; 0: refused; -1: e. */
int draft_set_option(struct draft *d, int node, const char *name, const struct json *v, struct err *e);
/* Output channels (units, features) of a layer that has such a number: a pointer into its cfg, or NULL. */
int *draft_width(struct draft *d, int node);

/* Builds: recomputes shapes forward, repairs, drops empty groups, names new layers. 1, or 0: refused. at[] (may be
 * NULL) gets the child's node index of every draft node, -1 if gone: [n_nodes] in the arena. Layers that repairing adds
 * become nodes of the draft. */
int draft_build(struct graph **out, struct draft *d, int **at, struct err *e);

/* ---- what mutate/ keeps to itself --------------------------------------------------------------------------- */

/* mutate_apply(), with the draft that the graph was built from and at[] as draft_build() gives it. */
int mutate_draft(struct draft **made, int **at, struct graph **out, const struct graph *g, const struct json *edits,
		 const struct mutate_env *env, struct mutate_log *log, const struct json_in *in, struct arena *a);

/* Puts layers after what they read, which edits may have changed; 0 if that is a cycle (refused). */
int draft_sort(struct draft *d);
/* Of a sorted draft: recomputes shapes forward and repairs what does not fit; 1, or 0: refused. Part of draft_build().
 */
int draft_settle(struct draft *d);
/* Gives every new layer and block its id. Part of draft_build(), and done after every edit, so that the next one can
 * name them. */
void draft_name_new(struct draft *d);
/* Drops layers that lost their last reader. */
void draft_prune(struct draft *d);

#endif
