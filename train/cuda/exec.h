/* train/cuda/exec.h - programs inside the plugin: planned, bound to memory, captured into CUDA graphs, run. The
 * functions are those of struct cuda_plugin (abi.h).
 */
#ifndef NAB_TRAIN_CUDA_EXEC_H
#define NAB_TRAIN_CUDA_EXEC_H

#include "train/cuda/abi.h"

int exec_plan(struct cuda_card *card, const char *description, struct cuda_op *ops, int n, int tune, int64_t *scratch,
	      int64_t *reserve, struct cuda_error *e);
char *exec_describe(struct cuda_card *card, const struct cuda_op *ops, int n);

int exec_new(struct cuda_exec **out, struct cuda_lane *lane, const struct cuda_op *ops, int n,
	     const uint64_t base[CUDA_BASES], uint64_t control, int graph, struct cuda_error *e);
void exec_free(struct cuda_exec *x);
int exec_run(struct cuda_exec *x, int64_t times, struct cuda_error *e);
int exec_time(struct cuda_exec *x, double *seconds, struct cuda_error *e);

#endif
