/* train/backend.c - the table of backends. */
#include "train/backend.h"

#include <stddef.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"

const struct backend *const backends[] = {
#define BACKEND(name) &backend_##name,
#include "train/backends.def"
#undef BACKEND
	NULL
};

const struct backend *backend_find(const char *name)
{
	for (int i = 0; backends[i]; i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

struct philox_key dropout_key(uint64_t seed, const struct node *n)
{
	return philox_key(seed, PURPOSE_DROPOUT, hash64_text(n->id));
}
