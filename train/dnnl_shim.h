/* train/dnnl_shim.h - what the cpu backend needs of oneDNN, in one shape for its versions 2.x (2.6 or newer) and 3.x.
 * train/dnnl_shim.c is the only file that includes oneDNN's headers or knows its version.
 *
 * A struct dn holds an engine, a stream and everything made through it: layouts and primitives live until dn_close().
 * A primitive is chosen first, which is cheap (layouts, scratch size and name can be asked), and made for execution
 * later by dn_make() (code generation). Then its arguments are bound to memory once, and dn_run() executes it as often
 * as wanted. A struct dn and all of its things belong to one thread.
 *
 * Failures stick: a constructor that fails returns NULL (and so does one that is handed a NULL), and dn_check() tells
 * why. "Not implemented" is no failure: NULL without an error, so that the caller may try something else.
 *
 * Everything is fp32. Paddings before and after, dilation 1 = dense taps.
 */
#ifndef NAB_TRAIN_DNNL_SHIM_H
#define NAB_TRAIN_DNNL_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct dn;
struct dn_md;
struct dn_prim;

enum { DN_RANK_MAX = 5, DN_DIMS = 12 /* room that oneDNN reads in arrays of dimensions */ };

enum dn_arg {
	DN_SRC,
	DN_DST,
	DN_WEIGHTS,
	DN_BIAS,
	DN_MEAN,
	DN_VARIANCE,
	DN_SCALE,
	DN_SHIFT,
	DN_WORKSPACE,
	DN_SCRATCH,
	DN_DIFF_SRC,
	DN_DIFF_DST,
	DN_DIFF_WEIGHTS,
	DN_DIFF_BIAS,
	DN_DIFF_SCALE,
	DN_DIFF_SHIFT,
	DN_ARG_COUNT
};

enum dn_act { /* alpha: slope of relu below 0, factor of elu */
	      DN_ACT_NONE,
	      DN_RELU,
	      DN_ELU,
	      DN_TANH,
	      DN_LOGISTIC,
	      DN_GELU_TANH,
	      DN_GELU_ERF,
	      DN_SWISH,
	      DN_ACT_COUNT
};

int dn_open(struct dn **out, int threads, struct err *e);
void dn_close(struct dn *dn); /* accepts NULL */
int dn_check(const struct dn *dn, struct err *e);
/* "oneDNN 2.6.3, AVX-512 ..." */
void dn_describe(char *buf, size_t size);

/* ---- layouts -------------------------------------------------------------------------------------------- */

const struct dn_md *dn_plain(struct dn *dn, int rank, const int64_t *dims); /* row-major */
/* Rank 4, in blocks of 4, 8 or 16 channels. */
const struct dn_md *dn_blocked(struct dn *dn, const int64_t *dims, int block);
const struct dn_md *dn_any(struct dn *dn, int rank, const int64_t *dims); /* for a primitive to choose */
/* Weights of a convolution in blocks that suit the direct algorithm, for a primitive whose own layout is opaque. */
const struct dn_md *dn_weights_blocked(struct dn *dn, int rank, const int64_t *dims);
size_t dn_bytes(const struct dn_md *md); /* padding included; 0 for NULL */
bool dn_equal(const struct dn_md *a, const struct dn_md *b);
bool dn_opaque(const struct dn_md *md); /* only its primitive understands it */
int dn_rank(const struct dn_md *md);
const int64_t *dn_dims(const struct dn_md *md);
/* 1: row-major and dense. 4, 8, 16: [N][C/b][...][b], channels padded with zeros. 0: something else. */
int dn_block(const struct dn_md *md);

/* ---- primitives ----------------------------------------------------------------------------------------- */

struct dn_conv {                                        /* all of rank 4, weights of rank 5 when grouped */
	const struct dn_md *src, *weights, *bias, *dst; /* bias may be NULL */
	int64_t stride[DN_DIMS], dilation[DN_DIMS], before[DN_DIMS], after[DN_DIMS]; /* [0]: height, [1]: width */
	bool winograd, training;
	int skip;        /* pass over so many implementations (tuning) */
	enum dn_act act; /* applied to the result (forward) */
	float alpha;
};

/* The last argument of backward primitives: the forward one. */
struct dn_prim *dn_conv_forward(struct dn *dn, const struct dn_conv *c);
struct dn_prim *dn_conv_backward_data(struct dn *dn, const struct dn_conv *c, const struct dn_prim *forward);
struct dn_prim *dn_conv_backward_weights(struct dn *dn, const struct dn_conv *c, const struct dn_prim *forward);

struct dn_dense {
	const struct dn_md *src, *weights, *bias, *dst;
	bool training;
	enum dn_act act;
	float alpha;
};

struct dn_prim *dn_dense_forward(struct dn *dn, const struct dn_dense *c);
struct dn_prim *dn_dense_backward_data(struct dn *dn, const struct dn_dense *c, const struct dn_prim *forward);
struct dn_prim *dn_dense_backward_weights(struct dn *dn, const struct dn_dense *c, const struct dn_prim *forward);

struct dn_norm {
	const struct dn_md *data;
	float eps;
	bool affine, relu; /* relu: fused, with a workspace */
	bool training;
	bool running; /* mean and variance are inputs; always so unless training */
};

struct dn_prim *dn_norm_forward(struct dn *dn, const struct dn_norm *c);
struct dn_prim *dn_norm_backward(struct dn *dn, const struct dn_norm *c, const struct dn_prim *forward);

enum dn_pool_kind { DN_POOL_MAX, DN_POOL_AVG_ALL /* padding counts */, DN_POOL_AVG_VALID };

struct dn_pool {
	enum dn_pool_kind kind;
	const struct dn_md *src, *dst;
	int64_t size[DN_DIMS], stride[DN_DIMS], before[DN_DIMS], after[DN_DIMS];
	bool training; /* with a workspace */
};

struct dn_prim *dn_pool_forward(struct dn *dn, const struct dn_pool *c);
struct dn_prim *dn_pool_backward(struct dn *dn, const struct dn_pool *c, const struct dn_prim *forward);

/* Elementwise. The backward one reads DN_SRC, or with from_dst DN_DST (relu, elu, tanh, logistic alone). */
struct dn_prim *dn_act_forward(struct dn *dn, enum dn_act act, float alpha, const struct dn_md *md, bool from_dst);
struct dn_prim *dn_act_backward(struct dn *dn, enum dn_act act, float alpha, const struct dn_md *md, bool from_dst,
				const struct dn_prim *forward);

struct dn_prim *dn_reorder(struct dn *dn, const struct dn_md *from, const struct dn_md *to);

/* Layout that the primitive wants for an argument; NULL if it has none. Valid before dn_make(). */
const struct dn_md *dn_prim_md(struct dn *dn, const struct dn_prim *p, enum dn_arg arg);
size_t dn_prim_scratch(const struct dn_prim *p);
const char *dn_prim_name(const struct dn_prim *p); /* of the implementation: "jit:avx512_core" */

int dn_make(struct dn_prim *p, struct err *e);
int dn_bind(struct dn_prim *p, enum dn_arg arg, const struct dn_md *md, void *memory, struct err *e);
int dn_bind_scratch(struct dn_prim *p, void *memory, size_t bytes, struct err *e);
/* 0, or -1 if oneDNN reports a failure. */
int dn_run(struct dn_prim *p);
/* A primitive that is not needed any more (it is freed at dn_close otherwise). */
void dn_drop(struct dn *dn, struct dn_prim *p);

#endif
