/* tests/cuda/fake_cudart.h - a CUDA runtime without a card, for tests of train/cuda/card.c, exec.c and measure.c:
 * device memory is host memory, and what is put into a stream is done only when somebody waits for it, so that a buffer
 * that is reused too early shows. Every call can be made to fail. Included once, as source.
 */
#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct task { /* what was put into a stream */
	enum { TASK_COPY, TASK_FILL, TASK_EVENT, TASK_WAIT, TASK_OP } kind;
	void *to;
	const void *from;
	size_t n;
	int value;
	double ms; /* that an operation takes */
};

struct tasks {
	struct task *task;
	int n, cap;
};

struct CUstream_st {
	struct tasks tasks;
	bool captured;
	struct tasks *graph; /* being captured */
};
struct CUevent_st {
	int recorded, done; /* so many times: put into a stream, and come to there */
	double at;          /* when, in ms */
};

static struct fake {
	long calls, fail_at; /* fail_at: number of the call that fails; 0: none */
	cudaError_t error;   /* how */
	bool sticky, gone;   /* every call after it fails too */
	bool no_pool;
	long things;      /* streams, events, graphs, blocks of memory that exist */
	int graphs;       /* launches of graphs */
	int loads;        /* kernels that were loaded */
	bool captures;    /* some stream is being captured */
	bool broken;      /* something failed in the meantime: no graph comes of it */
	struct tasks ran; /* operations, in the order in which they ran */
	double clock;     /* ms that they took */
	cudaError_t last;
} fake;

static bool fails(void)
{
	if (!fake.gone && ++fake.calls != fake.fail_at)
		return false;
	fake.gone = fake.sticky;
	fake.broken = fake.captures;
	fake.last = fake.error;
	return true;
}

#define MAY_FAIL()                         \
	do {                               \
		if (fails())               \
			return fake.error; \
	} while (0)

static void *thing(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	fake.things++;
	return p;
}

static cudaError_t no_thing(void *p)
{
	free(p);
	fake.things--;
	return fake.gone ? fake.error : cudaSuccess; /* nobody looks: no call of its own that could fail */
}

static void add_task(struct tasks *list, struct task t)
{
	if (list->n == list->cap) {
		list->cap = 2 * list->cap + 8;
		list->task = realloc(list->task, (size_t)list->cap * sizeof t);
		if (!list->task)
			abort();
	}
	list->task[list->n++] = t;
}

static void put(struct CUstream_st *s, struct task t)
{
	add_task(s->captured ? s->graph : &s->tasks, t);
}

static void run_task(const struct task *t)
{
	switch (t->kind) {
	case TASK_COPY:
		memcpy(t->to, t->from, t->n);
		break;
	case TASK_FILL:
		memset(t->to, t->value, t->n);
		break;
	case TASK_EVENT:
		((struct CUevent_st *)t->to)->done = t->value;
		((struct CUevent_st *)t->to)->at = fake.clock;
		break;
	case TASK_WAIT:
		break;
	case TASK_OP:
		add_task(&fake.ran, *t);
		fake.clock += t->ms;
		break;
	}
}

static struct CUstream_st *streams[8];

static bool is_done(const struct CUevent_st *e)
{
	return e->done == e->recorded;
}

static bool is_held_up(const struct task *t)
{
	return t->kind == TASK_WAIT && ((struct CUevent_st *)t->to)->done < t->value;
}

/* Does what a stream holds, as far as it can; how much that was. */
static int work_stream(struct CUstream_st *s, const struct CUevent_st *until)
{
	int k = 0;

	while (s && k < s->tasks.n && !(until && is_done(until)) && !is_held_up(&s->tasks.task[k]))
		run_task(&s->tasks.task[k++]);
	if (!k)
		return 0;
	s->tasks.n -= k;
	memmove(s->tasks.task, s->tasks.task + k, (size_t)s->tasks.n * sizeof *s->tasks.task);
	return k;
}

/* Does what every stream holds, until the event is done (NULL: all of it). */
static void work(const struct CUevent_st *until)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
			more |= work_stream(streams[i], until) > 0;
	}
}

/* ---- the runtime's functions ---------------------------------------------------------------------------- */

const char *cudaGetErrorString(cudaError_t e)
{
	return e == cudaErrorIllegalAddress ? "an illegal access" : "an error";
}

const char *cudaGetErrorName(cudaError_t e)
{
	(void)e;
	return "cudaErrorOfTest";
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t e = fake.last;

	fake.last = cudaSuccess;
	return e;
}

cudaError_t cudaSetDevice(int device)
{
	(void)device;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *n)
{
	*n = 1;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *out, enum cudaDeviceAttr which, int device)
{
	(void)device;
	*out = which == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
	if (which == cudaDevAttrMemoryPoolsSupported)
		*out = !fake.no_pool;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *out, int device)
{
	(void)device;
	*out = (cudaMemPool_t)&fake;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr which, void *value)
{
	(void)pool, (void)which, (void)value;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr which, void *value)
{
	(void)pool;
	*(uint64_t *)value = which == cudaMemPoolAttrReservedMemCurrent ? 300 : 100;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
	*available = 1000;
	*total = 2000;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, size_t n)
{
	MAY_FAIL();
	*out = thing(n);
	return cudaSuccess;
}

cudaError_t cudaMallocHost(void **out, size_t n)
{
	return cudaMalloc(out, n);
}

cudaError_t cudaMallocFromPoolAsync(void **out, size_t n, cudaMemPool_t pool, cudaStream_t s)
{
	(void)pool, (void)s;
	return cudaMalloc(out, n);
}

cudaError_t cudaMallocAsync(void **out, size_t n, cudaStream_t s)
{
	(void)s;
	return cudaMalloc(out, n);
}

cudaError_t cudaFree(void *p)
{
	return no_thing(p);
}

cudaError_t cudaFreeHost(void *p)
{
	return no_thing(p);
}

cudaError_t cudaFreeAsync(void *p, cudaStream_t s)
{
	(void)s;
	return no_thing(p);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
	int i = 0;

	(void)flags;
	MAY_FAIL();
	while (streams[i])
		i++;
	*out = streams[i] = thing(sizeof **out);
	return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
	int i = 0;

	while (streams[i] != s)
		i++;
	streams[i] = NULL;
	free(s->tasks.task);
	return no_thing(s);
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
	(void)s;
	MAY_FAIL();
	work(NULL);
	return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
	(void)flags;
	MAY_FAIL();
	*out = thing(sizeof **out);
	return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
	return cudaEventCreateWithFlags(out, 0);
}

/* A stream may still have to record it: then nobody hears of that. */
cudaError_t cudaEventDestroy(cudaEvent_t e)
{
	static struct CUevent_st nobody;

	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
		for (int k = 0; streams[i] && k < streams[i]->tasks.n; k++)
			if (streams[i]->tasks.task[k].to == e)
				streams[i]->tasks.task[k].to = &nobody;
	return no_thing(e);
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
	MAY_FAIL();
	put(s, (struct task){ .kind = TASK_EVENT, .to = e, .value = ++e->recorded });
	return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned flags)
{
	(void)flags;
	MAY_FAIL();
	put(s, (struct task){ .kind = TASK_WAIT, .to = e, .value = e->recorded });
	return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
	MAY_FAIL();
	work(e);
	return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b)
{
	*ms = is_done(a) && is_done(b) ? (float)(b->at - a->at) : -1;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, enum cudaMemcpyKind kind, cudaStream_t s)
{
	(void)kind;
	MAY_FAIL();
	put(s, (struct task){ .kind = TASK_COPY, .to = to, .from = from, .n = n });
	return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t n, cudaStream_t s)
{
	MAY_FAIL();
	put(s, (struct task){ .kind = TASK_FILL, .to = to, .value = value, .n = n });
	return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode)
{
	MAY_FAIL();
	if (mode != cudaStreamCaptureModeThreadLocal || s->captured)
		return cudaErrorInvalidValue;
	s->captured = fake.captures = true;
	s->graph = thing(sizeof *s->graph);
	return cudaSuccess;
}

/* Also when it fails the stream leaves the capture. */
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *out)
{
	bool broken = fake.broken, failed = fails();

	s->captured = fake.captures = fake.broken = false;
	*out = NULL;
	if (broken || failed) {
		free(s->graph->task);
		free(s->graph);
		fake.things--;
		return failed ? fake.error : cudaErrorStreamCaptureInvalidated;
	}
	*out = (cudaGraph_t)s->graph;
	return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
	const struct tasks *from = (const struct tasks *)graph;
	struct tasks *copy;

	(void)flags;
	MAY_FAIL();
	copy = thing(sizeof *copy);
	for (int i = 0; i < from->n; i++)
		add_task(copy, from->task[i]);
	*out = (cudaGraphExec_t)copy;
	return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	free(((struct tasks *)graph)->task);
	return no_thing(graph);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph)
{
	return cudaGraphDestroy((cudaGraph_t)graph);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t graph, cudaStream_t s)
{
	(void)graph, (void)s;
	MAY_FAIL();
	return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t s)
{
	const struct tasks *from = (const struct tasks *)graph;

	MAY_FAIL();
	fake.graphs++;
	for (int i = 0; i < from->n; i++)
		put(s, from->task[i]);
	return cudaSuccess;
}
