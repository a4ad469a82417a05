/* dataset/read_npy.c - arrays of NumPy (NEP 1: A Simple File Format for NumPy Arrays).
 *
 * A file: "\x93NUMPY", two version bytes, the length of the header (2 bytes in version 1, else 4; little-endian), the
 * header - a Python dictionary with exactly 'descr', 'fortran_order' and 'shape' - and the elements. A folder holds
 * images.npy and labels.npy (and test_images.npy, test_labels.npy), or one file per class, as Quick, Draw! has it: then
 * the names of the files, in byte order, are the classes.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/opt.h"
#include "dataset/format.h"

enum as { AS_AUTO, AS_SEQUENCE, AS_TOKENS };
static const char *const as_names[] = { "auto", "sequence", "tokens", NULL };
static const char *const npy_task_names[] = { "classification", "regression", NULL };

struct cfg {
	struct opt_ints shape;
	int type, task, per_class;
	struct opt_strs names;
};

static const struct opt opts[] = {
	OPT_INTS(
	    struct cfg, shape, 0, 1, SHAPE_DIM_MAX,
	    "shape of one example, [features], [height, width] or [channels, height, width] (default: the file's)"),
	OPT_ENUM(struct cfg, type, AS_AUTO, as_names,
		 "what an example is: sequence [channels, steps] or tokens [steps]"),
	OPT_ENUM(struct cfg, task, 0, npy_task_names, "what labels.npy holds: class numbers, or values to predict"),
	OPT_INT(struct cfg, per_class, 0, 0, 1000000000, "one file per class: use the first so many of each; 0: all"),
	OPT_STRS(struct cfg, names,
		 "names of the classes, in order (default: class_names.txt in the folder, or numbers)"),
	OPT_END
};

/* ---- one file ------------------------------------------------------------------------------------------- */

struct text { /* the header being read */
	const char *s, *end;
};

static void blanks(struct text *t)
{
	while (t->s < t->end && (*t->s == ' ' || *t->s == '\n' || *t->s == '\t'))
		t->s++;
}

static bool take(struct text *t, char c)
{
	blanks(t);
	if (t->s == t->end || *t->s != c)
		return false;
	t->s++;
	return true;
}

static bool take_word(struct text *t, const char *word)
{
	size_t n = strlen(word);

	blanks(t);
	if ((size_t)(t->end - t->s) < n || memcmp(t->s, word, n) != 0)
		return false;
	t->s += n;
	return true;
}

static bool take_quoted(struct text *t, char *out, size_t size)
{
	size_t n = 0;
	char quote;

	blanks(t);
	if (t->s == t->end || (*t->s != '\'' && *t->s != '"'))
		return false;
	quote = *t->s++;
	while (t->s < t->end && *t->s != quote && n + 1 < size)
		out[n++] = *t->s++;
	out[n] = 0;
	return take(t, quote);
}

static bool take_number(struct text *t, int64_t *out)
{
	int64_t v = 0;
	bool any = false;

	blanks(t);
	for (; t->s < t->end && *t->s >= '0' && *t->s <= '9'; t->s++, any = true)
		if (__builtin_mul_overflow(v, (int64_t)10, &v) || __builtin_add_overflow(v, (int64_t)(*t->s - '0'), &v))
			return false;
	*out = v;
	return any;
}

/* (3, 4) or (3,) or (3, 4,) */
static bool take_shape(struct text *t, struct array_view *v)
{
	if (!take(t, '('))
		return false;
	for (v->rank = 0; !take(t, ')'); v->rank++) {
		if (v->rank == DATA_DIMS || !take_number(t, &v->d[v->rank]))
			return false;
		if (!take(t, ',')) {
			v->rank++;
			return v->rank > 1 && take(t, ')'); /* one number needs its comma */
		}
	}
	return v->rank > 0;
}

static bool set_type(struct array_view *v, const char *descr)
{
	static const struct {
		const char *descr;
		char kind;
		int bytes;
	} types[] = { { "|u1", 'u', 1 }, { "<u1", 'u', 1 }, { "<i4", 'i', 4 },
		      { "<i8", 'i', 8 }, { "<f4", 'f', 4 }, { "<f8", 'f', 8 } };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (strcmp(types[i].descr, descr) == 0) {
			v->kind = types[i].kind;
			v->item_bytes = types[i].bytes;
			return true;
		}
	}
	return false;
}

static int bad_header(const char *name, const char *what, struct err *e)
{
	return ERR(e, ERR_INVALID, name, "has a header that cannot be used: %s", what);
}

static int parse_header(struct array_view *v, struct text t, const char *name, struct err *e)
{
	char key[16], descr[16];
	unsigned seen = 0;

	if (!take(&t, '{'))
		return bad_header(name, "a dictionary is expected", e);
	while (!take(&t, '}')) {
		unsigned which;

		if (!take_quoted(&t, key, sizeof key) || !take(&t, ':'))
			return bad_header(name, "a key in quotes and a colon are expected", e);
		which = strcmp(key, "descr") == 0           ? 1
			: strcmp(key, "fortran_order") == 0 ? 2
			: strcmp(key, "shape") == 0         ? 4
							    : 0;
		if (!which || (seen & which))
			return bad_header(name, which ? "a key comes twice" : "an unknown key", e);
		seen |= which;
		if (which == 1 && (!take_quoted(&t, descr, sizeof descr) || !set_type(v, descr)))
			return bad_header(name, "the type must be u1, i4, i8, f4 or f8, little-endian", e);
		if (which == 2 && !take_word(&t, "False"))
			return bad_header(name, "arrays must be in C order (numpy.ascontiguousarray)", e);
		if (which == 4 && !take_shape(&t, v))
			return bad_header(name, "the shape must hold 1 to 4 dimensions", e);
		if (!take(&t, ',') && (blanks(&t), t.s == t.end || *t.s != '}'))
			return bad_header(name, "a comma is expected", e);
	}
	blanks(&t);
	if (seen != 7 || t.s != t.end)
		return bad_header(name, seen != 7 ? "descr, fortran_order and shape must be there" : "text after it",
				  e);
	return 0;
}

int npy_parse(struct array_view *v, const void *buf, size_t len, const char *name, struct err *e)
{
	const uint8_t *p = buf;
	size_t head, at;
	int64_t bytes;

	memset(v, 0, sizeof *v);
	if (len < 12 || memcmp(p, "\x93NUMPY", 6) != 0 || p[6] < 1 || p[6] > 3)
		return ERR(e, ERR_INVALID, name, "is no NPY file of version 1, 2 or 3 (wrong magic number)");
	head = p[8] | (size_t)p[9] << 8;
	if (p[6] > 1)
		head |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
	at = p[6] > 1 ? 12 : 10;
	if (head > len - at)
		return ERR(e, ERR_INVALID, name, "is truncated: its header alone takes %zu bytes", head);
	if (parse_header(v, (struct text){ (const char *)p + at, (const char *)p + at + head }, name, e) < 0)
		return -1;
	v->count = 1;
	for (int i = 0; i < v->rank; i++)
		if (__builtin_mul_overflow(v->count, v->d[i], &v->count))
			return ERR(e, ERR_INVALID, name, "announces more elements than any memory holds");
	if (__builtin_mul_overflow(v->count, (int64_t)v->item_bytes, &bytes) || (uint64_t)bytes != len - at - head)
		return ERR(e, ERR_INVALID, name,
			   "its header announces %" PRId64 " elements of %d bytes, but %zu bytes are there", v->count,
			   v->item_bytes, len - at - head);
	v->data = p + at + head;
	return 0;
}

/* ---- a folder ------------------------------------------------------------------------------------------- */

struct array_file {
	char *path, *buf;
	struct array_view v;
};

static int array_load(struct array_file *f, struct err *e)
{
	size_t len;

	if (file_read(&f->buf, &len, f->path, DATA_FILE_MAX, true, e) < 0)
		return -1;
	return npy_parse(&f->v, f->buf, len, f->path, e);
}

static void array_unload(struct array_file *f)
{
	mem_free(f->buf);
	f->buf = NULL;
}

/* The shape of one example: the file's, or the one asked for, which must hold as many values. */
static int choose_shape(struct shape *s, const struct cfg *cfg, const struct array_file *f, struct err *e)
{
	struct array_view v = f->v;
	int64_t has, want;

	if (v.rank > DATA_DIMS || array_shape(s, &v, f->path, e) < 0)
		return -1;
	has = shape_count(s);
	if (cfg->shape.n > 3)
		return ERR(e, ERR_INVALID, "dataset.options.shape", "must hold 1 to 3 numbers");
	if (cfg->shape.n) {
		v.rank = cfg->shape.n + 1;
		for (int i = 0; i < cfg->shape.n; i++)
			v.d[i + 1] = cfg->shape.v[i];
		if (array_shape(s, &v, "dataset.options.shape", e) < 0)
			return -1;
	}
	if (cfg->type != AS_AUTO && v.rank != (cfg->type == AS_SEQUENCE ? 3 : 2))
		return ERR(e, ERR_INVALID, f->path, "%s need examples of %d dimensions, these have %d",
			   cfg->type == AS_SEQUENCE ? "sequences" : "tokens", cfg->type == AS_SEQUENCE ? 2 : 1,
			   v.rank - 1);
	if (cfg->type == AS_SEQUENCE)
		*s = shape_sequence((int)v.d[1], (int)v.d[2], false);
	if (cfg->type == AS_TOKENS)
		*s = (struct shape){ TENSOR_TOKENS, false, { s->d[0], 0, 0 } };
	want = shape_count(s);
	if (want != has)
		return ERR(e, ERR_INVALID, f->path, "an example holds %" PRId64 " values, the shape asked for %" PRId64,
			   has, want);
	return 0;
}

static bool is_bytes(const struct array_view *v)
{
	return v->kind == 'u' && v->item_bytes == 1;
}

struct pair {
	struct array_file x, y;
};

static int load_pair(struct pair *p, const char *dir, const char *prefix, struct arena *a, struct err *e)
{
	p->x.path = path_join(a, dir, arena_printf(a, "%simages.npy", prefix));
	p->y.path = path_join(a, dir, arena_printf(a, "%slabels.npy", prefix));
	if (array_load(&p->x, e) < 0 || array_load(&p->y, e) < 0)
		return -1;
	if (p->y.v.rank != 1 || p->y.v.d[0] != p->x.v.d[0])
		return ERR(e, ERR_INVALID, p->y.path, "must hold one label for each of the %" PRId64 " examples of %s",
			   p->x.v.d[0], path_base(p->x.path));
	return 0;
}

static void copy_targets(struct raw *r, int64_t at, const struct array_view *v)
{
	struct raw one = { .shape = shape_vector(1), .f32 = r->target };

	array_copy(&one, at, v);
}

static int fill_pairs(struct raw *r, const struct cfg *cfg, const struct pair *p, int n, struct err *e)
{
	int64_t at = 0;
	struct shape s;

	if (choose_shape(&r->shape, cfg, &p[0].x, e) < 0)
		return -1;
	if (n > 1) {
		if (choose_shape(&s, cfg, &p[1].x, e) < 0)
			return -1;
		if (!shape_equal(&s, &r->shape) || is_bytes(&p[0].x.v) != is_bytes(&p[1].x.v))
			return ERR(e, ERR_INVALID, p[1].x.path,
				   "its examples have another shape or type than those of %s", path_base(p[0].x.path));
	}
	if (raw_alloc(r, !is_bytes(&p[0].x.v), p[0].x.path, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		array_copy(r, at, &p[i].x.v);
		if (r->task == TASK_REGRESS)
			copy_targets(r, at, &p[i].y.v);
		else if (array_labels(r, at, &p[i].y.v, p[i].y.path, e) < 0)
			return -1;
		at += p[i].x.v.d[0];
	}
	return 0;
}

static int read_pairs(struct raw *r, const char *dir, const struct cfg *cfg, struct err *e)
{
	struct pair p[2] = { 0 };
	int n = 1, rc = -1;

	TRY(load_pair(&p[0], dir, "", r->arena, e));
	if (file_exists(path_join(r->arena, dir, "test_images.npy"))) {
		TRY(load_pair(&p[1], dir, "test_", r->arena, e));
		n = 2;
	}
	r->n_train = p[0].x.v.d[0];
	r->n_test = n > 1 ? p[1].x.v.d[0] : 0;
	TRY(fill_pairs(r, cfg, p, n, e));
	if (r->task == TASK_CLASSIFY)
		TRY(raw_name_classes(r, dir, cfg->names.v, cfg->names.n, e));
	else
		r->classes = 1;
	rc = 0;
out:
	for (int i = 0; i < 2; i++) {
		array_unload(&p[i].x);
		array_unload(&p[i].y);
	}
	return rc;
}

/* Files NAME.npy in byte order of their names; the names without ending become the classes. */
static int list_classes(struct raw *r, const char *dir, struct err *e)
{
	if (list_names(&r->class_names, &r->classes, dir, ".npy", true, r->arena, e) < 0)
		return -1;
	if (r->classes < 2 || r->classes > DATA_CLASSES_MAX)
		return ERR(e, ERR_INVALID, dir,
			   "holds neither images.npy with labels.npy nor at least two files CLASS.npy");
	return 0;
}

/* Every file is looked at twice, first for its size, so that only one is in memory beside the data set. */
static int scan_classes(struct raw *r, const char *dir, const struct cfg *cfg, int64_t *count, bool *floats,
			struct err *e)
{
	for (int c = 0; c < r->classes; c++) {
		struct array_file f = { .path = path_join(r->arena, dir,
							  arena_printf(r->arena, "%s.npy", r->class_names[c])) };
		struct shape s;
		int rc = array_load(&f, e) < 0 ? -1 : choose_shape(&s, cfg, &f, e);

		if (rc == 0 && c > 0 && (!shape_equal(&s, &r->shape) || *floats == is_bytes(&f.v)))
			rc = ERR(e, ERR_INVALID, f.path, "its examples have another shape or type than those of %s.npy",
				 r->class_names[0]);
		array_unload(&f);
		if (rc < 0)
			return -1;
		r->shape = s;
		*floats = !is_bytes(&f.v);
		count[c] = cfg->per_class && f.v.d[0] > cfg->per_class ? cfg->per_class : f.v.d[0];
		r->n_train += count[c];
	}
	return 0;
}

static int fill_class(struct raw *r, const char *dir, int c, int64_t at, int64_t n, struct err *e)
{
	struct array_file f = { .path = path_join(r->arena, dir, arena_printf(r->arena, "%s.npy", r->class_names[c])) };
	int rc = array_load(&f, e);
	int64_t per = shape_count(&r->shape);

	if (rc == 0 && (f.v.count < n * per || is_bytes(&f.v) != (r->u8 != NULL)))
		rc = ERR(e, ERR_INVALID, f.path, "has changed while it was read");
	if (rc == 0) {
		f.v.count = n * per;
		array_copy(r, at, &f.v);
		for (int64_t i = 0; i < n; i++)
			r->label[at + i] = c;
	}
	array_unload(&f);
	return rc;
}

static int read_per_class(struct raw *r, const char *dir, const struct cfg *cfg, struct err *e)
{
	int64_t *count, at = 0;
	bool floats = false;
	int rc = -1;

	if (list_classes(r, dir, e) < 0)
		return -1;
	count = mem_new((size_t)r->classes * sizeof *count);
	TRY(scan_classes(r, dir, cfg, count, &floats, e));
	TRY(raw_alloc(r, floats, dir, e));
	for (int c = 0; c < r->classes; at += count[c++])
		TRY(fill_class(r, dir, c, at, count[c], e));
	rc = 0;
out:
	mem_free(count);
	return rc;
}

/* Tokens are whole numbers that index an embedding. */
static int check_tokens(const struct raw *r, const char *dir, struct err *e)
{
	int64_t n = (r->n_train + r->n_test) * shape_count(&r->shape);

	for (int64_t i = 0; r->f32 && i < n; i++)
		if (!(r->f32[i] >= 0 && r->f32[i] < SHAPE_DIM_MAX) || r->f32[i] != floorf(r->f32[i]))
			return ERR(e, ERR_INVALID, dir,
				   "token %g of example %" PRId64 " is no whole number from 0 to %d", (double)r->f32[i],
				   i / shape_count(&r->shape), SHAPE_DIM_MAX - 1);
	return 0;
}

static int read_npy(struct raw *r, const char *dir, const void *cfg_, struct err *e)
{
	const struct cfg *cfg = cfg_;
	int rc;

	r->task = cfg->task ? TASK_REGRESS : TASK_CLASSIFY;
	if (file_exists(path_join(r->arena, dir, "images.npy")))
		rc = read_pairs(r, dir, cfg, e);
	else if (cfg->task)
		rc = ERR(e, ERR_INVALID, dir, "holds no images.npy, which regression needs");
	else
		rc = read_per_class(r, dir, cfg, e);
	return rc == 0 && cfg->type == AS_TOKENS ? check_tokens(r, dir, e) : rc;
}

const struct data_format data_format_npy = {
	.name = "npy",
	.help = "NumPy arrays: images.npy with labels.npy, or one file per class",
	.needs_dir = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.read = read_npy,
};
