/* dataset/read_idx.c - the IDX format of MNIST (LeCun, Cortes, Burges: THE MNIST DATABASE, "File formats").
 *
 * A file: two zero bytes, a type byte (0x08 unsigned bytes, 0x0D floats; the rest are not used for data sets here), the
 * number of dimensions, each dimension as a big-endian 32-bit number, then the elements. A folder: <train>-images-idxN-
 * ubyte and <train>-labels-idx1-ubyte for training, <test>-... for the test split (may be absent), plain or gzip.
 */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/opt.h"
#include "dataset/format.h"

struct cfg {
	const char *train, *test;
	struct opt_strs names;
};

static const struct opt opts[] = {
	OPT_STR(struct cfg, train, "train", "what the names of the training files start with"),
	OPT_STR(struct cfg, test, "t10k", "what the names of the test files start with"),
	OPT_STRS(struct cfg, names,
		 "names of the classes, in order (default: class_names.txt in the folder, or numbers)"),
	OPT_END
};

static const char *const image_endings[] = { "-images-idx3-ubyte", "-images.idx3-ubyte",
					     "-images-idx4-ubyte", "-images-idx2-ubyte",
					     "-images-idx2-float", "-images-idx3-float",
					     "-images-idx4-float", NULL };
static const char *const label_endings[] = { "-labels-idx1-ubyte", "-labels.idx1-ubyte", NULL };

static int64_t be32(const uint8_t *p)
{
	return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | p[3];
}

int idx_parse(struct array_view *v, const void *buf, size_t len, const char *name, struct err *e)
{
	const uint8_t *p = buf;
	size_t head;
	int64_t bytes;

	memset(v, 0, sizeof *v);
	if (len < 4 || p[0] || p[1] || (p[2] != 0x08 && p[2] != 0x0d))
		return ERR(e, ERR_INVALID, name, "is no IDX file of bytes or floats (wrong magic number)");
	v->rank = p[3];
	if (v->rank < 1 || v->rank > DATA_DIMS)
		return ERR(e, ERR_INVALID, name, "has %d dimensions, must be 1 to %d", v->rank, DATA_DIMS);
	head = 4 + 4 * (size_t)v->rank;
	if (len < head)
		return ERR(e, ERR_INVALID, name, "is truncated: %zu bytes, the header alone takes %zu", len, head);
	v->kind = p[2] == 0x08 ? 'u' : 'f';
	v->item_bytes = p[2] == 0x08 ? 1 : 4;
	v->big_endian = true;
	v->count = 1;
	bytes = v->item_bytes;
	for (int i = 0; i < v->rank; i++) {
		v->d[i] = be32(p + 4 + 4 * i);
		if (__builtin_mul_overflow(bytes, v->d[i], &bytes))
			return ERR(e, ERR_INVALID, name, "announces more elements than any memory holds");
		v->count *= v->d[i];
	}
	if ((uint64_t)bytes != len - head)
		return ERR(e, ERR_INVALID, name, "is %s: its header announces %" PRId64 " bytes of data, %zu are there",
			   (uint64_t)bytes > len - head ? "truncated" : "longer than it says", bytes, len - head);
	v->data = p + head;
	return 0;
}

struct part { /* images and labels of one split, in memory */
	char *image_file, *label_file;
	char *image_buf, *label_buf;
	struct array_view image, label;
};

static void part_release(struct part *p)
{
	mem_free(p->image_buf);
	mem_free(p->label_buf);
}

static int part_load(struct part *p, struct err *e)
{
	size_t len;

	if (file_read(&p->image_buf, &len, p->image_file, DATA_FILE_MAX, true, e) < 0 ||
	    idx_parse(&p->image, p->image_buf, len, p->image_file, e) < 0 ||
	    file_read(&p->label_buf, &len, p->label_file, DATA_FILE_MAX, true, e) < 0 ||
	    idx_parse(&p->label, p->label_buf, len, p->label_file, e) < 0)
		return -1;
	if (p->image.rank < 2)
		return ERR(e, ERR_INVALID, p->image_file, "has one dimension: these look like labels, not examples");
	if (p->label.rank != 1 || p->label.kind != 'u')
		return ERR(e, ERR_INVALID, p->label_file, "must hold bytes in one dimension: these are not labels");
	if (p->image.d[0] != p->label.d[0])
		return ERR(e, ERR_INVALID, p->label_file, "holds %" PRId64 " labels, but %s holds %" PRId64 " examples",
			   p->label.d[0], path_base(p->image_file), p->image.d[0]);
	return 0;
}

static int find_part(struct part *p, const char *dir, const char *stem, bool needed, struct arena *a, struct err *e)
{
	p->image_file = find_file(a, dir, stem, image_endings);
	p->label_file = find_file(a, dir, stem, label_endings);
	if (p->image_file && p->label_file)
		return 1;
	if (p->image_file || p->label_file)
		return ERR(e, ERR_INVALID, dir, "holds %s but no %s-%s-idx%s-ubyte[.gz]",
			   path_base(p->image_file ? p->image_file : p->label_file), stem,
			   p->image_file ? "labels" : "images", p->image_file ? "1" : "3");
	if (needed)
		return ERR(e, ERR_INVALID, dir, "holds no %s-images-idx3-ubyte[.gz]: fetch the data or correct dir",
			   stem);
	return 0;
}

static int fill(struct raw *r, const struct part *part, int n_parts, struct err *e)
{
	int64_t at = 0;

	if (array_shape(&r->shape, &part[0].image, part[0].image_file, e) < 0)
		return -1;
	for (int i = 1; i < n_parts; i++) {
		struct shape s;

		if (array_shape(&s, &part[i].image, part[i].image_file, e) < 0)
			return -1;
		if (!shape_equal(&s, &r->shape) || part[i].image.kind != part[0].image.kind)
			return ERR(e, ERR_INVALID, part[i].image_file,
				   "its examples have another shape or type than those of %s",
				   path_base(part[0].image_file));
	}
	if (raw_alloc(r, part[0].image.kind == 'f', part[0].image_file, e) < 0)
		return -1;
	for (int i = 0; i < n_parts; i++) {
		array_copy(r, at, &part[i].image);
		if (array_labels(r, at, &part[i].label, part[i].label_file, e) < 0)
			return -1;
		at += part[i].image.d[0];
	}
	return 0;
}

static int read_idx(struct raw *r, const char *dir, const void *cfg_, struct err *e)
{
	const struct cfg *cfg = cfg_;
	struct part part[2] = { 0 };
	int n = 1, more, rc = -1;

	TRY(find_part(&part[0], dir, cfg->train, true, r->arena, e));
	TRY(more = find_part(&part[1], dir, cfg->test, false, r->arena, e));
	n += more;
	for (int i = 0; i < n; i++)
		TRY(part_load(&part[i], e));
	r->task = TASK_CLASSIFY;
	r->n_train = part[0].image.d[0];
	r->n_test = n > 1 ? part[1].image.d[0] : 0;
	TRY(fill(r, part, n, e));
	TRY(raw_name_classes(r, dir, cfg->names.v, cfg->names.n, e));
	rc = 0;
out:
	part_release(&part[0]);
	part_release(&part[1]);
	return rc;
}

const struct data_format data_format_idx = {
	.name = "idx",
	.help = "IDX files as MNIST has them, plain or gzip",
	.needs_dir = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.read = read_idx,
};
