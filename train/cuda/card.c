/* train/cuda/card.c - devices, their memory, streams, and copies through pinned memory. */
#include "train/cuda/card.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/cuda/library.h"

enum { STAGING = 2 << 20 }; /* bytes, of each half */

/* ---- errors --------------------------------------------------------------------------------------------- */

int card_fail(struct cuda_error *e, enum cuda_status status, const char *fmt, ...)
{
	va_list ap;

	e->status = status;
	e->op = -1;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return -1;
}

/* Errors after which every call in the context fails: the process has to end. */
static int sticky(const struct cuda_card *card, cudaError_t rc)
{
	size_t available, total;

	switch ((int)rc) {
	case cudaErrorDevicesUnavailable:
	case cudaErrorECCUncorrectable:
	case cudaErrorNvlinkUncorrectable:
	case cudaErrorIllegalAddress:
	case cudaErrorLaunchTimeout:
	case cudaErrorContextIsDestroyed:
	case cudaErrorAssert:
	case cudaErrorHardwareStackError:
	case cudaErrorIllegalInstruction:
	case cudaErrorMisalignedAddress:
	case cudaErrorInvalidAddressSpace:
	case cudaErrorInvalidPc:
	case cudaErrorLaunchFailure:
	case cudaErrorExternalDevice:
	case cudaErrorUnknown:
		return 1;
	default: /* the runtime's list is longer, and grows; a context that is gone says the same to any other call */
		cudaGetLastError();
		return card->stream && cudaMemGetInfo(&available, &total) == rc;
	}
}

int card_check(struct cuda_card *card, cudaError_t rc, const char *what, struct cuda_error *e)
{
	enum cuda_status status = CUDA_FAILED;

	if (rc == cudaSuccess)
		return 0;
	if (sticky(card, rc)) {
		atomic_store(&card->lost, 1);
		status = CUDA_LOST;
	} else if (rc == cudaErrorMemoryAllocation) {
		status = CUDA_NO_MEMORY;
	}
	return card_fail(e, status, "%s: %s (%s)", what, cudaGetErrorString(rc), cudaGetErrorName(rc));
}

int card_use(struct cuda_card *card, struct cuda_error *e)
{
	if (atomic_load(&card->lost))
		return card_fail(e, CUDA_LOST, "cuda:%d was lost after an earlier error", card->device);
	return card_check(card, cudaSetDevice(card->device), "choosing the device", e);
}

/* ---- cards ---------------------------------------------------------------------------------------------- */

static int attribute(struct cuda_card *card, enum cudaDeviceAttr which, int *out, struct cuda_error *e)
{
	return card_check(card, cudaDeviceGetAttribute(out, which, card->device), "asking for the device's properties",
			  e);
}

/* Memory comes from the device's pool, which keeps what is given back: cudaMalloc and cudaFree wait for all streams,
 * and with many runs in flight one that ends would stop the others. */
static int open_pool(struct cuda_card *card, struct cuda_error *e)
{
	uint64_t keep = UINT64_MAX;
	int pools = 0;

	if (attribute(card, cudaDevAttrMemoryPoolsSupported, &pools, e) < 0)
		return -1;
	if (!pools)
		return 0;
	if (card_check(card, cudaDeviceGetDefaultMemPool(&card->pool, card->device), "opening the memory pool", e) < 0)
		return -1;
	return card_check(card, cudaMemPoolSetAttribute(card->pool, cudaMemPoolAttrReleaseThreshold, &keep),
			  "setting up the memory pool", e);
}

static int look_at(struct cuda_card *card, struct cuda_error *e)
{
	int major = 0, minor = 0;

	if (attribute(card, cudaDevAttrMultiProcessorCount, &card->processors, e) < 0 ||
	    attribute(card, cudaDevAttrComputeCapabilityMajor, &major, e) < 0 ||
	    attribute(card, cudaDevAttrComputeCapabilityMinor, &minor, e) < 0)
		return -1;
	if (card_too_old(major, minor))
		return card_fail(e, CUDA_FAILED,
				 "cuda:%d has compute capability %d.%d: too old, 7.5 is the first that works",
				 card->device, major, minor);
	return 0;
}

static int prepare(struct cuda_card *card, struct cuda_error *e)
{
	if (card_use(card, e) < 0 || look_at(card, e) < 0)
		return -1;
	if (card_check(card, cudaStreamCreateWithFlags(&card->stream, cudaStreamNonBlocking), "opening a stream", e) <
	    0)
		return -1;
	if (open_pool(card, e) < 0)
		return -1;
	return library_open(&card->library, card->device, e);
}

int card_open(struct cuda_card **out, int device, struct cuda_error *e)
{
	struct cuda_card *card = calloc(1, sizeof *card);
	int n = 0;

	*out = NULL;
	if (!card)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	card->device = device;
	if (card_check(card, cudaGetDeviceCount(&n), "counting devices", e) < 0)
		goto fail;
	if (device < 0 || device >= n) {
		card_fail(e, CUDA_FAILED, "there is no cuda:%d; %d found", device, n);
		goto fail;
	}
	if (prepare(card, e) < 0)
		goto fail;
	*out = card;
	return 0;
fail:
	card_close(card);
	return -1;
}

void card_close(struct cuda_card *card)
{
	if (!card)
		return;
	cudaSetDevice(card->device);
	library_close(card->library);
	if (card->stream)
		cudaStreamDestroy(card->stream);
	free(card);
}

/* ---- memory --------------------------------------------------------------------------------------------- */

int memory_free(struct cuda_card *card, int64_t *bytes, struct cuda_error *e)
{
	size_t available = 0, total = 0;
	uint64_t reserved = 0, used = 0;

	if (card_use(card, e) < 0 ||
	    card_check(card, cudaMemGetInfo(&available, &total), "asking for free memory", e) < 0)
		return -1;
	if (card->pool) { /* what the pool keeps is free, too, once it has come back */
		if (card_check(card, cudaStreamSynchronize(card->stream), "asking the memory pool", e) < 0 ||
		    card_check(card, cudaMemPoolGetAttribute(card->pool, cudaMemPoolAttrReservedMemCurrent, &reserved),
			       "asking the memory pool", e) < 0 ||
		    card_check(card, cudaMemPoolGetAttribute(card->pool, cudaMemPoolAttrUsedMemCurrent, &used),
			       "asking the memory pool", e) < 0)
			return -1;
	}
	*bytes = (int64_t)(available + (reserved - used));
	return 0;
}

int memory_alloc(struct cuda_card *card, int64_t bytes, uint64_t *out, struct cuda_error *e)
{
	char what[64];
	void *p = NULL;
	cudaError_t rc;

	*out = 0;
	if (card_use(card, e) < 0)
		return -1;
	snprintf(what, sizeof what, "allocating %lld bytes", (long long)bytes);
	if (card->pool) {
		rc = cudaMallocFromPoolAsync(&p, (size_t)bytes, card->pool, card->stream);
		if (rc == cudaSuccess)
			rc = cudaStreamSynchronize(card->stream); /* only then other streams may use it */
	} else {
		rc = cudaMalloc(&p, (size_t)bytes);
	}
	if (card_check(card, rc, what, e) < 0) {
		memory_release(card, (uint64_t)(uintptr_t)p);
		return -1;
	}
	*out = (uint64_t)(uintptr_t)p;
	return 0;
}

void memory_release(struct cuda_card *card, uint64_t address)
{
	void *p = (void *)(uintptr_t)address;

	if (!p)
		return;
	cudaSetDevice(card->device);
	if (card->pool)
		cudaFreeAsync(p, card->stream);
	else
		cudaFree(p);
}

/* ---- lanes ---------------------------------------------------------------------------------------------- */

static int new_event(struct cuda_card *card, cudaEvent_t *out, struct cuda_error *e)
{
	return card_check(card, cudaEventCreateWithFlags(out, cudaEventDisableTiming | cudaEventBlockingSync),
			  "making an event", e);
}

static int fill_lane(struct cuda_lane *lane, struct cuda_error *e)
{
	struct cuda_card *card = lane->card;

	if (card_check(card, cudaStreamCreateWithFlags(&lane->stream, cudaStreamNonBlocking), "opening a stream", e) <
		0 ||
	    new_event(card, &lane->done, e) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		struct staging *half = &lane->half[i];

		if (card_check(card, cudaMallocHost((void **)&half->memory, STAGING), "taking pinned memory", e) < 0 ||
		    new_event(card, &half->done, e) < 0)
			return -1;
	}
	return library_lane_open(&lane->library, card->library, lane->stream, e);
}

int lane_open(struct cuda_lane **out, struct cuda_card *card, struct cuda_error *e)
{
	struct cuda_lane *lane;

	*out = NULL;
	if (card_use(card, e) < 0)
		return -1;
	lane = calloc(1, sizeof *lane);
	if (!lane)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	lane->card = card;
	if (fill_lane(lane, e) < 0) {
		lane_close(lane);
		return -1;
	}
	*out = lane;
	return 0;
}

void lane_close(struct cuda_lane *lane)
{
	struct cuda_error ignored = { 0 };

	if (!lane)
		return;
	if (lane->stream && lane->done)
		lane_wait(lane, &ignored);
	library_lane_close(lane->library);
	for (int i = 0; i < 2; i++) {
		if (lane->half[i].done)
			cudaEventDestroy(lane->half[i].done);
		if (lane->half[i].memory)
			cudaFreeHost(lane->half[i].memory);
	}
	if (lane->done)
		cudaEventDestroy(lane->done);
	if (lane->stream)
		cudaStreamDestroy(lane->stream);
	free(lane);
}

static size_t part_of(int64_t bytes, int64_t at)
{
	return (size_t)(bytes - at < STAGING ? bytes - at : STAGING);
}

/* The half is free when the copy that used it is done; an event that was never recorded is. */
static int take_half(struct cuda_lane *lane, const struct staging *half, struct cuda_error *e)
{
	return card_check(lane->card, cudaEventSynchronize(half->done), "waiting for a copy", e);
}

int lane_upload(struct cuda_lane *lane, uint64_t to, const void *from, int64_t bytes, struct cuda_error *e)
{
	if (card_use(lane->card, e) < 0)
		return -1;
	for (int64_t at = 0, i = 0; at < bytes; at += STAGING, i ^= 1) {
		struct staging *half = &lane->half[i];
		size_t n = part_of(bytes, at);

		if (take_half(lane, half, e) < 0)
			return -1;
		memcpy(half->memory, (const char *)from + at, n);
		if (card_check(lane->card,
			       cudaMemcpyAsync((void *)(uintptr_t)(to + (uint64_t)at), half->memory, n,
					       cudaMemcpyHostToDevice, lane->stream),
			       "copying to the device", e) < 0 ||
		    card_check(lane->card, cudaEventRecord(half->done, lane->stream), "copying to the device", e) < 0)
			return -1;
	}
	return 0;
}

static int fetch(struct cuda_lane *lane, struct staging *half, uint64_t from, size_t n, struct cuda_error *e)
{
	if (take_half(lane, half, e) < 0 || card_check(lane->card,
						       cudaMemcpyAsync(half->memory, (const void *)(uintptr_t)from, n,
								       cudaMemcpyDeviceToHost, lane->stream),
						       "copying from the device", e) < 0)
		return -1;
	return card_check(lane->card, cudaEventRecord(half->done, lane->stream), "copying from the device", e);
}

/* While one half is copied out, the other is filled. */
int lane_download(struct cuda_lane *lane, void *to, uint64_t from, int64_t bytes, struct cuda_error *e)
{
	if (card_use(lane->card, e) < 0)
		return -1;
	if (bytes > 0 && fetch(lane, &lane->half[0], from, part_of(bytes, 0), e) < 0)
		return -1;
	for (int64_t at = 0, i = 0; at < bytes; at += STAGING, i ^= 1) {
		int64_t next = at + STAGING;

		if (next < bytes && fetch(lane, &lane->half[i ^ 1], from + (uint64_t)next, part_of(bytes, next), e) < 0)
			return -1;
		if (take_half(lane, &lane->half[i], e) < 0)
			return -1;
		memcpy((char *)to + at, lane->half[i].memory, part_of(bytes, at));
	}
	return 0;
}

int lane_fill(struct cuda_lane *lane, uint64_t at, int byte, int64_t bytes, struct cuda_error *e)
{
	if (card_use(lane->card, e) < 0)
		return -1;
	return card_check(lane->card, cudaMemsetAsync((void *)(uintptr_t)at, byte, (size_t)bytes, lane->stream),
			  "filling memory", e);
}

int lane_copy(struct cuda_lane *lane, uint64_t to, uint64_t from, int64_t bytes, struct cuda_error *e)
{
	if (card_use(lane->card, e) < 0)
		return -1;
	return card_check(lane->card,
			  cudaMemcpyAsync((void *)(uintptr_t)to, (const void *)(uintptr_t)from, (size_t)bytes,
					  cudaMemcpyDeviceToDevice, lane->stream),
			  "copying on the device", e);
}

/* The event may be recorded again at once: what waits has taken its present meaning. */
int lane_follow(struct cuda_lane *lane, struct cuda_lane *other, struct cuda_error *e)
{
	if (card_use(lane->card, e) < 0 ||
	    card_check(lane->card, cudaEventRecord(other->done, other->stream), "ordering streams", e) < 0)
		return -1;
	return card_check(lane->card, cudaStreamWaitEvent(lane->stream, other->done, 0), "ordering streams", e);
}

int lane_wait(struct cuda_lane *lane, struct cuda_error *e)
{
	if (card_use(lane->card, e) < 0 ||
	    card_check(lane->card, cudaEventRecord(lane->done, lane->stream), "waiting for the device", e) < 0)
		return -1;
	return card_check(lane->card, cudaEventSynchronize(lane->done), "waiting for the device", e);
}
