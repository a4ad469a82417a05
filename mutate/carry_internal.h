/* mutate/carry_internal.h - what the files of mutate/carry share: one inheritance under way, and how kinds take part.
 */
#ifndef NAB_MUTATE_CARRY_INTERNAL_H
#define NAB_MUTATE_CARRY_INTERNAL_H

#include "arch/weights.h"
#include "mutate/channels.h"
#include "mutate/draft.h"

struct fault { /* why a layer does not compute what it computed in the parent */
	const char *why;
	int lost; /* a channel of the parent that it no longer reads, or -1 */
};

struct carry {
	const struct graph *parent, *child;
	const struct weights *from;
	struct weights *to;
	const struct dnode **made_of; /* [child nodes] its node in the draft */
	struct channel_map *map;
	struct channels *of; /* [child nodes * LAYER_PORTS] */
	int **plan;          /* [child nodes] columns of its first input, for those that share its parameters */
	struct fault *fault; /* [child nodes] */
	bool *inherited;     /* [to->n] */
	bool *repeats;       /* [to->n] holds copies: noise goes there */
	struct arena *a;
};

/* How node v of the child goes on with node p of the parent: writes v's tensors, and puts the parent's channels in
 * place of CHANNEL_OWN where it computes them again; where it does not, carry_fail() says why. */
typedef void carry_fn(struct carry *s, int v, int p, struct channels *out);
carry_fn carry_linear, carry_recurrent, carry_embedding, carry_each, carry_together, carry_softmax, carry_elements,
    carry_merge, carry_choice;

struct linear {                   /* a sum of products as a convolution: dense has one position, conv1d one row */
	int in, out, groups, per; /* per: inputs of a group */
	int kernel[2], stride[2], dilation[2], before[2];
	bool bias, depthwise;
};
struct linear linear_of(const struct node *n, int channels); /* dense, conv1d, conv2d, depthwise2d */

/* A new layer: writes what it starts from, and the channels it hands on. */
void carry_new(struct carry *s, int v, struct channels *out);

/* ---- shared helpers ------------------------------------------------------------------------------------- */

const struct channels *carry_read(const struct carry *s, struct edge at); /* of the child */
int carry_own(const struct carry *s, int p, int port, int channel);       /* the parent's number of it */
void carry_fail(struct carry *s, int v, int lost, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Equal but for the number of channels. */
bool carry_same_input(const struct carry *s, int v, int p);
bool carry_same_output(const struct carry *s, int v, int p);

/* For every channel that v reads first: the channel that p read there, or CHANNEL_ZERO, CHANNEL_NEW. */
int *carry_columns(struct carry *s, int v, int p);
/* Whether every channel that p read (and that is not zero) is among col; else *lost is one that is not. */
bool carry_covered(const struct carry *s, int p, const int *col, int n, int *lost);
/* The columns to copy where not all is as it was: if nothing has moved, each keeps its place. */
const int *carry_settled(const struct carry *s, const int *col, int n, int before);
/* How often each of 0 .. before - 1 stands in col. */
int *carry_copies(const int *col, int n, int before, struct arena *a);
int *carry_counting(int n, struct arena *a); /* 0, 1, 2 ... */
bool carry_any(const int *col, int n);       /* whether an entry is not negative */
bool carry_twice(const int *col, int n, int before, struct arena *a);

struct pair { /* a tensor of the child and the one that it goes on with */
	const struct tensor *to, *from;
	float *out;
	const float *in;
	int index; /* of `to` */
	bool equal;
};

const struct tensor *carry_tensor(const struct weights *w, int node, const char *name); /* or NULL */
bool carry_pair(struct pair *t, const struct carry *s, int v, int p, const char *name); /* false: one is missing */
/* out[i] = in[row[i]], blocks of `block` numbers; rows below 0 stay. */
void carry_rows(struct carry *s, const struct pair *t, const int *row, int n, int64_t block);
/* The tensors of the same name and shape, as they are. */
void carry_equal(struct carry *s, int v, int p);
/* Whether v's tensors are its own to write; one that shares goes on with what their owner did. */
bool carry_writes(const struct carry *s, int v);
/* Whether one that shares its parameters goes on with p in the way in which their owner was carried over. */
bool carry_shares(const struct carry *s, int v, int p);

#endif
