/* engine/message.h - what coordinator, workers and submitting commands say to each other over stream sockets.
 *
 * A frame is four little-endian 32-bit words (magic, type, bytes of the body, bytes of the blob), a JSON object, and a
 * blob of numbers in the machine's order (both ends run on one machine). Whole numbers of 64 bits travel as texts.
 * Frames that are too large, of unknown type or with a body that is no object end the conversation.
 */
#ifndef NAB_ENGINE_MESSAGE_H
#define NAB_ENGINE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct json;

enum message_type {
	MESSAGE_SETUP,  /* to a worker, first: device, cores, lanes (runs at a time), probe (backend that must work) */
	MESSAGE_READY,  /* from it: pid */
	MESSAGE_RUN,    /* to it: a run (engine/worker.c says what is in it) */
	MESSAGE_STOP,   /* to it: attempt; end its epoch, checkpoint, report */
	MESSAGE_STEP,   /* from it: epoch, step, steps, loss */
	MESSAGE_EPOCH,  /* an epoch's record */
	MESSAGE_RESULT, /* blob: confusion, predictions */
	MESSAGE_FAIL,   /* the machine failed: text, disk */
	MESSAGE_LOST,   /* the device is of no use any more, the worker ends: text */
	MESSAGE_SUBMIT, /* to a coordinator: a study with models to train */
	MESSAGE_ACCEPTED,
	MESSAGE_REFUSED, /* code, where, text */
	MESSAGE_COUNT
};

enum { MESSAGE_BODY_MAX = 64 << 20, MESSAGE_BLOB_MAX = 1 << 29 };

struct message {
	enum message_type type;
	struct json *body; /* owned */
	const char *blob;  /* borrowed from the channel until the next call; may be unaligned */
	size_t blob_len;
};

struct channel {
	int fd;
	struct str in;
	size_t used; /* bytes of `in` that were handed out */
};

/* Sends the whole frame, waiting as long as it takes. Frees body. -1 with e when the other end is gone. */
int message_send(int fd, enum message_type type, struct json *body, const void *blob, size_t blob_len, struct err *e);

/* Reads what is there. With wait, blocks for the first bytes. 1: something came; 0: nothing; -1: end or failure. */
int channel_fill(struct channel *c, bool wait);
/* Takes the next whole message from what was read: 1, 0 (not there yet), -1 (not a message of ours). */
int channel_next(struct channel *c, struct message *out);
/* Both, waiting up to `seconds` (negative: for ever): 1, 0 (time is up), -1. */
int channel_wait(struct channel *c, struct message *out, double seconds);
void channel_release(struct channel *c); /* closes fd */
void message_release(struct message *m);

/* 64-bit numbers in bodies. */
struct json *json_i64(int64_t v);
struct json *json_u64(uint64_t v);
int64_t json_get_i64(const struct json *object, const char *key);  /* 0 if absent or not a number */
uint64_t json_get_u64(const struct json *object, const char *key); /* 0 if absent or not a number */
double json_get_real(const struct json *object, const char *key);  /* NAN if absent or null */
/* NAN and infinities as null, numbers beyond 2^53 as texts. */
struct json *json_real(double v);

#endif
