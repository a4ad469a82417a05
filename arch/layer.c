/* arch/layer.c - the table of layer kinds and what their shape rules share. */
#include "arch/layer.h"

#include <string.h>

#include "base/str.h"

#define LAYER(name) extern const struct layer_class layer_##name;
#include "arch/layers.def"
#undef LAYER

const struct layer_class *const layer_classes[LAYER_KIND_COUNT] = {
#define LAYER(name) [LAYER_##name] = &layer_##name,
#include "arch/layers.def"
#undef LAYER
};

const char *const layer_family_names[] = { "conv",  "dense",   "pool",      "norm",      "activation", "dropout",
					   "merge", "reshape", "recurrent", "embedding", "other",      NULL };
_Static_assert(sizeof layer_family_names / sizeof *layer_family_names == FAMILY_COUNT + 1, "a name per family");

const char *const param_init_names[] = { "zeros",          "ones",  "he_normal", "he_uniform", "glorot_normal",
					 "glorot_uniform", "torch", "normal",    NULL };
_Static_assert(sizeof param_init_names / sizeof *param_init_names == INIT_COUNT + 1, "a name per initialiser");

int layer_find(const char *name)
{
	for (int i = 0; i < LAYER_KIND_COUNT; i++)
		if (strcmp(layer_classes[i]->name, name) == 0)
			return i;
	return -1;
}

const char *layer_suggest(const char *name)
{
	const char *names[LAYER_KIND_COUNT];

	for (int i = 0; i < LAYER_KIND_COUNT; i++)
		names[i] = layer_classes[i]->name;
	return str_nearest(name, names, LAYER_KIND_COUNT);
}

int layer_window(int in, int kernel, int stride, int dilation, int before, int after, bool up)
{
	int64_t room = (int64_t)in + before + after - (int64_t)dilation * (kernel - 1) - 1, out;

	if (room < 0)
		return -1;
	out = (up ? (room + stride - 1) / stride : room / stride) + 1;
	if (up && (out - 1) * stride >= (int64_t)in + before)
		out--;
	return out > SHAPE_DIM_MAX ? -1 : (int)out;
}
