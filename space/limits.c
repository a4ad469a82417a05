/* space/limits.c - why models are thrown away, and the accounting of it. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "space/internal.h"

const char *const space_limit_names[] = { "params", "macs",   "activations", "train_bytes",
					  "states", "layers", "depth",       NULL };
_Static_assert(sizeof space_limit_names / sizeof *space_limit_names == LIMIT_COUNT + 1, "a name per limit");

const char *space_cause_name(enum space_cause c)
{
	static const char *const names[CAUSE_COUNT] = {
		"params.min",
		"params.max",
		"macs.min",
		"macs.max",
		"activations.min",
		"activations.max",
		"train_bytes.min",
		"train_bytes.max",
		"states.min",
		"states.max",
		"layers.min",
		"layers.max",
		"depth.min",
		"depth.max",
		[CAUSE_MISFIT] = "misfit",
		[CAUSE_HEAD] = "head",
		[CAUSE_SIZE] = "size",
		[CAUSE_DUPLICATE] = "duplicate",
	};

	return names[c];
}

struct json *space_stats_write(const struct space_stats *st, const struct space *s)
{
	struct json *o = json_object(), *part;

	json_put(o, "drawn", json_num((double)st->drawn));
	json_put(o, "accepted", json_num((double)st->accepted));
	json_put(o, "steps", json_num((double)st->steps));
	part = json_put(o, "rejected", json_object());
	for (int i = 0; i < CAUSE_COUNT; i++)
		if (st->rejected[i])
			json_put(part, space_cause_name((enum space_cause)i), json_num((double)st->rejected[i]));
	part = json_put(o, "misfits", json_object());
	for (int i = 0; i < s->n_states; i++)
		if (st->misfits[i])
			json_put(part, s->states[i], json_num((double)st->misfits[i]));
	return o;
}

/* What a graph has of each limited quantity; "states" does not belong to graphs. */
static int measure(int64_t out[LIMIT_COUNT], const struct graph *g, struct err *e)
{
	struct cost c;

	if (graph_cost(g, &c, e) < 0)
		return -1;
	out[LIMIT_PARAMS] = c.params;
	out[LIMIT_MACS] = c.macs;
	out[LIMIT_ACTIVATIONS] = c.activations;
	out[LIMIT_TRAIN_BYTES] = c.train_bytes;
	out[LIMIT_LAYERS] = c.layers;
	out[LIMIT_DEPTH] = c.depth;
	return 0;
}

int space_accepts(const struct space *s, const struct graph *g, enum space_cause *cause, struct err *e)
{
	int64_t have[LIMIT_COUNT] = { 0 };

	if (measure(have, g, e) < 0)
		return -1;
	for (int i = 0; i < LIMIT_COUNT; i++) {
		if (i == LIMIT_STATES || (have[i] >= s->limits[i].min && have[i] <= s->limits[i].max))
			continue;
		*cause = (enum space_cause)(2 * i + (have[i] > s->limits[i].max));
		return 0;
	}
	return 1;
}
