/* mutate/channels.h - which function of the input every channel of every tensor is: what inheriting weights reasons
 * with.
 *
 * Each channel of each tensor of a parent has a number; two channels of parent or child with the same number hold the
 * same values in evaluation mode, whatever the input. Layers that hand channels on (dropout, identity, concat, relu
 * on what is never negative, a sum whose other operands are zero) hand on their numbers. For files of mutate/ only.
 *
 * A child's layer that goes on with a parent's layer computes a parent's channel again when what it reads covers what
 * that one read; mutate/carry.c decides that, and chooses the weights that make it so.
 */
#ifndef NAB_MUTATE_CHANNELS_H
#define NAB_MUTATE_CHANNELS_H

#include "arch/graph.h"

struct arena;

enum {
	CHANNEL_ZERO = -1, /* zero for every input */
	CHANNEL_NEW = -2,  /* what the parent does not compute */
	CHANNEL_OWN = -3   /* computed by the layer itself: still to be decided */
};

struct channels { /* of one tensor */
	int n, *id;
};

/* The numbers of a parent. */
struct channel_map {
	const struct graph *g;
	struct arena *arena;
	struct channels *of;    /* [n_nodes * LAYER_PORTS] */
	struct channels *input; /* [n_inputs] */
	int *first;             /* [n_nodes * LAYER_PORTS] the number of channel 0 of a tensor, if it is its own */
	int n;                  /* numbers in all */
	unsigned char *range;   /* [n] RANGE_x */
	double *mean, *var;     /* [n] what a channel's values are like over the data, as far as batch norms tell;
				   mean NAN: unknown */
};

enum { RANGE_POSITIVE = 1 /* never below 0 */, RANGE_SIX = 2 /* never above 6 */ };

/* How many channels a tensor of this shape has, and the positions of each. */
int shape_channels(const struct shape *s);
int shape_positions(const struct shape *s);

/* -1 with e if the parent has too many channels to number. */
int channel_map_new(struct channel_map **out, const struct graph *g, struct arena *a, struct err *e);
const struct channels *channel_map_at(const struct channel_map *m, struct edge at);
/* The node of the parent that computes a channel, or -1: an input of the model. */
int channel_map_node(const struct channel_map *m, int id);

/* What a layer hands on by its kind alone; CHANNEL_OWN where that does not say it. One list a port. */
void channels_through(struct channels *out, const struct channel_map *m, const struct node *n, const struct shape *in,
		      const struct channels *const *reads, struct arena *a);

/* col[i]: the place in `was` of the channel now.id[i]; CHANNEL_ZERO or CHANNEL_NEW if it is not there. A channel that
 * stands in `was` several times is given out in turn. */
int *channels_match(const struct channel_map *m, const struct channels *was, const struct channels *now,
		    struct arena *a);

#endif
