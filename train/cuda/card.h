/* train/cuda/card.h - devices, their memory and streams, inside the plugin. The functions of struct cuda_plugin whose
 * names begin with card_, lane_ and memory_ are here; exec.h has the programs. Every thread may use a card; a lane
 * belongs to one. Every function makes its card the calling thread's current device.
 */
#ifndef NAB_TRAIN_CUDA_CARD_H
#define NAB_TRAIN_CUDA_CARD_H

#include <cuda_runtime_api.h>
#include <stdatomic.h>

#include "train/cuda/abi.h"

struct library;
struct library_lane;

struct cuda_card {
	int device, processors;  /* processors: multiprocessors */
	atomic_int lost;         /* its context is gone: everything fails from now on */
	cudaStream_t stream;     /* orders what is taken from the pool and given back */
	cudaMemPool_t pool;      /* NULL: the device has none */
	struct library *library; /* cuDNN and cuBLASLt, for this device */
};

struct staging { /* pinned memory through which everything passes, half by half */
	char *memory;
	cudaEvent_t done; /* the copy that used it last */
};

struct cuda_lane {
	struct cuda_card *card;
	cudaStream_t stream;
	cudaEvent_t done;
	struct staging half[2];
	struct library_lane *library;
};

/* The oldest devices that the kernels are compiled for have compute capability 7.5. */
static inline int card_too_old(int major, int minor)
{
	return 10 * major + minor < 75;
}

/* Fills e and returns -1. */
int card_fail(struct cuda_error *e, enum cuda_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* 0, or -1 with e: "what: the runtime's words". Errors from which a context does not recover are CUDA_LOST, and the
 * card remembers that. */
int card_check(struct cuda_card *card, cudaError_t rc, const char *what, struct cuda_error *e);

/* Makes the card the current device; -1 at once if it is lost. */
int card_use(struct cuda_card *card, struct cuda_error *e);

int card_open(struct cuda_card **out, int device, struct cuda_error *e);
void card_close(struct cuda_card *card);

int memory_free(struct cuda_card *card, int64_t *bytes, struct cuda_error *e);
int memory_alloc(struct cuda_card *card, int64_t bytes, uint64_t *out, struct cuda_error *e);
void memory_release(struct cuda_card *card, uint64_t address);

int lane_open(struct cuda_lane **out, struct cuda_card *card, struct cuda_error *e);
void lane_close(struct cuda_lane *lane);
int lane_upload(struct cuda_lane *lane, uint64_t to, const void *from, int64_t bytes, struct cuda_error *e);
int lane_download(struct cuda_lane *lane, void *to, uint64_t from, int64_t bytes, struct cuda_error *e);
int lane_fill(struct cuda_lane *lane, uint64_t at, int byte, int64_t bytes, struct cuda_error *e);
int lane_copy(struct cuda_lane *lane, uint64_t to, uint64_t from, int64_t bytes, struct cuda_error *e);
int lane_follow(struct cuda_lane *lane, struct cuda_lane *other, struct cuda_error *e);
int lane_wait(struct cuda_lane *lane, struct cuda_error *e);

#endif
