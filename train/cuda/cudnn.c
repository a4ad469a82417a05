/* train/cuda/cudnn.c - convolutions by cuDNN's graph API, in plain C.
 *
 * An operation becomes a graph of one to three cuDNN operations (convolution, + bias, ReLU); cuDNN's heuristics name
 * engines, best first; the first one that is allowed is taken, or (tune) the fastest of the first few: compiled before
 * (no compiler runs while networks train), deterministic, in the wanted precision, on tensor cores where these may be
 * used, with a bearable workspace. All of it works without a driver, for a device that is only described.
 *
 * In cuDNN's words a tensor is [n][c][h][w] with strides: ours have channels last, and whole pitches of them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/cuda/nvidia.h"

typedef cudnnBackendDescriptor_t desc;

enum { DESCS = 24, CONFIGS = 64, NOTES = 16, KNOBS = 32, TRIED = 6 /* when engines are timed */ };
enum { UID_X = 1, UID_W, UID_Y, UID_BIAS, UID_PRODUCT, UID_SUM };

static const int64_t easy_bytes = (int64_t)64 << 20, most_bytes = (int64_t)1 << 30; /* of workspace */

/* Descriptors that are made one after the other; after the first failure nothing more is done. */
struct build {
	desc all[DESCS];
	int n;
	cudnnStatus_t rc;
};

static desc make(struct build *b, cudnnBackendDescriptorType_t type)
{
	desc d = NULL;

	if (!b->rc)
		b->rc = nvidia_cudnnBackendCreateDescriptor(type, &d);
	if (!b->rc)
		b->all[b->n++] = d;
	return d;
}

static void set(struct build *b, desc d, int name, cudnnBackendAttributeType_t type, int64_t n, const void *values)
{
	if (!b->rc)
		b->rc = nvidia_cudnnBackendSetAttribute(d, (cudnnBackendAttributeName_t)name, type, n, values);
}

static void set_desc(struct build *b, desc d, int name, desc value)
{
	set(b, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void set_type(struct build *b, desc d, int name, cudnnDataType_t value)
{
	set(b, d, name, CUDNN_TYPE_DATA_TYPE, 1, &value);
}

static desc finish(struct build *b, desc d)
{
	if (!b->rc)
		b->rc = nvidia_cudnnBackendFinalize(d);
	return d;
}

static void build_release(struct build *b)
{
	while (b->n)
		nvidia_cudnnBackendDestroyDescriptor(b->all[--b->n]);
}

/* ---- graphs --------------------------------------------------------------------------------------------- */

/* The buffer of the operation that holds cuDNN's x, w and y. */
static const struct cuda_ref *role(const struct cuda_op *op, int uid)
{
	static const int8_t buf[3][3] = { { 0, 1, 3 }, { 2, 1, 0 }, { 0, 2, 1 } }; /* CONV, CONV_DATA, CONV_WEIGHT */

	if (uid == UID_BIAS)
		return &op->buf[2];
	return &op->buf[buf[op->kind - CUDA_OP_CONV][uid - UID_X]];
}

static bool has_bias(const struct cuda_op *op)
{
	return op->kind == CUDA_OP_CONV && op->buf[2].base != CUDA_NONE;
}

static bool has_relu(const struct cuda_op *op)
{
	return op->kind == CUDA_OP_CONV && op->u.conv.act == CUDA_ACT_RELU;
}

static cudnnDataType_t type_of(const struct cuda_ref *r)
{
	return r->elem == CUDA_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

/* dims: n, c, h, w. A tensor that is not stored has type float. */
static desc tensor(struct build *b, int64_t uid, const int64_t dims[4], const struct cuda_ref *stored)
{
	desc d = make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
	int64_t c = dims[1], h = dims[2], w = dims[3], align = 16;
	int64_t strides[4] = { c * h * w, 1, c * w, c };
	bool hidden = !stored;

	set_type(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, stored ? type_of(stored) : CUDNN_DATA_FLOAT);
	set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
	set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
	set(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
	set(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &align);
	if (hidden)
		set(b, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &hidden);
	return finish(b, d);
}

static desc window(struct build *b, const struct cuda_op_conv *c)
{
	desc d = make(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
	cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
	int64_t two = 2, v[2];

	set_type(b, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
	set(b, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
	set(b, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two);
#define PAIR(name, from) (v[0] = (from)[0], v[1] = (from)[1], set(b, d, name, CUDNN_TYPE_INT64, 2, v))
	PAIR(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, c->before);
	PAIR(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, c->after);
	PAIR(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, c->stride);
	PAIR(CUDNN_ATTR_CONVOLUTION_DILATIONS, c->dilation);
#undef PAIR
	return finish(b, d);
}

static desc convolve(struct build *b, const struct cuda_op *op, desc win, desc x, desc w, desc y)
{
#define FORWARD(a) CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_##a
#define DATA(a)    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_##a
#define WEIGHT(a)  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_##a
	static const struct names {
		cudnnBackendDescriptorType_t type;
		int window, x, w, y, alpha, beta;
	} kinds[] = {
		{ CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, FORWARD(CONV_DESC), FORWARD(X), FORWARD(W),
		  FORWARD(Y), FORWARD(ALPHA), FORWARD(BETA) },
		{ CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, DATA(CONV_DESC), DATA(DX), DATA(W),
		  DATA(DY), DATA(ALPHA), DATA(BETA) },
		{ CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, WEIGHT(CONV_DESC), WEIGHT(X),
		  WEIGHT(DW), WEIGHT(DY), WEIGHT(ALPHA), WEIGHT(BETA) },
	};
#undef FORWARD
#undef DATA
#undef WEIGHT
	const struct names *k = &kinds[op->kind - CUDA_OP_CONV];
	desc d = make(b, k->type);
	float one = 1, zero = 0;

	set_desc(b, d, k->window, win);
	set_desc(b, d, k->x, x);
	set_desc(b, d, k->w, w);
	set_desc(b, d, k->y, y);
	set(b, d, k->alpha, CUDNN_TYPE_FLOAT, 1, &one);
	set(b, d, k->beta, CUDNN_TYPE_FLOAT, 1, &zero);
	return finish(b, d);
}

/* y = x + other, or y = mode(x) if other is NULL. */
static desc pointwise(struct build *b, cudnnPointwiseMode_t mode, desc x, desc other, desc y)
{
	desc p = make(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR), d;

	set(b, p, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
	set_type(b, p, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
	finish(b, p);
	d = make(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
	set_desc(b, d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, p);
	set_desc(b, d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
	if (other)
		set_desc(b, d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
	set_desc(b, d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
	return finish(b, d);
}

/* The graph of the operation; fused: with bias and ReLU. */
static desc graph(struct build *b, const struct cuda_op *op, bool fused)
{
	const struct cuda_op_conv *c = &op->u.conv;
	const int64_t xd[4] = { c->x.n, c->x.pitch, c->x.h, c->x.w }, wd[4] = { c->y.pitch, c->x.pitch, c->kh, c->kw };
	const int64_t yd[4] = { c->y.n, c->y.pitch, c->y.h, c->y.w }, bd[4] = { 1, c->y.pitch, 1, 1 };
	bool bias = fused && has_bias(op), relu = fused && has_relu(op);
	desc y = tensor(b, UID_Y, yd, role(op, UID_Y)), product = y, sum = y, ops[3], d;
	int n = 0;

	if (bias || relu)
		product = tensor(b, UID_PRODUCT, yd, NULL);
	if (bias && relu)
		sum = tensor(b, UID_SUM, yd, NULL);
	ops[n++] = convolve(b, op, window(b, c), tensor(b, UID_X, xd, role(op, UID_X)),
			    tensor(b, UID_W, wd, role(op, UID_W)), product);
	if (bias)
		ops[n++] = pointwise(b, CUDNN_POINTWISE_ADD, product, tensor(b, UID_BIAS, bd, role(op, UID_BIAS)), sum);
	if (relu)
		ops[n++] = pointwise(b, CUDNN_POINTWISE_RELU_FWD, bias ? sum : product, NULL, y);
	d = make(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
	set(b, d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, ops);
	return finish(b, d);
}

/* ---- engines -------------------------------------------------------------------------------------------- */

struct engine {
	int64_t index, workspace;
	bool tensor_cores, allowed;
	char knobs[200]; /* "type=value ..." */
};

static bool noted(desc engine, int name, cudnnBackendAttributeType_t type, uint32_t *bits)
{
	int32_t notes[NOTES]; /* enums */
	int64_t n = 0;

	static_assert(sizeof(cudnnBackendNumericalNote_t) == 4 && sizeof(cudnnBackendBehaviorNote_t) == 4, "enums");
	*bits = 0;
	if (nvidia_cudnnBackendGetAttribute(engine, (cudnnBackendAttributeName_t)name, type, NOTES, &n, notes))
		return false;
	for (int64_t i = 0; i < n && i < NOTES; i++)
		*bits |= 1U << notes[i];
	return true;
}

/* What an engine must not do: it depends on what was asked for. */
static uint32_t unwanted_notes(const struct cuda_op *op)
{
	uint32_t bits = 1U << CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC |
			1U << CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION | 1U << CUDNN_NUMERICAL_NOTE_FFT |
			1U << CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6 | 1U << CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13;
	bool floats = op->buf[0].elem == CUDA_F32;

	if (floats)
		bits |= 1U << CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
	if (floats && op->u.conv.math == CUDA_STRICT)
		bits |= 1U << CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
	return bits;
}

static void read_knobs(desc config, char *out, size_t size)
{
	desc knob[KNOBS] = { 0 };
	int64_t n = 0, value, one;
	cudnnBackendKnobType_t type;
	size_t len = 0;

	*out = 0;
	for (int i = 0; i < KNOBS; i++)
		nvidia_cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knob[i]);
	nvidia_cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, KNOBS,
					&n, knob);
	for (int i = 0; i < n && i < KNOBS && len < size; i++) {
		if (nvidia_cudnnBackendGetAttribute(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1,
						    &one, &type) ||
		    nvidia_cudnnBackendGetAttribute(knob[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1,
						    &one, &value))
			continue;
		len +=
		    (size_t)snprintf(out + len, size - len, "%s%d=%lld", len ? " " : "", (int)type, (long long)value);
	}
	for (int i = 0; i < KNOBS; i++) {
		if (knob[i])
			nvidia_cudnnBackendDestroyDescriptor(knob[i]);
	}
}

/* What a configuration is, before a plan is made of it. */
static void look_at(struct engine *out, desc config, uint32_t unwanted)
{
	desc engine = NULL;
	uint32_t numerical, behavior;
	int64_t n = 0;

	*out = (struct engine){ 0 };
	if (nvidia_cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine))
		return;
	if (!nvidia_cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n,
					     &engine) &&
	    !nvidia_cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &n,
					     &out->index) &&
	    noted(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, &numerical) &&
	    noted(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, &behavior)) {
		out->tensor_cores = numerical >> CUDNN_NUMERICAL_NOTE_TENSOR_CORE & 1;
		out->allowed = !(numerical & unwanted) && !(behavior >> CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION & 1);
	}
	nvidia_cudnnBackendDestroyDescriptor(engine);
}

/* The plan of a configuration, or the one that cuDNN wrote as JSON; NULL if it does not work. */
static desc plan_new(const struct library *l, desc config, const char *json, int64_t *workspace)
{
	struct build b = { 0 };
	desc p = make(&b, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
	int64_t n = 0;

	if (json)
		set(&b, p, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, (int64_t)strlen(json), json);
	else
		set_desc(&b, p, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
	set_desc(&b, p, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, l->properties);
	finish(&b, p);
	if (!b.rc)
		b.rc = nvidia_cudnnBackendGetAttribute(p, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
						       &n, workspace);
	if (!b.rc)
		return p;
	build_release(&b);
	return NULL;
}

struct pick {
	desc plan;
	struct engine engine;
};

struct picks { /* equally good by what is known of them, in cuDNN's order: it thinks earlier ones faster */
	struct pick of[TRIED];
	int n, most; /* as many as are wanted */
	int score;   /* theirs; 0 is as good as can be */
};

static void picks_release(struct picks *all)
{
	while (all->n)
		nvidia_cudnnBackendDestroyDescriptor(all->of[--all->n].plan);
}

static bool wanted(const struct picks *all, int score)
{
	return !all->n || score < all->score || (score == all->score && all->n < all->most);
}

static bool enough(const struct picks *all)
{
	return all->n == all->most && !all->score;
}

/* Takes the configuration if it is better than what there is, or as good and there is room. */
static void consider(struct picks *all, const struct library *l, desc config, uint32_t unwanted)
{
	bool wants_tensor_cores = !(unwanted >> CUDNN_NUMERICAL_NOTE_TENSOR_CORE & 1);
	struct engine engine;
	desc p;
	int score;

	look_at(&engine, config, unwanted);
	score = wants_tensor_cores && !engine.tensor_cores;
	if (!engine.allowed || !wanted(all, score))
		return;
	p = plan_new(l, config, NULL, &engine.workspace);
	if (!p)
		return;
	score += engine.workspace > easy_bytes ? 2 : 0;
	if (engine.workspace > most_bytes || !wanted(all, score)) {
		nvidia_cudnnBackendDestroyDescriptor(p);
		return;
	}
	read_knobs(config, engine.knobs, sizeof engine.knobs);
	if (all->n && score < all->score)
		picks_release(all);
	all->score = score;
	all->of[all->n++] = (struct pick){ p, engine };
}

static void ask(struct picks *all, const struct library *l, desc g, cudnnBackendHeurMode_t mode, uint32_t unwanted)
{
	struct build b = { 0 };
	desc h = make(&b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR), configs[CONFIGS] = { 0 };
	int64_t n = 0, got = 0;

	set_desc(&b, h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, g);
	set(&b, h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
	set_desc(&b, h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, l->properties);
	finish(&b, h);
	if (!b.rc)
		b.rc = nvidia_cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
						       0, &n, NULL);
	if (n > CONFIGS)
		n = CONFIGS;
	for (int64_t i = 0; i < n && !b.rc; i++)
		b.rc = nvidia_cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[i]);
	if (!b.rc && n)
		b.rc = nvidia_cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
						       n, &got, configs);
	for (int64_t i = 0; i < got && !b.rc && !enough(all); i++)
		consider(all, l, configs[i], unwanted);
	for (int64_t i = 0; i < n; i++) {
		if (configs[i])
			nvidia_cudnnBackendDestroyDescriptor(configs[i]);
	}
	build_release(&b);
}

/* Engines that are allowed, none if there are none; -1 with e if the graph itself is wrong. The fallbacks are for where
 * there is nothing as good as can be. */
static int choose(struct picks *all, const struct library *l, const struct cuda_op *op, bool fused,
		  struct cuda_error *e)
{
	static const cudnnBackendHeurMode_t modes[] = { CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK };
	struct build b = { 0 };
	desc g = graph(&b, op, fused);
	int rc = nvidia_cudnn(b.rc, "describing a convolution", e);

	for (int i = 0; i < 2 && !rc && (!all->n || all->score); i++)
		ask(all, l, g, modes[i], unwanted_notes(op));
	build_release(&b);
	return rc;
}

/* ---- the part of convolutions --------------------------------------------------------------------------- */

static void conv_key(const struct cuda_op *op, char *buf, size_t size)
{
	static const char *const names[] = { "forward", "data", "weight" };
	const struct cuda_op_conv *c = &op->u.conv;

	snprintf(
	    buf, size,
	    "conv %s n %d x %d.%d.%d y %d.%d.%d window %d.%d stride %d.%d dilation %d.%d pad %d.%d.%d.%d elems %d%d%d "
	    "bias %d relu %d math %d",
	    names[op->kind - CUDA_OP_CONV], c->x.n, c->x.h, c->x.w, c->x.pitch, c->y.h, c->y.w, c->y.pitch, c->kh,
	    c->kw, c->stride[0], c->stride[1], c->dilation[0], c->dilation[1], c->before[0], c->before[1], c->after[0],
	    c->after[1], role(op, UID_X)->elem, role(op, UID_W)->elem, role(op, UID_Y)->elem,
	    has_bias(op) ? op->buf[2].elem : -1, has_relu(op), c->math);
}

/* Whether cuDNN may have a compiled engine with bias and activation. Of other graphs it has none (9.19), and takes half
 * a second to say so. */
static bool fusible(const struct cuda_op *op)
{
	return has_bias(op) && op->buf[2].elem == op->buf[3].elem;
}

static int64_t conv_bytes(const struct cuda_op *op, int i)
{
	const struct cuda_op_conv *c = &op->u.conv;
	int64_t x = (int64_t)c->x.n * c->x.h * c->x.w * c->x.pitch, y = (int64_t)c->y.n * c->y.h * c->y.w * c->y.pitch;
	int64_t n = &op->buf[i] == role(op, UID_X)   ? x
		    : &op->buf[i] == role(op, UID_Y) ? y
		    : &op->buf[i] == role(op, UID_W) ? (int64_t)c->y.pitch * c->kh * c->kw * c->x.pitch
						     : c->y.pitch;

	return n * (op->buf[i].elem == CUDA_BF16 ? 2 : 4);
}

static void use(struct plan *p, const void *all, int i)
{
	const struct pick *of = &((const struct picks *)all)->of[i];
	const struct engine *n = &of->engine;

	p->cudnn = of->plan;
	p->workspace = n->workspace;
	snprintf(p->words, sizeof p->words, "cuDNN engine %lld%s%s%s, %s, %lld B", (long long)n->index,
		 *n->knobs ? " (" : "", n->knobs, *n->knobs ? ")" : "",
		 n->tensor_cores ? "tensor cores" : "no tensor cores", (long long)p->workspace);
}

static int conv_make(struct library *l, struct plan *p, const struct cuda_op *op, struct cuda_error *e)
{
	struct picks all = { .most = p->tune ? TRIED : 1 };
	int best;

	if (fusible(op) && choose(&all, l, op, true, e) < 0)
		return -1;
	if (!all.n) {
		p->leaves_bias = has_bias(op) || has_relu(op);
		if (choose(&all, l, op, false, e) < 0)
			return -1;
	}
	if (!all.n)
		return card_fail(e, CUDA_UNSUPPORTED, "cuDNN has no deterministic, compiled engine for %s", p->key);
	best = measure_fastest(l, &nvidia_conv, p, op, all.score < 2 ? easy_bytes : most_bytes, use, &all, all.n);
	use(p, &all, best);
	all.of[best] = all.of[--all.n];
	picks_release(&all);
	return 0;
}

static char *conv_save(const struct plan *p)
{
	int64_t n = 0, got = 0;
	char *json = NULL;

	if (!nvidia_cudnnBackendGetAttribute(p->cudnn, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
					     0, &n, NULL))
		json = calloc(1, (size_t)n + 1);
	if (json && nvidia_cudnnBackendGetAttribute(p->cudnn, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
						    CUDNN_TYPE_CHAR, n, &got, json))
		json[0] = 0;
	return json;
}

static bool conv_load(struct library *l, struct plan *p, const struct cuda_op *op, const char *json)
{
	(void)op;
	p->cudnn = plan_new(l, NULL, json, &p->workspace);
	return p->cudnn != NULL;
}

static int conv_run(struct library_lane *lane, struct plan *p, const struct cuda_op *op,
		    const uint64_t base[CUDA_BASES], struct cuda_error *e)
{
	struct build b = { 0 };
	desc pack = make(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
	int64_t uids[4] = { UID_X, UID_W, UID_Y, UID_BIAS };
	void *at[4], *workspace = nvidia_at(&op->scratch, base);
	int n = has_bias(op) && !p->leaves_bias ? 4 : 3;

	for (int i = 0; i < n; i++)
		at[i] = nvidia_at(role(op, (int)uids[i]), base);
	set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, uids);
	set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, at);
	set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
	finish(&b, pack);
	if (!b.rc)
		b.rc = nvidia_cudnnBackendExecute(lane->cudnn, p->cudnn, pack);
	build_release(&b);
	return nvidia_cudnn(b.rc, "running a convolution", e);
}

static void conv_release(struct plan *p)
{
	if (p->cudnn)
		nvidia_cudnnBackendDestroyDescriptor(p->cudnn);
}

const struct nvidia_part nvidia_conv = {
	conv_key, conv_bytes, conv_make, conv_load, conv_save, conv_run, conv_release
};

/* ---- devices -------------------------------------------------------------------------------------------- */

int nvidia_properties(cudnnBackendDescriptor_t *out, int device, const char *description, struct cuda_error *e)
{
	struct build b = { 0 };
	desc d = make(&b, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
	int32_t id = device;

	if (description)
		set(&b, d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, (int64_t)strlen(description),
		    description);
	else
		set(&b, d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1, &id);
	finish(&b, d);
	if (!b.rc)
		*out = d;
	else
		build_release(&b);
	return nvidia_cudnn(b.rc, "describing the device", e);
}
