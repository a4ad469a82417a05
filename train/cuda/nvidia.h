/* train/cuda/nvidia.h - what library.c, cudnn.c and cublaslt.c share behind library.h: the libraries'
 * functions as they were found, and the plans.
 *
 * A plan is made once for each key (a text of everything that it depends on) and stays until its library is closed.
 * cuDNN does not promise that two threads may run one plan at once: each has a lock.
 */
#ifndef NAB_TRAIN_CUDA_NVIDIA_H
#define NAB_TRAIN_CUDA_NVIDIA_H

#include <cublasLt.h>
#include <cudnn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "train/cuda/card.h"
#include "train/cuda/library.h"

/* Functions that are called, by the library that has them. */
#define CUDNN_CALLS(CALL)                   \
	CALL(cudnnGetVersion)               \
	CALL(cudnnGetErrorString)           \
	CALL(cudnnGetLastErrorString)       \
	CALL(cudnnCreate)                   \
	CALL(cudnnDestroy)                  \
	CALL(cudnnSetStream)                \
	CALL(cudnnBackendCreateDescriptor)  \
	CALL(cudnnBackendDestroyDescriptor) \
	CALL(cudnnBackendFinalize)          \
	CALL(cudnnBackendSetAttribute)      \
	CALL(cudnnBackendGetAttribute)      \
	CALL(cudnnBackendExecute)

#define CUBLASLT_CALLS(CALL)                       \
	CALL(cublasLtGetVersion)                   \
	CALL(cublasLtGetStatusString)              \
	CALL(cublasLtCreate)                       \
	CALL(cublasLtDestroy)                      \
	CALL(cublasLtMatmul)                       \
	CALL(cublasLtMatmulAlgoGetHeuristic)       \
	CALL(cublasLtMatmulAlgoConfigGetAttribute) \
	CALL(cublasLtMatmulDescCreate)             \
	CALL(cublasLtMatmulDescDestroy)            \
	CALL(cublasLtMatmulDescSetAttribute)       \
	CALL(cublasLtMatrixLayoutCreate)           \
	CALL(cublasLtMatrixLayoutDestroy)          \
	CALL(cublasLtMatmulPreferenceCreate)       \
	CALL(cublasLtMatmulPreferenceDestroy)      \
	CALL(cublasLtMatmulPreferenceSetAttribute)

#define CALL(name) extern __typeof__(name) *nvidia_##name; /* nvidia_cudnnCreate() ... */
CUDNN_CALLS(CALL)
CUBLASLT_CALLS(CALL)
#undef CALL

struct plan {
	char *key;
	int32_t kind;     /* enum cuda_op_kind */
	bool tune;        /* engines were to be timed */
	bool leaves_bias; /* library_leaves_bias() */
	int64_t workspace;
	char words[320]; /* library_describe() */
	pthread_mutex_t lock;
	cudnnBackendDescriptor_t cudnn; /* CONV*: the execution plan */
	struct product *product;        /* DENSE* */
};

struct library {
	struct library *next; /* of those that are described by a text */
	char *description;    /* NULL: a device of this machine */
	int device;
	char identity[200]; /* device and versions of the libraries: the first part of every choice's key */
	cudnnBackendDescriptor_t properties;
	cublasLtHandle_t lt;  /* NULL for a described device */
	pthread_mutex_t lock; /* of everything below */
	struct plan **plan;
	int n_plans, room;
};

struct library_lane {
	struct library *library;
	cudaStream_t stream;
	cudnnHandle_t cudnn;
};

/* 0, or -1 with e: "what: cuDNN's words". */
int nvidia_cudnn(cudnnStatus_t rc, const char *what, struct cuda_error *e);
int nvidia_cublaslt(cublasStatus_t rc, const char *what, struct cuda_error *e);

/* The address of buffer b, NULL if the operation has none. */
void *nvidia_at(const struct cuda_ref *ref, const uint64_t base[CUDA_BASES]);

/* What is done for a kind of operation, under a lock where a plan is made or run. */
struct nvidia_part {
	/* Everything that a plan depends on, as text without quotes. */
	void (*key)(const struct cuda_op *op, char *buf, size_t size);
	/* Bytes of buf i. */
	int64_t (*bytes)(const struct cuda_op *op, int i);
	/* Fills a new plan (kind, key, tune are set): what is its own, leaves_bias, workspace, words. From any thread.
	 */
	int (*make)(struct library *l, struct plan *p, const struct cuda_op *op, struct cuda_error *e);
	/* The plan as JSON in one line, allocated, NULL if there is nothing to keep; and back, where words and
	 * leaves_bias are set already. NULL: such plans are not kept. */
	bool (*load)(struct library *l, struct plan *p, const struct cuda_op *op, const char *json);
	char *(*save)(const struct plan *p);
	int (*run)(struct library_lane *lane, struct plan *p, const struct cuda_op *op, const uint64_t base[CUDA_BASES],
		   struct cuda_error *e);
	void (*release)(struct plan *p); /* also of a plan that could not be made */
};

extern const struct nvidia_part nvidia_conv, nvidia_dense;

/* measure.c: which of n candidates for an operation is the fastest on the card, the first if they cannot be timed.
 * use() makes a plan of candidate i of `all`; none takes more than `workspace` bytes. */
typedef void measure_use(struct plan *p, const void *all, int i);
int measure_fastest(struct library *l, const struct nvidia_part *part, struct plan *p, const struct cuda_op *op,
		    int64_t workspace, measure_use *use, const void *all, int n);

/* cuDNN's description of a device (device -1: of the text), or -1 with e. */
int nvidia_properties(cudnnBackendDescriptor_t *out, int device, const char *description, struct cuda_error *e);

#endif
