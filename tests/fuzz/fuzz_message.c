/* tests/fuzz/fuzz_message.c - what a peer may send over a socket: frames, and the results inside. */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/mem.h"
#include "engine/evaluation.h"
#include "engine/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct channel c = { .fd = -1 };
	struct arena *a = arena_new();
	struct message m;

	str_addn(&c.in, (const char *)data, n);
	while (channel_next(&c, &m) == 1) {
		struct store_evaluation v;
		struct epoch_record r;

		epoch_read(&r, m.body);
		if (evaluation_read(&v, json_get(m.body, "evaluation"), m.blob, m.blob_len, a) == 0)
			evaluation_score(&v, "slice:a");
		message_release(&m);
	}
	channel_release(&c);
	arena_free(a);
	return 0;
}
