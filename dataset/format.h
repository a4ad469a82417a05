/* dataset/format.h - what a data format is. One file dataset/read_<name>.c, one row in dataset/formats.def.
 *
 * A reader turns files into a struct raw: examples, labels and names as they stand in the files, training examples
 * first, then those of the test split where the data come with one. Everything else (classes chosen, limits, splits,
 * statistics) is done once, in dataset.c. A file that is not as it must be is one ERR_INVALID that names the file.
 *
 * The parsers at the end work on memory, so that they can be fuzzed; `name` is used in messages.
 */
#ifndef NAB_DATASET_FORMAT_H
#define NAB_DATASET_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/graph.h"
#include "arch/shape.h"
#include "base/err.h"

struct arena;
struct opt;

enum { DATA_CLASSES_MAX = 65535 }; /* predicted classes are stored in 16 bits */

struct raw {
	struct arena *arena; /* for names */
	struct shape shape;
	enum task task;
	int classes;
	const char **class_names; /* [classes] */
	int64_t n_train, n_test;  /* n_test 0: the data come without a split */
	uint8_t *u8;              /* [n_train + n_test][...shape], or NULL */
	float *f32;               /* the same, exactly one of the two is set */
	int32_t *label;           /* [n_train + n_test], or NULL for regression */
	float *target;            /* [n_train + n_test] for regression, else NULL */
	const char **want;        /* [n_want] columns that slices name: a reader that has columns sets cells */
	int n_want;
	const char ***cells; /* [n_want][n_train + n_test] in the arena; cells[0] NULL: the reader has none */
	uint8_t **member;    /* [n_want][n_train + n_test] 1: the example belongs to the slice */
};

struct data_format {
	const char *name, *help;
	bool needs_dir;
	const struct opt *opts; /* its own options ("options" of a specification) */
	size_t cfg_size;
	int (*read)(struct raw *r, const char *dir, const void *cfg, struct err *e);
};

#define FORMAT(name) extern const struct data_format data_format_##name;
#include "dataset/formats.def"
#undef FORMAT

/* Allocates examples (bytes, or floats) and labels (or targets) for n_train + n_test examples of r->shape, zeroed.
 * Checks sizes against overflow and the limits of this program. where: for messages. */
int raw_alloc(struct raw *r, bool floats, const char *where, struct err *e);
void raw_release(struct raw *r);
size_t raw_example_bytes(const struct raw *r);

/* Sets r->classes and names: those in `names` (n of them), or, when n is 0, the lines of dir/class_names.txt if that
 * exists, or else "0", "1", ... Labels beyond the names are an error. */
int raw_name_classes(struct raw *r, const char *dir, const char *const *names, int n, struct err *e);

/* Names are not empty, all different, and not too many. */
int raw_check_names(const char *const *names, int n, const char *where, struct err *e);

/* A whole text file as lines without their ends (CR LF or LF), empty ones at the end dropped. */
int read_lines(const char ***lines, int *n, const char *path, struct arena *a, struct err *e);

/* The names in a folder that do not start with a dot, in byte order: of the subfolders if `ending` is NULL, else of the
 * files with this ending (in any case of letters), which is cut off if `cut`. */
int list_names(const char ***names, int *n, const char *dir, const char *ending, bool cut, struct arena *a,
	       struct err *e);
bool is_folder(const char *path);
int text_order(const void *a, const void *b); /* for qsort() and bsearch() of texts: by bytes */

/* dir/stem<ending> for the first ending (NULL-terminated) whose file exists, also with ".gz"; NULL if there is none. */
char *find_file(struct arena *a, const char *dir, const char *stem, const char *const *endings);

enum { DATA_DIMS = 4 };
#define DATA_FILE_MAX ((size_t)16 << 30) /* bytes of one file, decompressed */

/* An array as it lies in an IDX or NPY file; data is borrowed from the buffer. */
struct array_view {
	int rank;
	int64_t d[DATA_DIMS];
	int64_t count;  /* elements */
	int item_bytes; /* of one element */
	char kind;      /* 'u' unsigned, 'i' signed, 'f' floating point */
	bool big_endian;
	const uint8_t *data;
};

int idx_parse(struct array_view *v, const void *buf, size_t len, const char *name, struct err *e);

/* One CIFAR file: *n records, each `label_bytes` label bytes (the one at label_at counts, below `classes`), then the
 * pixels. */
int cifar_parse(int64_t *n, const uint8_t *buf, size_t len, int label_bytes, int label_at, int classes,
		const char *name, struct err *e);

/* An NPY file of version 1, 2 or 3: C order, little-endian u1, i4, i8, f4 or f8. */
int npy_parse(struct array_view *v, const void *buf, size_t len, const char *name, struct err *e);

/* The shape of one example from dimensions after the first: none or 1 a vector, 2 an image of one channel, 3 one of
 * d[0] channels. */
int array_shape(struct shape *s, const struct array_view *v, const char *name, struct err *e);

/* Copies the examples of v to those of r from example `at` on: bytes to bytes, anything to floats. */
void array_copy(struct raw *r, int64_t at, const struct array_view *v);

/* Copies whole numbers to r->label from `at` on; each must be in [0, DATA_CLASSES_MAX). */
int array_labels(struct raw *r, int64_t at, const struct array_view *v, const char *name, struct err *e);

#endif
