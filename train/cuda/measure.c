/* train/cuda/measure.c - how long a plan takes on the card (nvidia.h): it is run as it will be in training, several
 * times in a row inside a CUDA graph, on buffers full of random numbers. The shortest of some rounds counts, since
 * others may be using the card at the same time.
 */
#include <cuda_runtime_api.h>
#include <math.h>
#include <stdlib.h>

#include "train/cuda/nvidia.h"

enum { IN_A_ROW = 10, ROUNDS = 5, BUFS = 4, PATTERN = 1 << 18 /* numbers of two bytes */ };

#define TRY(call)                 \
	do {                      \
		if ((call) < 0)   \
			goto out; \
	} while (0)

struct measure {
	struct library_lane *lane;
	cudaStream_t stream;
	cudaEvent_t from, to;
	void *memory;
	struct cuda_op op; /* on that memory */
	uint64_t base[CUDA_BASES];
};

static int check(cudaError_t rc, struct cuda_error *e)
{
	if (!rc)
		return 0;
	cudaGetLastError();
	return card_fail(e, CUDA_FAILED, "measuring an engine: %s", cudaGetErrorString(rc));
}

/* Between 0.5 and 2, of either sign: as bf16, and two of them as a float. */
static uint16_t *pattern(void)
{
	uint16_t *p = malloc(PATTERN * sizeof *p);
	uint32_t state = 0x9e3779b9;

	for (int i = 0; p && i < PATTERN; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		p[i] = (uint16_t)((state >> 8 & 0x8000) | 0x3f00 | (state & 0xff));
	}
	return p;
}

static int fill(const struct measure *m, size_t bytes, struct cuda_error *e)
{
	size_t have = PATTERN * sizeof(uint16_t), n;
	uint16_t *p = pattern();
	int rc = -1;

	if (!p)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	have = have < bytes ? have : bytes;
	TRY(check(cudaMemcpyAsync(m->memory, p, have, cudaMemcpyHostToDevice, m->stream), e));
	for (; have < bytes; have += n) {
		n = have < bytes - have ? have : bytes - have;
		TRY(check(cudaMemcpyAsync((char *)m->memory + have, m->memory, n, cudaMemcpyDeviceToDevice, m->stream),
			  e));
	}
	rc = check(cudaStreamSynchronize(m->stream), e);
out:
	free(p);
	return rc;
}

/* Moves the operation to memory of its own; the bytes that it takes. */
static size_t place(struct measure *m, const struct nvidia_part *part, const struct cuda_op *op, int64_t workspace)
{
	int64_t at = 0;

	m->op = *op;
	for (int i = 0; i < BUFS; i++) {
		if (op->buf[i].base == CUDA_NONE)
			continue;
		m->op.buf[i].base = CUDA_SLAB;
		m->op.buf[i].offset = at;
		at += (part->bytes(op, i) + CUDA_ALIGN - 1) / CUDA_ALIGN * CUDA_ALIGN;
	}
	m->op.scratch = (struct cuda_ref){ .base = CUDA_SLAB, .offset = at };
	return (size_t)(at + workspace);
}

static void end(struct measure *m)
{
	if (!m)
		return;
	library_lane_close(m->lane);
	if (m->memory)
		cudaFreeAsync(m->memory, m->stream);
	if (m->from)
		cudaEventDestroy(m->from);
	if (m->to)
		cudaEventDestroy(m->to);
	if (m->stream)
		cudaStreamDestroy(m->stream);
	free(m);
}

static int begin(struct measure **out, struct library *l, const struct nvidia_part *part, const struct cuda_op *op,
		 int64_t workspace, struct cuda_error *e)
{
	struct measure *m = calloc(1, sizeof *m);
	size_t all;
	int rc = -1;

	*out = NULL;
	if (!m)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	all = place(m, part, op, workspace);
	TRY(check(cudaStreamCreateWithFlags(&m->stream, cudaStreamNonBlocking), e));
	TRY(check(cudaEventCreate(&m->from), e));
	TRY(check(cudaEventCreate(&m->to), e));
	TRY(check(cudaMallocAsync(&m->memory, all, m->stream), e));
	TRY(library_lane_open(&m->lane, l, m->stream, e));
	TRY(fill(m, all, e));
	m->base[CUDA_SLAB] = (uint64_t)(uintptr_t)m->memory;
	*out = m;
	m = NULL;
	rc = 0;
out:
	end(m);
	return rc;
}

static int run(struct measure *m, const struct nvidia_part *part, struct plan *p, struct cuda_error *e)
{
	return part->run(m->lane, p, &m->op, m->base, e);
}

/* The plan several times, as a graph; it has run before. */
static int capture(struct measure *m, const struct nvidia_part *part, struct plan *p, cudaGraphExec_t *out,
		   struct cuda_error *e)
{
	cudaGraph_t graph = NULL;
	int rc = check(cudaStreamBeginCapture(m->stream, cudaStreamCaptureModeThreadLocal), e), ended;

	if (rc < 0)
		return -1;
	for (int i = 0; i < IN_A_ROW && rc == 0; i++)
		rc = run(m, part, p, e);
	ended = check(cudaStreamEndCapture(m->stream, &graph), e); /* also after a failure */
	if (rc == 0 && ended == 0)
		rc = check(cudaGraphInstantiate(out, graph, 0), e);
	if (graph)
		cudaGraphDestroy(graph);
	return rc < 0 || ended < 0 ? -1 : 0;
}

static int one_round(struct measure *m, cudaGraphExec_t graph, double *least, struct cuda_error *e)
{
	float ms = 0;

	if (check(cudaEventRecord(m->from, m->stream), e) < 0 || check(cudaGraphLaunch(graph, m->stream), e) < 0 ||
	    check(cudaEventRecord(m->to, m->stream), e) < 0 || check(cudaEventSynchronize(m->to), e) < 0 ||
	    check(cudaEventElapsedTime(&ms, m->from, m->to), e) < 0)
		return -1;
	*least = (double)ms < *least * IN_A_ROW * 1e3 ? (double)ms * 1e-3 / IN_A_ROW : *least;
	return 0;
}

/* Seconds of one run; INFINITY if it fails. */
static double seconds(struct measure *m, const struct nvidia_part *part, struct plan *p)
{
	double least = (double)INFINITY, ignored = (double)INFINITY;
	struct cuda_error e = { 0 };
	cudaGraphExec_t graph = NULL;
	int rc = run(m, part, p, &e); /* loads its kernels */

	if (rc == 0)
		rc = capture(m, part, p, &graph, &e);
	if (rc == 0)
		rc = one_round(m, graph, &ignored, &e);
	for (int i = 0; i < ROUNDS && rc == 0; i++)
		rc = one_round(m, graph, &least, &e);
	if (graph)
		cudaGraphExecDestroy(graph);
	return rc < 0 ? (double)INFINITY : least;
}

int measure_fastest(struct library *l, const struct nvidia_part *part, struct plan *p, const struct cuda_op *op,
		    int64_t workspace, measure_use *use, const void *all, int n)
{
	struct cuda_error ignored = { 0 };
	struct measure *m = NULL;
	double least = 0, s;
	int best = 0;

	if (n < 2 || begin(&m, l, part, op, workspace, &ignored) < 0)
		return 0;
	for (int i = 0; i < n; i++) {
		use(p, all, i);
		s = seconds(m, part, p);
		if (i == 0 || s < least) {
			best = i;
			least = s;
		}
	}
	end(m);
	return best;
}
