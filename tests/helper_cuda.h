/* tests/helper_cuda.h - the CUDA plugin in tests: single operations (train/cuda/abi.h) on made-up buffers.
 *
 * The plugin is NAB_CUDA_PLUGIN, else the emulated one (tests/cuda/), which needs a C++ compiler when it is built.
 *
 *	struct op_run r;
 *	op_begin(&r, CUDA_OP_ACTIVATE, &rng);
 *	double *x = op_tensor(&r, 0, CUDA_BF16, dims);          random, padding zero, rounded to bf16
 *	op_result(&r, 1, CUDA_BF16, dims);                      what the operation writes
 *	r.op.u.act = ...;
 *	op_run(&r);
 *	op_expect(&r, 1, want);                                  want[n][h][w][pitch] in double
 *	op_end(&r);
 *
 * op_run() runs the operation twice, each time with outputs and scratch full of NaN and every buffer between guards (on
 * the emulated plugin the second time with blocks and threads in the reverse order). The running test fails if
 * anything but the outputs has changed, if the two runs differ in a bit, or if the padding of an output tensor is not
 * zero.
 */
#ifndef NAB_TESTS_HELPER_CUDA_H
#define NAB_TESTS_HELPER_CUDA_H

#include <stdbool.h>
#include <stdio.h>

#include "arch/shape.h"
#include "base/mem.h"
#include "base/rng.h"
#include "train/cuda/abi.h"

/* Skips the running test, saying why, if there is no plugin or no device. */
#define cuda_test_plugin() cuda_test_plugin_for(__func__)
const struct cuda_plugin *cuda_test_plugin_for(const char *test);
void cuda_test_choose(void);   /* the same choice, without opening it */
bool cuda_test_emulated(void); /* the plugin is the emulated one */

struct cuda_program;
struct graph;
struct recipe;
/* Lowers a network (train/backend_cuda_build.h), with scratch as if the plugin had been asked. */
void cuda_test_lower(struct cuda_program *p, const struct graph *g, const struct recipe *r, int batch, bool training,
		     struct arena *a);

enum { OP_BYTE = CUDA_I32 + 1 }; /* elements of one byte: ref.elem is then 0 */

struct op_buffer {
	int base;              /* enum cuda_base; CUDA_NONE: not used */
	int elem;              /* enum cuda_elem or OP_BYTE */
	int64_t n;             /* elements */
	struct cuda_dims dims; /* of a tensor; n = 0: no tensor, no padding */
	bool in, out;
	double *value; /* [n] before, and after op_run() the result */
	int64_t offset;
};

struct op_run {
	struct cuda_op op;
	struct cuda_control control; /* as it is before; after op_run() as it was left */
	struct op_buffer buf[CUDA_REFS];
	struct op_memory { /* of CUDA_DATA, CUDA_STEPS and so on: bytes that only the operation's fields point to */
		void *bytes;
		int64_t n;
		bool out;
	} memory[CUDA_BASES];
	/* An operation that runs before it, on the same memory: its buffer i is slot before_slot[i] - 1 (0: none). */
	bool has_before;
	struct cuda_op before;
	int before_slot[CUDA_REFS];
	struct rng *rng;
	struct arena *arena;
};

void op_begin(struct op_run *r, enum cuda_op_kind kind, struct rng *rng);
void op_end(struct op_run *r);

struct cuda_dims op_dims(int n, int h, int w, int c); /* pitch as it has to be */
int64_t op_count(const struct cuda_dims *d);          /* with padding */
struct cuda_dims op_dims_of(const struct shape *s, int n);

/* [n][c][h][w], as the oracles of arch/ have it, as the card has it: in the run's arena. */
double *op_rows(struct op_run *r, const struct cuda_dims *d, const double *t);

/* Inputs; what is returned may be changed before op_run() by the caller if it then calls op_round(). */
double *op_tensor(struct op_run *r, int slot, int elem, struct cuda_dims d); /* normal numbers */
double *op_values(struct op_run *r, int slot, int elem, int64_t n, const double *from /* NULL: normal numbers */);
double *op_give(struct op_run *r, int slot, int elem, struct cuda_dims d, double *t /* [n][c][h][w]: rounded, too */);
void op_round(struct op_run *r, int slot); /* to the element type; zeroes the padding of a tensor */

/* Outputs. op_changes(): an input that the operation writes in place. */
void op_result(struct op_run *r, int slot, int elem, struct cuda_dims d);
void op_flat(struct op_run *r, int slot, int elem, int64_t n);
void op_changes(struct op_run *r, int slot);

/* slot is the same memory as `other`: an operation in place. Call op_changes(other), too. */
void op_same(struct op_run *r, int slot, int other);

/* Puts a buffer elsewhere than into CUDA_SLAB. */
void op_base(struct op_run *r, int slot, int base);

/* The contents of another base, from its first byte; `out`: the operation may write there, op_bytes_got() reads it. */
void op_bytes(struct op_run *r, int base, const void *bytes, int64_t n, bool out);
const void *op_bytes_got(const struct op_run *r, int base);

/* Bytes that plan() wants kept from a forward to its backward (RECURRENT's buffer 5). */
int64_t op_reserve(struct cuda_op *op);

void op_run(struct op_run *r);
double *op_got(const struct op_run *r, int slot);

/* Fails the test if |got - want| > tolerance * |want| in the 2-norm, or anything is not finite. op_expect: 1e-5, and
 * 1e-2 for bf16. */
void op_expect(const struct op_run *r, int slot, const double *want);
void op_expect_within(const struct op_run *r, int slot, const double *want, double tolerance);
void op_expect_bits(const struct op_run *r, int slot, const double *want); /* equal, also zeros' values */

/* Fails the test, saying which operation it was, on what, and by which engine. */
#define op_fail(r, ...)                                   \
	do {                                              \
		char why_[512];                           \
		snprintf(why_, sizeof why_, __VA_ARGS__); \
		fail_msg("%s: %s", op_words(r), why_);    \
	} while (0)
const char *op_words(const struct op_run *r);

double op_rounded(int elem, double v); /* to the nearest even number of the type */

#endif
