/* train/checkpoint.c - see checkpoint.h. */
#include "train/checkpoint.h"

#include <assert.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoints are little-endian");

enum { VERSION = 1, MOST_EPOCHS = 1 << 24 };
static const char magic[8] = "NABCKPT1";

struct head {
	char magic[8];
	uint32_t version, n_epochs;
	struct hash128 run;
	uint64_t state_bytes, best_bytes;
	double seconds;
	uint64_t unused;
};

struct row { /* struct epoch_record without holes */
	int64_t epoch, steps, examples;
	double rate, train_loss, train_accuracy, val_loss, val_accuracy, grad_norm, seconds;
};

_Static_assert(sizeof(struct head) == 64 && sizeof(struct row) == 80, "the file has no holes");

static struct row pack(const struct epoch_record *r)
{
	return (struct row){ r->epoch,          r->steps,    r->examples,     r->rate,      r->train_loss,
			     r->train_accuracy, r->val_loss, r->val_accuracy, r->grad_norm, r->seconds };
}

static struct epoch_record unpack(const struct row *r)
{
	return (struct epoch_record){ (int)r->epoch,     r->steps,    r->examples,     r->rate,      r->train_loss,
				      r->train_accuracy, r->val_loss, r->val_accuracy, r->grad_norm, r->seconds };
}

static char *put(char *at, const void *from, size_t n)
{
	if (n)
		memcpy(at, from, n);
	return at + n;
}

int checkpoint_save(const struct checkpoint *c, const char *path, struct err *e)
{
	struct head h = { .version = VERSION,
			  .n_epochs = (uint32_t)c->n_epochs,
			  .run = c->run,
			  .state_bytes = c->state_bytes,
			  .best_bytes = c->best_bytes,
			  .seconds = c->seconds };
	size_t size = sizeof h + (size_t)c->n_epochs * sizeof(struct row) + c->state_bytes + c->best_bytes;
	char *bytes = block_new(size + sizeof(struct hash128)), *at = bytes;
	struct hash128 sum;
	int rc;

	if (!bytes)
		return ERR(e, ERR_RUNTIME, path, "out of memory for a checkpoint of %zu bytes", size);
	memcpy(h.magic, magic, sizeof magic);
	at = put(at, &h, sizeof h);
	for (int i = 0; i < c->n_epochs; i++) {
		struct row r = pack(&c->epochs[i]);

		at = put(at, &r, sizeof r);
	}
	at = put(at, c->state, c->state_bytes);
	at = put(at, c->best, c->best_bytes);
	sum = hash128(bytes, size);
	put(at, &sum, sizeof sum);
	rc = file_write(path, bytes, size + sizeof sum, e);
	block_free(bytes, size + sizeof sum);
	return rc;
}

static int bad(const char *name, const char *what, struct err *e)
{
	return ERR(e, ERR_INVALID, name, "%s: delete the file to start the run again", what);
}

/* Lengths are checked against what is there before they are used; then the hash. */
static int check(const struct head *h, const char *bytes, size_t n, const char *name, struct err *e)
{
	size_t rest = n - sizeof *h - sizeof(struct hash128), rows;
	struct hash128 sum, stored;

	if (h->version != VERSION)
		return ERR(e, ERR_INVALID, name,
			   "a checkpoint of version %u, this program reads %d: delete the file to "
			   "start the run again",
			   h->version, VERSION);
	if (h->n_epochs > MOST_EPOCHS)
		return bad(name, "corrupt checkpoint (number of epochs)", e);
	rows = (size_t)h->n_epochs * sizeof(struct row);
	if (rows > rest || h->state_bytes > rest - rows || h->best_bytes != rest - rows - h->state_bytes)
		return bad(name, "truncated or corrupt checkpoint (its length is wrong)", e);
	sum = hash128(bytes, n - sizeof sum);
	memcpy(&stored, bytes + n - sizeof stored, sizeof stored);
	if (memcmp(&sum, &stored, sizeof sum) != 0)
		return bad(name, "corrupt checkpoint (its checksum is wrong)", e);
	return 0;
}

int checkpoint_parse(struct checkpoint *c, const void *data, size_t n, const char *name, struct err *e)
{
	const char *bytes = data, *at = bytes + sizeof(struct head);
	struct head h;

	*c = (struct checkpoint){ 0 };
	if (n < sizeof h + sizeof(struct hash128) || memcmp(bytes, magic, sizeof magic) != 0)
		return bad(name, "not a checkpoint", e);
	memcpy(&h, bytes, sizeof h);
	if (check(&h, bytes, n, name, e) < 0)
		return -1;
	c->run = h.run;
	c->seconds = h.seconds;
	c->n_epochs = (int)h.n_epochs;
	c->epochs = mem_new((size_t)h.n_epochs * sizeof *c->epochs);
	for (int i = 0; i < c->n_epochs; i++, at += sizeof(struct row)) {
		struct row r;

		memcpy(&r, at, sizeof r);
		c->epochs[i] = unpack(&r);
	}
	c->state_bytes = h.state_bytes;
	c->best_bytes = h.best_bytes;
	c->state = at;
	c->best = h.best_bytes ? at + h.state_bytes : NULL;
	return 0;
}

int checkpoint_load(struct checkpoint *c, const char *path, struct err *e)
{
	char *bytes;
	size_t n;

	*c = (struct checkpoint){ 0 };
	if (file_read(&bytes, &n, path, (size_t)1 << 38, false, e) < 0)
		return -1;
	if (checkpoint_parse(c, bytes, n, path, e) < 0) {
		mem_free(bytes);
		return -1;
	}
	c->own = bytes;
	return 0;
}

void checkpoint_release(struct checkpoint *c)
{
	mem_free(c->epochs);
	mem_free(c->own);
	*c = (struct checkpoint){ 0 };
}
