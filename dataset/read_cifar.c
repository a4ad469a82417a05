/* dataset/read_cifar.c - the binary versions of CIFAR-10 and CIFAR-100 (Krizhevsky: Learning Multiple Layers of
 * Features from Tiny Images, 2009; layout as on the data sets' page).
 *
 * A file is a row of records: one label byte (CIFAR-100: the coarse, then the fine one), then 3072 bytes, red plane,
 * green plane, blue plane, each 32 x 32. A folder: data_batch_1.bin ... data_batch_5.bin (any of them) and
 * test_batch.bin, or train.bin and test.bin; each plain or gzip. Class names: batches.meta.txt, or
 * fine_label_names.txt and coarse_label_names.txt; numbers where these are missing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "dataset/format.h"

enum { PIXELS = 3 * 32 * 32, BATCHES = 5 };

enum labels { LABELS_FINE, LABELS_COARSE };
static const char *const labels_names[] = { "fine", "coarse", NULL };

struct cfg {
	int labels;
};

static const struct opt opts[] = { OPT_ENUM(struct cfg, labels, LABELS_FINE, labels_names,
					    "CIFAR-100: the 100 fine or the 20 coarse classes"),
				   OPT_END };

struct batch {
	char *file, *buf;
	size_t len;
	int64_t n;
};

struct set { /* what was found in a folder */
	struct batch batch[BATCHES + 1];
	int n_train, n; /* batches; the one for testing, if any, is the last */
	int label_bytes, label_at, classes;
	const char *names_file;
};

int cifar_parse(int64_t *n, const uint8_t *buf, size_t len, int label_bytes, int label_at, int classes,
		const char *name, struct err *e)
{
	size_t record = (size_t)label_bytes + PIXELS;

	*n = (int64_t)(len / record);
	if (len == 0 || len % record != 0)
		return ERR(e, ERR_INVALID, name,
			   "holds %zu bytes, which is no multiple of %zu (one record): truncated, or no CIFAR file",
			   len, record);
	for (int64_t i = 0; i < *n; i++) {
		int label = buf[(size_t)i * record + (size_t)label_at];

		if (label >= classes)
			return ERR(e, ERR_INVALID, name, "record %" PRId64 " has label %d, must be below %d", i, label,
				   classes);
	}
	return 0;
}

static const char *const endings[] = { ".bin", NULL };

static bool add_batch(struct set *s, struct arena *a, const char *dir, const char *stem)
{
	char *file = find_file(a, dir, stem, endings);

	if (file)
		s->batch[s->n++].file = file;
	return file != NULL;
}

static int find_batches(struct set *s, const char *dir, int labels, struct arena *a, struct err *e)
{
	*s = (struct set){ .label_bytes = 1, .classes = 10, .names_file = "batches.meta.txt" };
	for (int i = 1; i <= BATCHES; i++)
		add_batch(s, a, dir, arena_printf(a, "data_batch_%d", i));
	s->n_train = s->n;
	if (s->n) {
		add_batch(s, a, dir, "test_batch");
		if (s->n_train < BATCHES)
			log_msg(LOG_RUN, "%s: %d of %d training batches are there and used", dir, s->n_train, BATCHES);
		return 0;
	}
	if (!add_batch(s, a, dir, "train"))
		return ERR(e, ERR_INVALID, dir,
			   "holds neither data_batch_1.bin (CIFAR-10) nor train.bin (CIFAR-100), plain or .gz");
	s->n_train = 1;
	add_batch(s, a, dir, "test");
	s->label_bytes = 2;
	s->label_at = labels == LABELS_FINE;
	s->classes = labels == LABELS_FINE ? 100 : 20;
	s->names_file = labels == LABELS_FINE ? "fine_label_names.txt" : "coarse_label_names.txt";
	return 0;
}

/* Names first, since they may say how many classes there are. */
static int name_classes(struct raw *r, struct set *s, const char *dir, struct err *e)
{
	char *file = path_join(r->arena, dir, s->names_file);
	int n = 0;

	r->classes = s->classes;
	if (!file_exists(file)) {
		r->class_names = ARENA_ARRAY(r->arena, const char *, s->classes);
		for (int i = 0; i < s->classes; i++)
			r->class_names[i] = arena_printf(r->arena, "%d", i);
		return 0;
	}
	if (read_lines(&r->class_names, &n, file, r->arena, e) < 0)
		return -1;
	if (n != s->classes)
		return ERR(e, ERR_INVALID, file, "names %d classes, must be %d", n, s->classes);
	return raw_check_names(r->class_names, n, file, e);
}

static void copy_batch(struct raw *r, int64_t at, const struct batch *b, const struct set *s)
{
	const uint8_t *p = (const uint8_t *)b->buf;

	for (int64_t i = 0; i < b->n; i++, p += s->label_bytes + PIXELS) {
		r->label[at + i] = p[s->label_at];
		memcpy(r->u8 + (at + i) * PIXELS, p + s->label_bytes, PIXELS);
	}
}

static int read_cifar(struct raw *r, const char *dir, const void *cfg_, struct err *e)
{
	const struct cfg *cfg = cfg_;
	int64_t at = 0;
	struct set s;
	int rc = -1;

	TRY(find_batches(&s, dir, cfg->labels, r->arena, e));
	TRY(name_classes(r, &s, dir, e));
	for (int i = 0; i < s.n; i++) {
		struct batch *b = &s.batch[i];

		TRY(file_read(&b->buf, &b->len, b->file, DATA_FILE_MAX, true, e));
		TRY(cifar_parse(&b->n, (const uint8_t *)b->buf, b->len, s.label_bytes, s.label_at, s.classes, b->file,
				e));
		*(i < s.n_train ? &r->n_train : &r->n_test) += b->n;
	}
	r->shape = shape_image(3, 32, 32);
	r->task = TASK_CLASSIFY;
	TRY(raw_alloc(r, false, dir, e));
	for (int i = 0; i < s.n; at += s.batch[i++].n)
		copy_batch(r, at, &s.batch[i], &s);
	rc = 0;
out:
	for (int i = 0; i < s.n; i++)
		mem_free(s.batch[i].buf);
	return rc;
}

const struct data_format data_format_cifar = {
	.name = "cifar",
	.help = "CIFAR-10 or CIFAR-100, binary version, plain or gzip",
	.needs_dir = true,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.read = read_cifar,
};
