/* train/cuda/exec.c - programs: planned, bound to memory, captured into CUDA graphs, run. */
#include "train/cuda/exec.h"

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "train/cuda/card.h"
#include "train/cuda/kernels.h"
#include "train/cuda/library.h"

/* A long call is made of graphs of several runs: fewer launches, and no gap between the runs inside. */
enum { RUNS = 16, MOST_NODES = 8192 };

struct cuda_exec {
	struct cuda_lane *lane;
	struct cuda_op *ops;
	int n;
	struct launch launch;
	cudaGraphExec_t once, many; /* NULL: not captured; many is made when it is first of use */
	bool graph;
};

/* ---- plans ---------------------------------------------------------------------------------------------- */

static int plan_op(struct library *library, struct cuda_op *op, int tune, int64_t *scratch, int64_t *reserve,
		   struct cuda_error *e)
{
	*reserve = cuda_reserve(op);
	if (library_runs(op->kind))
		return library_plan(library, op, tune, scratch, e);
	*scratch = cuda_scratch(op);
	return *scratch < 0 ? card_fail(e, CUDA_UNSUPPORTED, "no kernel for operations of kind %d", op->kind) : 0;
}

int exec_plan(struct cuda_card *card, const char *description, struct cuda_op *ops, int n, int tune, int64_t *scratch,
	      int64_t *reserve, struct cuda_error *e)
{
	struct library *library;

	if (card && card_use(card, e) < 0)
		return -1;
	library = card ? card->library : library_described(description, e);
	if (!library)
		return -1;
	for (int i = 0; i < n; i++) {
		if (plan_op(library, &ops[i], tune, &scratch[i], &reserve[i], e) < 0) {
			e->op = i;
			return -1;
		}
	}
	library_planned();
	return 0;
}

char *exec_describe(struct cuda_card *card, const struct cuda_op *ops, int n)
{
	enum { LINE = 256 };
	struct library *library = card ? card->library : library_described(NULL, NULL);
	char *text = NULL, *more;
	size_t len = 0;

	for (int i = 0; library && i < n; i++) {
		if (!library_runs(ops[i].kind))
			continue;
		more = realloc(text, len + LINE + 1);
		if (!more)
			break;
		text = more;
		library_describe(library, &ops[i], text + len, LINE);
		len += strlen(text + len);
		text[len++] = '\n';
		text[len] = 0;
	}
	return text;
}

/* ---- one run -------------------------------------------------------------------------------------------- */

static int run_library_op(struct cuda_exec *x, const struct cuda_op *op, struct cuda_error *e)
{
	struct cuda_card *card = x->lane->card;

	if (library_run(x->lane->library, op, x->launch.base, e) < 0) {
		if (e->status == CUDA_LOST)
			atomic_store(&card->lost, 1);
		return -1;
	}
	if (!library_leaves_bias(card->library, op))
		return 0;
	return card_check(card, (cudaError_t)cuda_bias_act(op, &x->launch), "launching a kernel", e);
}

static int run_op(struct cuda_exec *x, int i, struct cuda_error *e)
{
	const struct cuda_op *op = &x->ops[i];
	int rc = library_runs(op->kind)
		     ? run_library_op(x, op, e)
		     : card_check(x->lane->card, (cudaError_t)cuda_launch(op, &x->launch), "launching a kernel", e);

	if (rc < 0)
		e->op = i;
	return rc;
}

static int run_all(struct cuda_exec *x, struct cuda_error *e)
{
	for (int i = 0; i < x->n; i++)
		if (run_op(x, i, e) < 0)
			return -1;
	return 0;
}

/* Kernels are loaded when they first run, which must not be while a stream is captured. The libraries' operations only
 * write what every run computes anew; our own kernels are loaded without being run, since theirs is the training state.
 */
static int warm_up(struct cuda_exec *x, struct cuda_error *e)
{
	int rc = 0;

	for (int i = 0; i < x->n && rc == 0; i++) {
		x->launch.load_only = !library_runs(x->ops[i].kind);
		rc = run_op(x, i, e);
	}
	x->launch.load_only = 0;
	return rc;
}

/* ---- graphs --------------------------------------------------------------------------------------------- */

static int record(struct cuda_exec *x, int runs, cudaGraph_t *graph, struct cuda_error *e)
{
	struct cuda_card *card = x->lane->card;
	cudaStream_t stream = x->lane->stream;
	struct cuda_error second;
	int rc = 0;

	if (card_check(card, cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning a capture",
		       e) < 0)
		return -1;
	for (int i = 0; i < runs && rc == 0; i++)
		rc = run_all(x, e);
	/* also after a failure: the stream must leave the capture */
	return card_check(card, cudaStreamEndCapture(stream, graph), "capturing a graph", rc < 0 ? &second : e) < 0
		   ? -1
		   : rc;
}

static int capture(struct cuda_exec *x, int runs, cudaGraphExec_t *out, struct cuda_error *e)
{
	struct cuda_card *card = x->lane->card;
	cudaGraph_t graph = NULL;
	int rc = record(x, runs, &graph, e);

	if (rc == 0)
		rc = card_check(card, cudaGraphInstantiate(out, graph, 0), "making a graph", e);
	if (rc == 0)
		rc = card_check(card, cudaGraphUpload(*out, x->lane->stream), "uploading a graph", e);
	if (graph)
		cudaGraphDestroy(graph);
	return rc;
}

/* ---- programs ------------------------------------------------------------------------------------------- */

int exec_new(struct cuda_exec **out, struct cuda_lane *lane, const struct cuda_op *ops, int n,
	     const uint64_t base[CUDA_BASES], uint64_t control, int graph, struct cuda_error *e)
{
	struct cuda_exec *x;

	*out = NULL;
	if (card_use(lane->card, e) < 0)
		return -1;
	x = calloc(1, sizeof *x);
	if (!x || !(x->ops = malloc((size_t)(n ? n : 1) * sizeof *ops))) {
		free(x);
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	}
	memcpy(x->ops, ops, (size_t)n * sizeof *ops);
	x->lane = lane;
	x->n = n;
	x->graph = graph;
	x->launch.stream = lane->stream;
	x->launch.processors = lane->card->processors;
	x->launch.control = (struct cuda_control *)(uintptr_t)control;
	memcpy(x->launch.base, base, sizeof x->launch.base);
	if (graph && (warm_up(x, e) < 0 || capture(x, 1, &x->once, e) < 0)) {
		exec_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

void exec_free(struct cuda_exec *x)
{
	struct cuda_error ignored;

	if (!x)
		return;
	lane_wait(x->lane, &ignored); /* what it uses may be given to others next, also after a failure half-way */
	cudaSetDevice(x->lane->card->device);
	if (x->once)
		cudaGraphExecDestroy(x->once);
	if (x->many)
		cudaGraphExecDestroy(x->many);
	free(x->ops);
	free(x);
}

static int launch_graph(struct cuda_exec *x, cudaGraphExec_t graph, struct cuda_error *e)
{
	return card_check(x->lane->card, cudaGraphLaunch(graph, x->lane->stream), "launching a graph", e);
}

int exec_run(struct cuda_exec *x, int64_t times, struct cuda_error *e)
{
	if (card_use(x->lane->card, e) < 0)
		return -1;
	if (x->graph && !x->many && times >= RUNS && (int64_t)x->n * RUNS <= MOST_NODES &&
	    capture(x, RUNS, &x->many, e) < 0)
		return -1;
	for (; x->many && times >= RUNS; times -= RUNS)
		if (launch_graph(x, x->many, e) < 0)
			return -1;
	for (; times > 0; times--)
		if ((x->graph ? launch_graph(x, x->once, e) : run_all(x, e)) < 0)
			return -1;
	return 0;
}

/* ---- times ---------------------------------------------------------------------------------------------- */

static int time_ops(struct cuda_exec *x, cudaEvent_t *event, double *seconds, struct cuda_error *e)
{
	struct cuda_card *card = x->lane->card;

	for (int i = 0; i <= x->n; i++) {
		if (card_check(card, cudaEventCreateWithFlags(&event[i], cudaEventBlockingSync), "making an event", e) <
		    0)
			return -1;
	}
	for (int i = 0; i <= x->n; i++) {
		if (card_check(card, cudaEventRecord(event[i], x->lane->stream), "recording an event", e) < 0 ||
		    (i < x->n && run_op(x, i, e) < 0))
			return -1;
	}
	if (card_check(card, cudaEventSynchronize(event[x->n]), "waiting for the device", e) < 0)
		return -1;
	for (int i = 0; i < x->n; i++) {
		float ms = 0;

		if (card_check(card, cudaEventElapsedTime(&ms, event[i], event[i + 1]), "reading a time", e) < 0)
			return -1;
		seconds[i] = (double)ms * 1e-3;
	}
	return 0;
}

int exec_time(struct cuda_exec *x, double *seconds, struct cuda_error *e)
{
	cudaEvent_t *event;
	int rc;

	if (card_use(x->lane->card, e) < 0)
		return -1;
	event = calloc((size_t)x->n + 1, sizeof *event);
	if (!event)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	rc = time_ops(x, event, seconds, e);
	for (int i = 0; i <= x->n; i++)
		if (event[i])
			cudaEventDestroy(event[i]);
	free(event);
	return rc;
}
