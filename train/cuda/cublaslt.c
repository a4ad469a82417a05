/* train/cuda/cublaslt.c - dense layers by cuBLASLt.
 *
 * cuBLASLt counts columns first: a matrix [rows][columns] of ours is its matrix columns x rows. So with X
 *[n][features], W [units][features], Y [n][units] it computes
 *	Y' = W'^T X'	(+ bias, ReLU)		dX' = W' dY'		dW' = X' dY'^T
 * where ' marks a matrix as it sees it.
 *
 * The algorithm is what its heuristics name first among those whose sums have a fixed order, or (tune) the fastest of
 * those that they name. It is kept in the file of
 * choices; for a device that is only described there is none, and the plan reserves as much scratch as may be needed.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/cuda/nvidia.h"

enum { ALIGNMENT = 16, CANDIDATES = 8 };

static const int64_t most_bytes = (int64_t)4 << 20; /* of workspace */

struct product {
	cublasLtMatmulDesc_t desc;
	cublasLtMatrixLayout_t a, b, d;
	cublasLtMatmulAlgo_t algo;
	bool chosen; /* algo is set */
};

struct shape { /* of D = op(A) op(B), as cuBLASLt sees it: which buffers, and how they are stored */
	int buf[3];
	int64_t rows[3], columns[3];
	cublasOperation_t op[2];
};

static struct shape shape_of(const struct cuda_op *op)
{
	const struct cuda_op_dense *d = &op->u.dense;
	int64_t n = d->x.n, f = (int64_t)d->x.h * d->x.w * d->x.pitch, u = d->y.pitch;

	if (op->kind == CUDA_OP_DENSE)
		return (struct shape){ { 1, 0, 3 }, { f, f, u }, { u, n, n }, { CUBLAS_OP_T, CUBLAS_OP_N } };
	if (op->kind == CUDA_OP_DENSE_DATA)
		return (struct shape){ { 1, 0, 2 }, { f, u, f }, { u, n, n }, { CUBLAS_OP_N, CUBLAS_OP_N } };
	return (struct shape){ { 0, 1, 2 }, { f, u, f }, { n, n, u }, { CUBLAS_OP_N, CUBLAS_OP_T } };
}

static cudaDataType_t type_of(const struct cuda_ref *r)
{
	return r->elem == CUDA_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static bool has_bias(const struct cuda_op *op)
{
	return op->kind == CUDA_OP_DENSE && op->buf[2].base != CUDA_NONE;
}

static bool has_relu(const struct cuda_op *op)
{
	return op->kind == CUDA_OP_DENSE && op->u.dense.act == CUDA_ACT_RELU;
}

static void dense_key(const struct cuda_op *op, char *buf, size_t size)
{
	static const char *const names[] = { "forward", "data", "weight" };
	const struct cuda_op_dense *d = &op->u.dense;
	struct shape s = shape_of(op);

	snprintf(buf, size, "dense %s rows %d features %lld units %d elems %d%d%d bias %d relu %d math %d",
		 names[op->kind - CUDA_OP_DENSE], d->x.n, (long long)d->x.h * d->x.w * d->x.pitch, d->y.pitch,
		 op->buf[s.buf[0]].elem, op->buf[s.buf[1]].elem, op->buf[s.buf[2]].elem,
		 has_bias(op) ? op->buf[2].elem : -1, has_relu(op), d->math);
}

static int64_t dense_bytes(const struct cuda_op *op, int i)
{
	struct shape s = shape_of(op);

	for (int k = 0; k < 3; k++)
		if (s.buf[k] == i)
			return s.rows[k] * s.columns[k] * (op->buf[i].elem == CUDA_BF16 ? 2 : 4);
	return op->u.dense.y.pitch * 4L; /* the bias */
}

/* ---- descriptions --------------------------------------------------------------------------------------- */

static int set(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name, const void *value, size_t size,
	       struct cuda_error *e)
{
	return nvidia_cublaslt(nvidia_cublasLtMatmulDescSetAttribute(d, name, value, size), "describing a product", e);
}

static int set_int(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t name, int32_t value, struct cuda_error *e)
{
	return set(d, name, &value, sizeof value, e);
}

static int describe_epilogue(cublasLtMatmulDesc_t d, const struct cuda_op *op, struct cuda_error *e)
{
	bool bias = has_bias(op), relu = has_relu(op);

	if (set_int(d, CUBLASLT_MATMUL_DESC_EPILOGUE,
		    bias && relu ? CUBLASLT_EPILOGUE_RELU_BIAS
		    : bias       ? CUBLASLT_EPILOGUE_BIAS
				 : CUBLASLT_EPILOGUE_RELU,
		    e) < 0)
		return -1;
	return bias ? set_int(d, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, (int32_t)type_of(&op->buf[2]), e) : 0;
}

static int describe_layouts(struct product *p, const struct cuda_op *op, struct cuda_error *e)
{
	struct shape s = shape_of(op);
	cublasLtMatrixLayout_t *to[3] = { &p->a, &p->b, &p->d };

	for (int i = 0; i < 3; i++) {
		if (nvidia_cublaslt(nvidia_cublasLtMatrixLayoutCreate(to[i], type_of(&op->buf[s.buf[i]]),
								      (uint64_t)s.rows[i], (uint64_t)s.columns[i],
								      s.rows[i]),
				    "describing a matrix", e) < 0)
			return -1;
	}
	return 0;
}

static int describe(struct product *p, const struct cuda_op *op, bool fused, struct cuda_error *e)
{
	bool tf32 = op->buf[0].elem == CUDA_F32 && op->u.dense.math == CUDA_TF32;
	struct shape s = shape_of(op);

	if (nvidia_cublaslt(nvidia_cublasLtMatmulDescCreate(
				&p->desc, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
			    "describing a product", e) < 0 ||
	    set_int(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, (int32_t)s.op[0], e) < 0 ||
	    set_int(p->desc, CUBLASLT_MATMUL_DESC_TRANSB, (int32_t)s.op[1], e) < 0 ||
	    (fused && describe_epilogue(p->desc, op, e) < 0))
		return -1;
	return describe_layouts(p, op, e);
}

static void product_free(struct product *p)
{
	if (!p)
		return;
	if (p->desc)
		nvidia_cublasLtMatmulDescDestroy(p->desc);
	if (p->a)
		nvidia_cublasLtMatrixLayoutDestroy(p->a);
	if (p->b)
		nvidia_cublasLtMatrixLayoutDestroy(p->b);
	if (p->d)
		nvidia_cublasLtMatrixLayoutDestroy(p->d);
	free(p);
}

/* ---- algorithms ----------------------------------------------------------------------------------------- */

static int preferences(cublasLtMatmulPreference_t pref, struct cuda_error *e)
{
	/* parts of a split sum are added by a kernel of its own, in their order, or there are none */
	uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, align = ALIGNMENT;
	uint64_t bytes = (uint64_t)most_bytes;
	const struct {
		cublasLtMatmulPreferenceAttributes_t name;
		const void *value;
		size_t size;
	} rows[] = {
		{ CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes },
		{ CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes },
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &align, sizeof align },
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &align, sizeof align },
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &align, sizeof align },
		{ CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &align, sizeof align },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (nvidia_cublaslt(
			nvidia_cublasLtMatmulPreferenceSetAttribute(pref, rows[i].name, rows[i].value, rows[i].size),
			"saying what is wanted", e) < 0)
			return -1;
	}
	return 0;
}

/* Algorithms that may be taken, best first; none for a described device: there all is asked but the library. */
static int ask(const struct product *p, struct library *l, cublasLtMatmulHeuristicResult_t found[CANDIDATES], int *out,
	       struct cuda_error *e)
{
	cublasLtMatmulPreference_t pref = NULL;
	int n = 0, rc = nvidia_cublaslt(nvidia_cublasLtMatmulPreferenceCreate(&pref), "saying what is wanted", e);

	if (!rc)
		rc = preferences(pref, e);
	pthread_mutex_lock(&l->lock);
	if (!rc && l->lt)
		rc = nvidia_cublaslt(nvidia_cublasLtMatmulAlgoGetHeuristic(l->lt, p->desc, p->a, p->b, p->d, p->d, pref,
									   CANDIDATES, found, &n),
				     "choosing an algorithm", e);
	pthread_mutex_unlock(&l->lock);
	*out = 0;
	for (int i = 0; i < n && !rc; i++)
		if (found[i].state == CUBLAS_STATUS_SUCCESS && found[i].workspaceSize <= (size_t)most_bytes)
			found[(*out)++] = found[i];
	if (pref)
		nvidia_cublasLtMatmulPreferenceDestroy(pref);
	if (!rc && l->lt && !*out)
		rc = card_fail(e, CUDA_UNSUPPORTED, "cuBLASLt has no deterministic algorithm");
	return rc;
}

static void use(struct plan *p, const void *all, int i)
{
	const cublasLtMatmulHeuristicResult_t *of = &((const cublasLtMatmulHeuristicResult_t *)all)[i];

	p->product->algo = of->algo;
	p->product->chosen = true;
	p->workspace = (int64_t)of->workspaceSize;
}

static int choose(struct plan *p, struct library *l, const struct cuda_op *op, struct cuda_error *e)
{
	cublasLtMatmulHeuristicResult_t found[CANDIDATES];
	int n;

	if (ask(p->product, l, found, &n, e) < 0)
		return -1;
	p->workspace = most_bytes;
	if (n)
		use(p, found, measure_fastest(l, &nvidia_dense, p, op, most_bytes, use, found, p->tune ? n : 1));
	return 0;
}

static uint32_t config(const cublasLtMatmulAlgo_t *algo, cublasLtMatmulAlgoConfigAttributes_t name)
{
	uint32_t v = 0;
	size_t got;

	nvidia_cublasLtMatmulAlgoConfigGetAttribute(algo, name, &v, sizeof v, &got);
	return v;
}

/* ---- the part of dense layers --------------------------------------------------------------------------- */

static void dense_release(struct plan *p)
{
	product_free(p->product);
	p->product = NULL;
}

/* A plan with or without bias and ReLU in it. */
static int attempt(struct plan *p, struct library *l, const struct cuda_op *op, bool fused, struct cuda_error *e)
{
	p->leaves_bias = !fused && (has_bias(op) || has_relu(op));
	p->product = calloc(1, sizeof *p->product);
	if (!p->product)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	if (describe(p->product, op, fused, e) == 0 && choose(p, l, op, e) == 0)
		return 0;
	dense_release(p);
	return -1;
}

static int dense_make(struct library *l, struct plan *p, const struct cuda_op *op, struct cuda_error *e)
{
	struct cuda_error ignored = { 0 };
	const cublasLtMatmulAlgo_t *algo;

	if (!((has_bias(op) || has_relu(op)) && attempt(p, l, op, true, &ignored) == 0) &&
	    attempt(p, l, op, false, e) < 0)
		return -1;
	algo = &p->product->algo;
	if (!p->product->chosen) {
		snprintf(p->words, sizeof p->words, "cuBLASLt, algorithm chosen on the card");
		return 0;
	}
	snprintf(p->words, sizeof p->words, "cuBLASLt algorithm %u (tile %u, stages %u, split %u), %lld B",
		 config(algo, CUBLASLT_ALGO_CONFIG_ID), config(algo, CUBLASLT_ALGO_CONFIG_TILE_ID),
		 config(algo, CUBLASLT_ALGO_CONFIG_STAGES_ID), config(algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
		 (long long)p->workspace);
	return 0;
}

/* An algorithm is an opaque value, which may be kept for the same version of the library. */
static char *dense_save(const struct plan *p)
{
	char json[64 + 16 * 8 + 8], *at = json;

	static_assert(sizeof p->product->algo.data == 64, "an algorithm");
	if (!p->product->chosen)
		return NULL;
	at += sprintf(at, "{\"workspace\":%lld,\"algorithm\":\"", (long long)p->workspace);
	for (int i = 0; i < 8; i++)
		at += sprintf(at, "%016llx", (unsigned long long)p->product->algo.data[i]);
	sprintf(at, "\"}");
	return strdup(json);
}

static bool read_algorithm(struct plan *p, const char *json)
{
	long long workspace;
	char hex[129];

	if (sscanf(json, "{\"workspace\":%lld,\"algorithm\":\"%128[0-9a-f]\"", &workspace, hex) != 2 ||
	    strlen(hex) != 128 || workspace < 0 || workspace > most_bytes)
		return false;
	for (int i = 7; i >= 0; i--) {
		p->product->algo.data[i] = strtoull(&hex[16 * i], NULL, 16);
		hex[16 * i] = 0;
	}
	p->workspace = workspace;
	p->product->chosen = true;
	return true;
}

static bool dense_load(struct library *l, struct plan *p, const struct cuda_op *op, const char *json)
{
	bool fused = !p->leaves_bias && (has_bias(op) || has_relu(op));
	struct cuda_error ignored = { 0 };

	p->product = l->lt ? calloc(1, sizeof *p->product) : NULL;
	if (p->product && read_algorithm(p, json) && describe(p->product, op, fused, &ignored) == 0)
		return true;
	dense_release(p);
	return false;
}

static int dense_run(struct library_lane *lane, struct plan *p, const struct cuda_op *op,
		     const uint64_t base[CUDA_BASES], struct cuda_error *e)
{
	const struct product *q = p->product;
	struct shape s = shape_of(op);
	void *at[3], *bias = nvidia_at(&op->buf[2], base);
	float one = 1, zero = 0;

	for (int i = 0; i < 3; i++)
		at[i] = nvidia_at(&op->buf[s.buf[i]], base);
	if (has_bias(op) && !p->leaves_bias &&
	    set(q->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias, e) < 0)
		return -1;
	return nvidia_cublaslt(nvidia_cublasLtMatmul(lane->library->lt, q->desc, &one, at[0], q->a, at[1], q->b, &zero,
						     at[2], q->d, at[2], q->d, &q->algo, nvidia_at(&op->scratch, base),
						     (size_t)p->workspace, lane->stream),
			       "running a product", e);
}

const struct nvidia_part nvidia_dense = { dense_key,  dense_bytes, dense_make,   dense_load,
					  dense_save, dense_run,   dense_release };
