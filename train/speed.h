/* train/speed.h - how fast a network trains as it would in a study: how soon the first step is done, and how many steps
 * a second when several runs are side by side. */
#ifndef NAB_TRAIN_SPEED_H
#define NAB_TRAIN_SPEED_H

#include "train/backend.h"

struct speed {
	/* Seconds from a network to the end of its first step: when its shapes are new to the process (and to the
	 * caches that the backend keeps on disk), and a second time. What any process needs to get going does not
	 * count: it trains a step of another batch size before. */
	double first_s, again_s;
	int in_flight;      /* that were measured: fewer than wanted if no more found memory */
	double steps_per_s; /* of all of them together */
	double processors;  /* seconds of processor time a second meanwhile, of the whole process */
};

/* Trains for about `seconds`, `in_flight` copies at a time with seeds of their own. -1 with e. */
int speed_measure(struct speed *out, const struct backend *b, const struct backend_conf *conf,
		  const struct net_spec *spec, int in_flight, double seconds, struct err *e);

#endif
