/* dataset/read_png.c - a folder of PNG files, one subfolder per class.
 *
 * DIR/train/CLASS/NAME.png with DIR/test/CLASS/NAME.png (which may be absent), or DIR/CLASS/NAME.png. Classes are the
 * subfolders of the training part, by name in byte order; pictures likewise. All pictures have the same size; names
 * that start with a dot, and files that do not end in .png, are passed over.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/png.h"
#include "dataset/format.h"

static const char *const color_names[] = { "auto", "gray", "rgb", NULL };

struct cfg {
	int color; /* enum picture_color */
};

static const struct opt opts[] = {
	OPT_ENUM(struct cfg, color, PICTURE_AS_IS, color_names,
		 "gray or rgb converts every picture; auto takes them as they are, and all must be alike"),
	OPT_END
};

enum { PNG_BYTES_MAX = 64 << 20 };

struct files {             /* pictures of one part, with their classes */
	const char **path; /* in the arena */
	int32_t *label;
	int n, cap;
};

static int list_class(struct files *f, const char *dir, int label, struct arena *a, struct err *e)
{
	const char **names;
	int n;

	if (list_names(&names, &n, dir, ".png", false, a, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		GROW(f->path, f->n, f->cap);
		f->label = mem_resize(f->label, (size_t)f->cap * sizeof *f->label);
		f->path[f->n] = path_join(a, dir, names[i]);
		f->label[f->n++] = label;
	}
	return 0;
}

static int list_part(struct files *f, const char *dir, struct raw *r, struct err *e)
{
	const char **folders, **hit;
	int n;

	if (list_names(&folders, &n, dir, NULL, false, r->arena, e) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		hit = bsearch(&folders[i], r->class_names, (size_t)r->classes, sizeof *hit, text_order);
		if (!hit)
			return ERR(e, ERR_INVALID, dir,
				   "holds class folder \"%s\", which the training part does not have", folders[i]);
		if (list_class(f, path_join(r->arena, dir, folders[i]), (int)(hit - r->class_names), r->arena, e) < 0)
			return -1;
	}
	return 0;
}

static int find_classes(struct raw *r, const char *dir, struct err *e)
{
	if (list_names(&r->class_names, &r->classes, dir, NULL, false, r->arena, e) < 0)
		return -1;
	if (r->classes < 1 || r->classes > DATA_CLASSES_MAX)
		return ERR(e, ERR_INVALID, dir, "holds %d class folders, must be 1 to %d", r->classes,
			   DATA_CLASSES_MAX);
	return 0;
}

static int load(struct picture *p, const char *path, int color, struct err *e)
{
	size_t len;
	char *buf;
	int rc;

	if (file_read(&buf, &len, path, PNG_BYTES_MAX, false, e) < 0)
		return -1;
	rc = picture_decode(p, buf, len, (enum picture_color)color, path, e);
	mem_free(buf);
	return rc;
}

static int load_all(struct raw *r, int64_t at, const struct files *f, int color, struct err *e)
{
	int64_t per = shape_count(&r->shape);

	for (int i = 0; i < f->n; i++) {
		struct picture p;
		struct shape s;

		if (load(&p, f->path[i], color, e) < 0)
			return -1;
		s = shape_image(p.channels, p.height, p.width);
		if (shape_equal(&s, &r->shape)) {
			memcpy(r->u8 + (at + i) * per, p.data, (size_t)per);
			r->label[at + i] = f->label[i];
		} else {
			char has[48], want[48];

			ERR(e, ERR_INVALID, f->path[i],
			    "is a picture of %s, the first one of %s: make them alike (for color, set option "
			    "\"color\")",
			    shape_text(has, &s), shape_text(want, &r->shape));
		}
		picture_release(&p);
		if (!shape_equal(&s, &r->shape))
			return -1;
	}
	return 0;
}

static int read_png(struct raw *r, const char *dir, const void *cfg_, struct err *e)
{
	const struct cfg *cfg = cfg_;
	char *train = path_join(r->arena, dir, "train"), *test = path_join(r->arena, dir, "test");
	struct files f[2] = { 0 };
	struct picture first = { 0 };
	bool split = is_folder(train);
	int rc = -1;

	TRY(find_classes(r, split ? train : dir, e));
	TRY(list_part(&f[0], split ? train : dir, r, e));
	if (split && is_folder(test))
		TRY(list_part(&f[1], test, r, e));
	if (f[0].n == 0) {
		ERR(e, ERR_INVALID, dir, "its class folders hold no .png files");
		goto out;
	}
	TRY(load(&first, f[0].path[0], cfg->color, e));
	r->shape = shape_image(first.channels, first.height, first.width);
	r->task = TASK_CLASSIFY;
	r->n_train = f[0].n;
	r->n_test = f[1].n;
	TRY(raw_alloc(r, false, dir, e));
	TRY(load_all(r, 0, &f[0], cfg->color, e));
	TRY(load_all(r, r->n_train, &f[1], cfg->color, e));
	rc = 0;
out:
	picture_release(&first);
	for (int i = 0; i < 2; i++) {
		mem_free(f[i].path);
		mem_free(f[i].label);
	}
	return rc;
}

const struct data_format data_format_png = {
	.name = "png",
	.help = "PNG files in one folder per class",
	.needs_dir = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.read = read_png,
};
