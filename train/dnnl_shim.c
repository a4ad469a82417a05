/* train/dnnl_shim.c - see dnnl_shim.h. In oneDNN 2 an operation descriptor is filled and then handed to one function
 * that looks for an implementation, and memory descriptors are plain structs; in oneDNN 3 there is one function per
 * operation, and memory descriptors are opaque objects. The differences stay inside `#if V3`. */
#include "train/dnnl_shim.h"

#include <assert.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define V3 (DNNL_VERSION_MAJOR >= 3)
_Static_assert(DN_DIMS == DNNL_MAX_NDIMS, "arrays of dimensions have oneDNN's length");

struct dn_md {
	dnnl_memory_desc_t d;
	int rank;
	int64_t dims[DN_DIMS];
	struct dn_md *next;
};

#if V3
#define MD_PTR   const_dnnl_memory_desc_t
#define MD_OF(m) ((m)->d)
#else
#define MD_PTR   const dnnl_memory_desc_t *
#define MD_OF(m) (&(m)->d)
#endif
#define MD_OPT(m) ((m) ? MD_OF(m) : NULL)

struct dn_prim {
	struct dn *dn;
	dnnl_primitive_desc_t pd;
	dnnl_primitive_t prim;
	dnnl_exec_arg_t *args;
	int n_args, cap_args;
	bool no_shift; /* a backward normalisation: oneDNN 2 wants the shift, oneDNN 3 refuses it */
	struct dn_prim *next;
};

struct dn {
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	dnnl_primitive_attr_t attr; /* scratchpad handed over by the user */
	struct dn_md *mds;
	struct dn_prim *prims;
	struct err err;
};

static const int arg_numbers[DN_ARG_COUNT] = {
	[DN_SRC] = DNNL_ARG_SRC,
	[DN_DST] = DNNL_ARG_DST,
	[DN_WEIGHTS] = DNNL_ARG_WEIGHTS,
	[DN_BIAS] = DNNL_ARG_BIAS,
	[DN_MEAN] = DNNL_ARG_MEAN,
	[DN_VARIANCE] = DNNL_ARG_VARIANCE,
	[DN_SCALE] = DNNL_ARG_SCALE,
	[DN_SHIFT] = DNNL_ARG_SHIFT,
	[DN_WORKSPACE] = DNNL_ARG_WORKSPACE,
	[DN_SCRATCH] = DNNL_ARG_SCRATCHPAD,
	[DN_DIFF_SRC] = DNNL_ARG_DIFF_SRC,
	[DN_DIFF_DST] = DNNL_ARG_DIFF_DST,
	[DN_DIFF_WEIGHTS] = DNNL_ARG_DIFF_WEIGHTS,
	[DN_DIFF_BIAS] = DNNL_ARG_DIFF_BIAS,
	[DN_DIFF_SCALE] = DNNL_ARG_DIFF_SCALE,
	[DN_DIFF_SHIFT] = DNNL_ARG_DIFF_SHIFT,
};

static int failed(struct dn *dn, dnnl_status_t s, const char *what)
{
	if (s == dnnl_success)
		return 0;
	if (s != dnnl_unimplemented)
		ERR(&dn->err, ERR_RUNTIME, NULL, "oneDNN cannot make %s (status %d)", what, (int)s);
	return -1;
}

/* ---- engine --------------------------------------------------------------------------------------------- */

int dn_open(struct dn **out, int threads, struct err *e)
{
	struct dn *dn = mem_new(sizeof *dn);

	omp_set_num_threads(threads);
	if (dnnl_engine_create(&dn->engine, dnnl_cpu, 0) != dnnl_success ||
	    dnnl_stream_create(&dn->stream, dn->engine, dnnl_stream_default_flags) != dnnl_success ||
	    dnnl_primitive_attr_create(&dn->attr) != dnnl_success ||
	    dnnl_primitive_attr_set_scratchpad_mode(dn->attr, dnnl_scratchpad_mode_user) != dnnl_success) {
		dn_close(dn);
		return ERR(e, ERR_RUNTIME, NULL, "oneDNN cannot open a CPU engine on this machine");
	}
	*out = dn;
	return 0;
}

static void prim_free(struct dn_prim *p)
{
	for (int i = 0; i < p->n_args; i++)
		dnnl_memory_destroy(p->args[i].memory);
	mem_free(p->args);
	if (p->prim)
		dnnl_primitive_destroy(p->prim);
	dnnl_primitive_desc_destroy(p->pd);
	mem_free(p);
}

void dn_close(struct dn *dn)
{
	if (!dn)
		return;
	for (struct dn_prim *p = dn->prims, *next; p; p = next) {
		next = p->next;
		prim_free(p);
	}
	for (struct dn_md *m = dn->mds, *next; m; m = next) {
		next = m->next;
#if V3
		dnnl_memory_desc_destroy(m->d);
#endif
		mem_free(m);
	}
	if (dn->attr)
		dnnl_primitive_attr_destroy(dn->attr);
	if (dn->stream)
		dnnl_stream_destroy(dn->stream);
	if (dn->engine)
		dnnl_engine_destroy(dn->engine);
	mem_free(dn);
}

void dn_drop(struct dn *dn, struct dn_prim *p)
{
	struct dn_prim **at = &dn->prims;

	if (!p)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	prim_free(p);
}

int dn_check(const struct dn *dn, struct err *e)
{
	if (dn->err.code == ERR_NONE)
		return 0;
	return ERR(e, dn->err.code, NULL, "%s", dn->err.msg);
}

static const char *isa_name(dnnl_cpu_isa_t isa)
{
	if ((isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16)
		return "AVX-512 with bfloat16";
	if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core)
		return "AVX-512";
	if ((isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2)
		return "AVX2";
	return "no AVX2";
}

void dn_describe(char *buf, size_t size)
{
	const dnnl_version_t *v = dnnl_version();

	snprintf(buf, size, "oneDNN %d.%d.%d, %s", v->major, v->minor, v->patch,
		 isa_name(dnnl_get_effective_cpu_isa()));
}

/* ---- layouts -------------------------------------------------------------------------------------------- */

static struct dn_md *md_keep(struct dn *dn, int rank, const int64_t *dims)
{
	struct dn_md *m = mem_new(sizeof *m);

	assert(rank <= DN_RANK_MAX);
	m->rank = rank;
	memcpy(m->dims, dims, (size_t)rank * sizeof *dims);
	m->next = dn->mds;
	dn->mds = m;
	return m;
}

static dnnl_status_t md_by_tag(dnnl_memory_desc_t *d, int rank, const int64_t *dims, dnnl_format_tag_t tag)
{
	dnnl_dims_t full = { 0 };

	memcpy(full, dims, (size_t)rank * sizeof *dims);
#if V3
	return dnnl_memory_desc_create_with_tag(d, rank, full, dnnl_f32, tag);
#else
	return dnnl_memory_desc_init_by_tag(d, rank, full, dnnl_f32, tag);
#endif
}

static const struct dn_md *md_new(struct dn *dn, int rank, const int64_t *dims, dnnl_format_tag_t tag)
{
	struct dn_md *m = md_keep(dn, rank, dims);

	if (failed(dn, md_by_tag(&m->d, rank, dims, tag), "a layout") < 0) {
		dn->mds = m->next;
		mem_free(m);
		return NULL;
	}
	return m;
}

const struct dn_md *dn_plain(struct dn *dn, int rank, const int64_t *dims)
{
	static const dnnl_format_tag_t tags[] = { dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde };

	return md_new(dn, rank, dims, tags[rank - 1]);
}

const struct dn_md *dn_blocked(struct dn *dn, const int64_t *dims, int block)
{
	return md_new(dn, 4, dims, block == 16 ? dnnl_aBcd16b : block == 8 ? dnnl_aBcd8b : dnnl_aBcd4b);
}

const struct dn_md *dn_any(struct dn *dn, int rank, const int64_t *dims)
{
	return md_new(dn, rank, dims, dnnl_format_tag_any);
}

const struct dn_md *dn_weights_blocked(struct dn *dn, int rank, const int64_t *dims)
{
	if (rank == 5)
		return md_new(dn, rank, dims, dnnl_abcde);
	return md_new(dn, rank, dims, dims[0] % 16 == 0 && dims[1] % 16 == 0 ? dnnl_ABcd16b16a : dnnl_abcd);
}

size_t dn_bytes(const struct dn_md *md)
{
	return md ? dnnl_memory_desc_get_size(MD_OF(md)) : 0;
}

bool dn_equal(const struct dn_md *a, const struct dn_md *b)
{
	return dnnl_memory_desc_equal(MD_OF(a), MD_OF(b));
}

bool dn_opaque(const struct dn_md *md)
{
#if V3
	dnnl_format_kind_t kind;

	return dnnl_memory_desc_query(md->d, dnnl_query_format_kind, &kind) != dnnl_success || kind != dnnl_blocked;
#else
	return md->d.format_kind != dnnl_blocked;
#endif
}

int dn_rank(const struct dn_md *md)
{
	return md->rank;
}

const int64_t *dn_dims(const struct dn_md *md)
{
	return md->dims;
}

static bool has_tag(const struct dn_md *md, dnnl_format_tag_t tag)
{
	dnnl_memory_desc_t d;
	bool same;

	if (md_by_tag(&d, md->rank, md->dims, tag) != dnnl_success)
		return false;
#if V3
	same = dnnl_memory_desc_equal(d, md->d);
	dnnl_memory_desc_destroy(d);
#else
	same = dnnl_memory_desc_equal(&d, &md->d);
#endif
	return same;
}

int dn_block(const struct dn_md *md)
{
	static const dnnl_format_tag_t plain[] = { dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde };

	if (has_tag(md, plain[md->rank - 1]))
		return 1;
	if (md->rank != 4)
		return 0;
	return has_tag(md, dnnl_aBcd16b) ? 16 : has_tag(md, dnnl_aBcd8b) ? 8 : has_tag(md, dnnl_aBcd4b) ? 4 : 0;
}

/* ---- choosing primitives -------------------------------------------------------------------------------- */

static struct dn_prim *keep(struct dn *dn, dnnl_primitive_desc_t pd)
{
	struct dn_prim *p = mem_new(sizeof *p);

	*p = (struct dn_prim){ .dn = dn, .pd = pd, .next = dn->prims };
	dn->prims = p;
	return p;
}

#if V3

/* pd is read after the call that fills it, which is an argument of the same call: hence the pointer. */
static struct dn_prim *chosen(struct dn *dn, dnnl_status_t s, dnnl_primitive_desc_t *pd, int skip, const char *what)
{
	if (failed(dn, s, what) < 0)
		return NULL;
	for (; skip > 0; skip--)
		if (dnnl_primitive_desc_next_impl(*pd) != dnnl_success) {
			dnnl_primitive_desc_destroy(*pd);
			return NULL;
		}
	return keep(dn, *pd);
}

#else

static struct dn_prim *choose(struct dn *dn, dnnl_status_t s, const void *desc, dnnl_primitive_attr_t attr,
			      const struct dn_prim *forward, int skip, const char *what)
{
	dnnl_primitive_desc_iterator_t it;
	dnnl_primitive_desc_t pd = NULL;

	if (failed(dn, s, what) < 0)
		return NULL;
	s = dnnl_primitive_desc_iterator_create(&it, desc, attr, dn->engine, forward ? forward->pd : NULL);
	if (failed(dn, s, what) < 0)
		return NULL;
	for (; s == dnnl_success && skip > 0; skip--)
		s = dnnl_primitive_desc_iterator_next(it);
	if (s == dnnl_success)
		pd = dnnl_primitive_desc_iterator_fetch(it);
	dnnl_primitive_desc_iterator_destroy(it);
	return pd ? keep(dn, pd) : NULL;
}

#endif

static dnnl_alg_kind_t act_number(enum dn_act act, bool from_dst)
{
	switch (act) {
	case DN_RELU:
		return from_dst ? dnnl_eltwise_relu_use_dst_for_bwd : dnnl_eltwise_relu;
	case DN_ELU:
		return from_dst ? dnnl_eltwise_elu_use_dst_for_bwd : dnnl_eltwise_elu;
	case DN_TANH:
		return from_dst ? dnnl_eltwise_tanh_use_dst_for_bwd : dnnl_eltwise_tanh;
	case DN_LOGISTIC:
		return from_dst ? dnnl_eltwise_logistic_use_dst_for_bwd : dnnl_eltwise_logistic;
	case DN_GELU_TANH:
		return dnnl_eltwise_gelu_tanh;
	case DN_GELU_ERF:
		return dnnl_eltwise_gelu_erf;
	case DN_SWISH:
		return dnnl_eltwise_swish;
	case DN_ACT_NONE:
	case DN_ACT_COUNT:
		break;
	}
	assert(!"an activation");
	return dnnl_alg_kind_undef;
}

/* A copy of the common attributes, with the activation after the operation. */
static dnnl_primitive_attr_t attr_with(struct dn *dn, enum dn_act act, float alpha)
{
	dnnl_primitive_attr_t attr = NULL;
	dnnl_post_ops_t ops = NULL;

	if (failed(dn, dnnl_primitive_attr_clone(&attr, dn->attr), "attributes") < 0)
		return NULL;
	if (act == DN_ACT_NONE)
		return attr;
	if (failed(dn, dnnl_post_ops_create(&ops), "a post-operation") == 0) {
#if V3
		dnnl_post_ops_append_eltwise(ops, act_number(act, false), alpha, 0);
#else
		dnnl_post_ops_append_eltwise(ops, 1, act_number(act, false), alpha, 0);
#endif
		dnnl_primitive_attr_set_post_ops(attr, ops);
		dnnl_post_ops_destroy(ops);
	}
	return attr;
}

static dnnl_prop_kind_t prop(bool training)
{
	return training ? dnnl_forward_training : dnnl_forward_inference;
}

struct geometry { /* oneDNN counts dilation from 0 */
	dnnl_dims_t dilation;
	dnnl_alg_kind_t alg;
};

static struct geometry conv_geometry(const struct dn_conv *c)
{
	struct geometry g = { .alg = c->winograd ? dnnl_convolution_winograd : dnnl_convolution_direct };

	g.dilation[0] = c->dilation[0] - 1;
	g.dilation[1] = c->dilation[1] - 1;
	return g;
}

struct dn_prim *dn_conv_forward(struct dn *dn, const struct dn_conv *c)
{
	struct geometry g = conv_geometry(c);
	dnnl_primitive_attr_t attr;
	struct dn_prim *p;

	if (!c->src || !c->weights || !c->dst || !(attr = attr_with(dn, c->act, c->alpha)))
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	p = chosen(dn,
		   dnnl_convolution_forward_primitive_desc_create(
		       &pd, dn->engine, prop(c->training), g.alg, MD_OF(c->src), MD_OF(c->weights), MD_OPT(c->bias),
		       MD_OF(c->dst), c->stride, g.dilation, c->before, c->after, attr),
		   &pd, c->skip, "a convolution");
#else
	dnnl_convolution_desc_t d;

	p = choose(dn,
		   dnnl_dilated_convolution_forward_desc_init(&d, prop(c->training), g.alg, MD_OF(c->src),
							      MD_OF(c->weights), MD_OPT(c->bias), MD_OF(c->dst),
							      c->stride, g.dilation, c->before, c->after),
		   &d, attr, NULL, c->skip, "a convolution");
#endif
	dnnl_primitive_attr_destroy(attr);
	return p;
}

struct dn_prim *dn_conv_backward_data(struct dn *dn, const struct dn_conv *c, const struct dn_prim *forward)
{
	struct geometry g = conv_geometry(c);

	if (!c->src || !c->weights || !c->dst || !forward)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_convolution_backward_data_primitive_desc_create(
			  &pd, dn->engine, g.alg, MD_OF(c->src), MD_OF(c->weights), MD_OF(c->dst), c->stride,
			  g.dilation, c->before, c->after, forward->pd, dn->attr),
		      &pd, c->skip, "a convolution's backward-data");
#else
	dnnl_convolution_desc_t d;

	return choose(dn,
		      dnnl_dilated_convolution_backward_data_desc_init(&d, g.alg, MD_OF(c->src), MD_OF(c->weights),
								       MD_OF(c->dst), c->stride, g.dilation, c->before,
								       c->after),
		      &d, dn->attr, forward, c->skip, "a convolution's backward-data");
#endif
}

struct dn_prim *dn_conv_backward_weights(struct dn *dn, const struct dn_conv *c, const struct dn_prim *forward)
{
	struct geometry g = conv_geometry(c);

	if (!c->src || !c->weights || !c->dst || !forward)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_convolution_backward_weights_primitive_desc_create(
			  &pd, dn->engine, g.alg, MD_OF(c->src), MD_OF(c->weights), MD_OPT(c->bias), MD_OF(c->dst),
			  c->stride, g.dilation, c->before, c->after, forward->pd, dn->attr),
		      &pd, c->skip, "a convolution's backward-weights");
#else
	dnnl_convolution_desc_t d;

	return choose(dn,
		      dnnl_dilated_convolution_backward_weights_desc_init(&d, g.alg, MD_OF(c->src), MD_OF(c->weights),
									  MD_OPT(c->bias), MD_OF(c->dst), c->stride,
									  g.dilation, c->before, c->after),
		      &d, dn->attr, forward, c->skip, "a convolution's backward-weights");
#endif
}

struct dn_prim *dn_dense_forward(struct dn *dn, const struct dn_dense *c)
{
	dnnl_primitive_attr_t attr;
	struct dn_prim *p;

	if (!c->src || !c->weights || !c->dst || !(attr = attr_with(dn, c->act, c->alpha)))
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	p = chosen(dn,
		   dnnl_inner_product_forward_primitive_desc_create(&pd, dn->engine, prop(c->training), MD_OF(c->src),
								    MD_OF(c->weights), MD_OPT(c->bias), MD_OF(c->dst),
								    attr),
		   &pd, 0, "an inner product");
#else
	dnnl_inner_product_desc_t d;

	p = choose(dn,
		   dnnl_inner_product_forward_desc_init(&d, prop(c->training), MD_OF(c->src), MD_OF(c->weights),
							MD_OPT(c->bias), MD_OF(c->dst)),
		   &d, attr, NULL, 0, "an inner product");
#endif
	dnnl_primitive_attr_destroy(attr);
	return p;
}

struct dn_prim *dn_dense_backward_data(struct dn *dn, const struct dn_dense *c, const struct dn_prim *forward)
{
	if (!c->src || !c->weights || !c->dst || !forward)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_inner_product_backward_data_primitive_desc_create(
			  &pd, dn->engine, MD_OF(c->src), MD_OF(c->weights), MD_OF(c->dst), forward->pd, dn->attr),
		      &pd, 0, "an inner product's backward-data");
#else
	dnnl_inner_product_desc_t d;

	return choose(dn,
		      dnnl_inner_product_backward_data_desc_init(&d, MD_OF(c->src), MD_OF(c->weights), MD_OF(c->dst)),
		      &d, dn->attr, forward, 0, "an inner product's backward-data");
#endif
}

struct dn_prim *dn_dense_backward_weights(struct dn *dn, const struct dn_dense *c, const struct dn_prim *forward)
{
	if (!c->src || !c->weights || !c->dst || !forward)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_inner_product_backward_weights_primitive_desc_create(&pd, dn->engine, MD_OF(c->src),
										MD_OF(c->weights), MD_OPT(c->bias),
										MD_OF(c->dst), forward->pd, dn->attr),
		      &pd, 0, "an inner product's backward-weights");
#else
	dnnl_inner_product_desc_t d;

	return choose(dn,
		      dnnl_inner_product_backward_weights_desc_init(&d, MD_OF(c->src), MD_OF(c->weights),
								    MD_OPT(c->bias), MD_OF(c->dst)),
		      &d, dn->attr, forward, 0, "an inner product's backward-weights");
#endif
}

static unsigned norm_flags(const struct dn_norm *c)
{
	return (c->training && !c->running ? 0U : (unsigned)dnnl_use_global_stats) |
	       (c->affine ? (unsigned)(dnnl_use_scale | dnnl_use_shift) : 0U) |
	       (c->relu ? (unsigned)dnnl_fuse_norm_relu : 0U);
}

struct dn_prim *dn_norm_forward(struct dn *dn, const struct dn_norm *c)
{
	if (!c->data)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_batch_normalization_forward_primitive_desc_create(&pd, dn->engine, prop(c->training),
									     MD_OF(c->data), MD_OF(c->data), c->eps,
									     norm_flags(c), dn->attr),
		      &pd, 0, "a batch normalisation");
#else
	dnnl_batch_normalization_desc_t d;

	return choose(
	    dn,
	    dnnl_batch_normalization_forward_desc_init(&d, prop(c->training), MD_OF(c->data), c->eps, norm_flags(c)),
	    &d, dn->attr, NULL, 0, "a batch normalisation");
#endif
}

struct dn_prim *dn_norm_backward(struct dn *dn, const struct dn_norm *c, const struct dn_prim *forward)
{
	dnnl_prop_kind_t kind = c->affine ? dnnl_backward : dnnl_backward_data;
	struct dn_prim *p;

	if (!c->data || !forward)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	p = chosen(dn,
		   dnnl_batch_normalization_backward_primitive_desc_create(&pd, dn->engine, kind, MD_OF(c->data),
									   MD_OF(c->data), MD_OF(c->data), c->eps,
									   norm_flags(c), forward->pd, dn->attr),
		   &pd, 0, "a batch normalisation's backward");
#else
	dnnl_batch_normalization_desc_t d;

	p = choose(dn,
		   dnnl_batch_normalization_backward_desc_init(&d, kind, MD_OF(c->data), MD_OF(c->data), c->eps,
							       norm_flags(c)),
		   &d, dn->attr, forward, 0, "a batch normalisation's backward");
#endif
	if (p)
		p->no_shift = V3;
	return p;
}

static dnnl_alg_kind_t pool_number(enum dn_pool_kind kind)
{
	return kind == DN_POOL_MAX       ? dnnl_pooling_max
	       : kind == DN_POOL_AVG_ALL ? dnnl_pooling_avg_include_padding
					 : dnnl_pooling_avg_exclude_padding;
}

struct dn_prim *dn_pool_forward(struct dn *dn, const struct dn_pool *c)
{
	if (!c->src || !c->dst)
		return NULL;
#if V3
	static const dnnl_dims_t dense = { 0 };
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_pooling_forward_primitive_desc_create(
			  &pd, dn->engine, prop(c->training), pool_number(c->kind), MD_OF(c->src), MD_OF(c->dst),
			  c->stride, c->size, dense, c->before, c->after, dn->attr),
		      &pd, 0, "a pooling");
#else
	dnnl_pooling_desc_t d;

	return choose(dn,
		      dnnl_pooling_forward_desc_init(&d, prop(c->training), pool_number(c->kind), MD_OF(c->src),
						     MD_OF(c->dst), c->stride, c->size, c->before, c->after),
		      &d, dn->attr, NULL, 0, "a pooling");
#endif
}

struct dn_prim *dn_pool_backward(struct dn *dn, const struct dn_pool *c, const struct dn_prim *forward)
{
	if (!c->src || !c->dst || !forward)
		return NULL;
#if V3
	static const dnnl_dims_t dense = { 0 };
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_pooling_backward_primitive_desc_create(&pd, dn->engine, pool_number(c->kind), MD_OF(c->src),
								  MD_OF(c->dst), c->stride, c->size, dense, c->before,
								  c->after, forward->pd, dn->attr),
		      &pd, 0, "a pooling's backward");
#else
	dnnl_pooling_desc_t d;

	return choose(dn,
		      dnnl_pooling_backward_desc_init(&d, pool_number(c->kind), MD_OF(c->src), MD_OF(c->dst), c->stride,
						      c->size, c->before, c->after),
		      &d, dn->attr, forward, 0, "a pooling's backward");
#endif
}

struct dn_prim *dn_act_forward(struct dn *dn, enum dn_act act, float alpha, const struct dn_md *md, bool from_dst)
{
	dnnl_alg_kind_t alg = act_number(act, from_dst);

	if (!md)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_eltwise_forward_primitive_desc_create(&pd, dn->engine, dnnl_forward_training, alg, MD_OF(md),
								 MD_OF(md), act == DN_SWISH ? 1 : alpha, 0, dn->attr),
		      &pd, 0, "an activation");
#else
	dnnl_eltwise_desc_t d;

	return choose(
	    dn,
	    dnnl_eltwise_forward_desc_init(&d, dnnl_forward_training, alg, MD_OF(md), act == DN_SWISH ? 1 : alpha, 0),
	    &d, dn->attr, NULL, 0, "an activation");
#endif
}

struct dn_prim *dn_act_backward(struct dn *dn, enum dn_act act, float alpha, const struct dn_md *md, bool from_dst,
				const struct dn_prim *forward)
{
	dnnl_alg_kind_t alg = act_number(act, from_dst);

	if (!md || !forward)
		return NULL;
#if V3
	dnnl_primitive_desc_t pd = NULL;

	return chosen(dn,
		      dnnl_eltwise_backward_primitive_desc_create(&pd, dn->engine, alg, MD_OF(md), MD_OF(md), MD_OF(md),
								  act == DN_SWISH ? 1 : alpha, 0, forward->pd,
								  dn->attr),
		      &pd, 0, "an activation's backward");
#else
	dnnl_eltwise_desc_t d;

	return choose(dn,
		      dnnl_eltwise_backward_desc_init(&d, alg, MD_OF(md), MD_OF(md), act == DN_SWISH ? 1 : alpha, 0),
		      &d, dn->attr, forward, 0, "an activation's backward");
#endif
}

struct dn_prim *dn_reorder(struct dn *dn, const struct dn_md *from, const struct dn_md *to)
{
	dnnl_primitive_desc_t pd = NULL;

	if (!from || !to)
		return NULL;
	if (failed(dn,
		   dnnl_reorder_primitive_desc_create(&pd, MD_OF(from), dn->engine, MD_OF(to), dn->engine, dn->attr),
		   "a change of layout") < 0)
		return NULL;
	return keep(dn, pd);
}

/* ---- asking, making, running ---------------------------------------------------------------------------- */

static int md_rank_of(MD_PTR d)
{
#if V3
	int rank = 0;

	dnnl_memory_desc_query(d, dnnl_query_ndims_s32, &rank);
	return rank;
#else
	return d->ndims;
#endif
}

static const struct dn_md *md_copy(struct dn *dn, MD_PTR d)
{
	int rank = md_rank_of(d);
	struct dn_md *m;
#if V3
	dnnl_dims_t *dims = NULL;

	dnnl_memory_desc_query(d, dnnl_query_dims, &dims);
	m = md_keep(dn, rank, *dims);
	if (failed(dn, dnnl_memory_desc_clone(&m->d, d), "a layout") < 0) {
		dn->mds = m->next;
		mem_free(m);
		return NULL;
	}
#else
	m = md_keep(dn, rank, d->dims);
	m->d = *d;
#endif
	return m;
}

static MD_PTR ask(const struct dn_prim *p, dnnl_query_t what, int index)
{
	return dnnl_primitive_desc_query_md(p->pd, what, index);
}

const struct dn_md *dn_prim_md(struct dn *dn, const struct dn_prim *p, enum dn_arg arg)
{
	static const dnnl_query_t queries[DN_ARG_COUNT] = {
		[DN_SRC] = dnnl_query_src_md,
		[DN_DST] = dnnl_query_dst_md,
		[DN_WEIGHTS] = dnnl_query_weights_md,
		[DN_DIFF_SRC] = dnnl_query_diff_src_md,
		[DN_DIFF_DST] = dnnl_query_diff_dst_md,
		[DN_DIFF_WEIGHTS] = dnnl_query_diff_weights_md,
		[DN_WORKSPACE] = dnnl_query_workspace_md,
	};
	MD_PTR d;

	assert(queries[arg]);
	d = p ? ask(p, queries[arg], 0) : NULL;
	return d && md_rank_of(d) > 0 ? md_copy(dn, d) : NULL;
}

size_t dn_prim_scratch(const struct dn_prim *p)
{
	MD_PTR d = ask(p, dnnl_query_scratchpad_md, 0);

	return d ? dnnl_memory_desc_get_size(d) : 0;
}

const char *dn_prim_name(const struct dn_prim *p)
{
	const char *name = NULL;

	if (dnnl_primitive_desc_query(p->pd, dnnl_query_impl_info_str, 0, &name) != dnnl_success)
		return "?";
	return name;
}

int dn_make(struct dn_prim *p, struct err *e)
{
	dnnl_status_t s = p->prim ? dnnl_success : dnnl_primitive_create(&p->prim, p->pd);

	if (s == dnnl_out_of_memory)
		return ERR(e, ERR_RUNTIME, NULL, "out of memory while making %s", dn_prim_name(p));
	if (s != dnnl_success)
		return ERR(e, ERR_RUNTIME, NULL, "oneDNN cannot make %s (status %d)", dn_prim_name(p), (int)s);
	return 0;
}

static int bind(struct dn_prim *p, int number, MD_PTR d, void *memory, struct err *e)
{
	dnnl_memory_t m = NULL;

	if (dnnl_memory_create(&m, d, p->dn->engine, memory) != dnnl_success)
		return ERR(e, ERR_RUNTIME, NULL, "oneDNN refuses a memory object");
	GROW(p->args, p->n_args, p->cap_args);
	p->args[p->n_args++] = (dnnl_exec_arg_t){ .arg = number, .memory = m };
	return 0;
}

int dn_bind(struct dn_prim *p, enum dn_arg arg, const struct dn_md *md, void *memory, struct err *e)
{
	if (arg == DN_SHIFT && p->no_shift)
		return 0;
	return bind(p, arg_numbers[arg], MD_OF(md), memory, e);
}

int dn_bind_scratch(struct dn_prim *p, void *memory, size_t bytes, struct err *e)
{
	MD_PTR d = ask(p, dnnl_query_scratchpad_md, 0);

	if (dn_prim_scratch(p) == 0)
		return 0;
	assert(dn_prim_scratch(p) <= bytes);
	(void)bytes;
	return bind(p, DNNL_ARG_SCRATCHPAD, d, memory, e);
}

int dn_run(struct dn_prim *p)
{
	dnnl_status_t s = dnnl_primitive_execute(p->prim, p->dn->stream, p->n_args, p->args);

	return s == dnnl_success && dnnl_stream_wait(p->dn->stream) == dnnl_success ? 0 : -1;
}
