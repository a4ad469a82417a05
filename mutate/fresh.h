/* mutate/fresh.h - new layers drawn for a place: what may stand behind what is there. For files of mutate/ only.
 *
 * From a Markov space: its chain, conditioned on the state that what stands before belongs to (by kind or block), or on
 * the start if there is none. Without one, or where nothing of it fits: a table of sensible layers by the type of the
 * tensor. What is drawn takes the tensor that is there and keeps its type; a softmax is never drawn.
 */
#ifndef NAB_MUTATE_FRESH_H
#define NAB_MUTATE_FRESH_H

#include "mutate/mutate.h"

/* An entry of "layers" (or a list of them) that fits behind `before`: a new object, caller frees; NULL: none fits. */
struct json *fresh_layers(const struct graph *g, struct edge before, const struct mutate_env *env, struct rng *rng);

/* The space's own choices for an option of a layer of this kind ({"any": [...]} ...); borrowed; NULL if it has none. */
const struct json *fresh_choices(const struct space *s, const char *kind, const char *option);

#endif
