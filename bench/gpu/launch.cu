/* bench/gpu/launch.cu - what a card can do that launches of small kernels depend on, without any library:
 *	nvcc -O3 -o launch bench/gpu/launch.cu && ./launch
 * prints lines of JSON: microseconds of a node in a CUDA graph with 1 to 32 graphs in flight (each node a kernel of
 *one block that needs the one before it), of a kernel launched by itself, of a node in a loop that the card runs alone
 *(a conditional WHILE node, no processor), and the bandwidth of a copy on the card. 77: there is no card.
 */
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <cuda_runtime.h>

enum { NODES = 30, STEPS = 390, MOST = 32 };

static void check(cudaError_t e, const char *what)
{
	if (e == cudaSuccess)
		return;
	fprintf(stderr, "launch: %s: %s\n", what, cudaGetErrorString(e));
	exit(1);
}

static double now()
{
	return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

__global__ void tiny(float *x)
{
	x[threadIdx.x] = x[threadIdx.x] * 0.5f + 1.0f;
}

static cudaGraphExec_t graph_of(float *x, cudaStream_t s)
{
	cudaGraph_t graph;
	cudaGraphExec_t exec;

	check(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal), "capture");
	for (int i = 0; i < NODES; i++)
		tiny<<<1, 128, 0, s>>>(x);
	check(cudaStreamEndCapture(s, &graph), "capture");
	check(cudaGraphInstantiate(&exec, graph, 0), "graph");
	check(cudaGraphDestroy(graph), "graph");
	return exec;
}

/* Microseconds of a node of all graphs together: 1 / the rate at which the card starts kernels. */
static double graphs(float *x, int in_flight)
{
	cudaStream_t s[MOST];
	cudaGraphExec_t g[MOST];
	double began = 0;

	for (int i = 0; i < in_flight; i++) {
		check(cudaStreamCreateWithFlags(&s[i], cudaStreamNonBlocking), "stream");
		g[i] = graph_of(x + 128 * i, s[i]);
	}
	for (int round = 0; round < 2; round++) { /* the first warms up */
		began = now();
		for (int k = 0; k < STEPS; k++)
			for (int i = 0; i < in_flight; i++)
				check(cudaGraphLaunch(g[i], s[i]), "launch");
		check(cudaDeviceSynchronize(), "graphs");
	}
	began = now() - began;
	for (int i = 0; i < in_flight; i++) {
		check(cudaGraphExecDestroy(g[i]), "graph");
		check(cudaStreamDestroy(s[i]), "stream");
	}
	return 1e6 * began / ((double)STEPS * NODES * in_flight);
}

static double launches(float *x)
{
	double began = 0;

	for (int round = 0; round < 2; round++) {
		began = now();
		for (int k = 0; k < STEPS * NODES; k++)
			tiny<<<1, 128>>>(x);
		check(cudaDeviceSynchronize(), "launches");
	}
	return 1e6 * (now() - began) / (STEPS * NODES);
}

#if CUDART_VERSION >= 12040
__global__ void count_down(cudaGraphConditionalHandle handle, int *left)
{
	if (threadIdx.x == 0)
		cudaGraphSetConditional(handle, --*left > 0);
}

/* Microseconds of a node of a body of NODES kernels that the card repeats STEPS times by itself; the node that counts
 * is one of them. */
static double loop(float *x)
{
	cudaGraph_t graph, body, unused;
	cudaGraphExec_t exec;
	cudaGraphNode_t node;
	cudaGraphConditionalHandle handle;
	cudaGraphNodeParams p = {};
	cudaStream_t s;
	double began = 0;
	int *left, steps = STEPS;

	check(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), "stream");
	check(cudaMalloc(&left, sizeof *left), "memory");
	check(cudaGraphCreate(&graph, 0), "graph");
	check(cudaGraphConditionalHandleCreate(&handle, graph, 1, cudaGraphCondAssignDefault), "condition");
	p.type = cudaGraphNodeTypeConditional;
	p.conditional.handle = handle;
	p.conditional.type = cudaGraphCondTypeWhile;
	p.conditional.size = 1;
#if CUDART_VERSION >= 13000
	check(cudaGraphAddNode(&node, graph, NULL, NULL, 0, &p), "loop");
#else
	check(cudaGraphAddNode(&node, graph, NULL, 0, &p), "loop");
#endif
	body = p.conditional.phGraph_out[0];
	check(cudaStreamBeginCaptureToGraph(s, body, NULL, NULL, 0, cudaStreamCaptureModeThreadLocal), "capture");
	for (int i = 0; i < NODES - 1; i++)
		tiny<<<1, 128, 0, s>>>(x);
	count_down<<<1, 32, 0, s>>>(handle, left);
	check(cudaStreamEndCapture(s, &unused), "capture");
	check(cudaGraphInstantiate(&exec, graph, 0), "graph");
	for (int round = 0; round < 2; round++) {
		check(cudaMemcpy(left, &steps, sizeof steps, cudaMemcpyHostToDevice), "copy");
		began = now();
		check(cudaGraphLaunch(exec, s), "launch");
		check(cudaStreamSynchronize(s), "loop");
		began = now() - began;
	}
	return 1e6 * began / (STEPS * NODES);
}
#else
static double loop(float *)
{
	return -1;
}
#endif

/* TB/s, read and written. */
static double copies()
{
	size_t n = (size_t)1 << 30;
	char *from, *to;
	double best = 0;

	check(cudaMalloc(&from, n), "memory");
	check(cudaMalloc(&to, n), "memory");
	check(cudaMemset(from, 1, n), "memory");
	for (int round = 0; round < 10; round++) {
		double began;

		check(cudaDeviceSynchronize(), "copy");
		began = now();
		check(cudaMemcpyAsync(to, from, n, cudaMemcpyDeviceToDevice), "copy");
		check(cudaDeviceSynchronize(), "copy");
		began = 2 * (double)n / (now() - began) / 1e12;
		best = began > best ? began : best;
	}
	check(cudaFree(from), "memory");
	check(cudaFree(to), "memory");
	return best;
}

int main()
{
	static const int in_flight[] = { 1, 2, 4, 8, 16, 32 };
	struct cudaDeviceProp card;
	float *x;
	int n = 0;

	if (cudaGetDeviceCount(&n) != cudaSuccess || n == 0) {
		fprintf(stderr, "launch: there is no card\n");
		return 77;
	}
	check(cudaGetDeviceProperties(&card, 0), "device");
	check(cudaMalloc(&x, MOST * 128 * sizeof *x), "memory");
	check(cudaMemset(x, 0, MOST * 128 * sizeof *x), "memory");
	printf("{\"who\": \"launch\", \"card\": \"%s\", \"launch_us\": %.3f}\n", card.name, launches(x));
	for (int i = 0; i < 6; i++)
		printf("{\"who\": \"launch\", \"node_us_%d\": %.3f}\n", in_flight[i], graphs(x, in_flight[i]));
	printf("{\"who\": \"launch\", \"copy_TB_per_s\": %.3f}\n", copies());
	fflush(stdout);
	printf("{\"who\": \"launch\", \"loop_node_us\": %.3f}\n", loop(x));
	return 0;
}
