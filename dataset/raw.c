/* dataset/raw.c - what the readers share: room for examples, class names, arrays of IDX and NPY files. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/format.h"

size_t raw_example_bytes(const struct raw *r)
{
	return (size_t)shape_count(&r->shape) * (r->f32 ? sizeof(float) : 1);
}

static int check_sizes(const struct raw *r, bool floats, size_t *bytes, const char *where, struct err *e)
{
	int64_t n, total, per = shape_count(&r->shape);

	for (int i = 0; i < shape_rank(&r->shape); i++)
		if (r->shape.d[i] < 1 || r->shape.d[i] > SHAPE_DIM_MAX)
			return ERR(e, ERR_INVALID, where, "dimension %d of an example is %d, must be 1 to %d", i + 1,
				   r->shape.d[i], SHAPE_DIM_MAX);
	if (__builtin_add_overflow(r->n_train, r->n_test, &n) || n < 1 || n > INT32_MAX)
		return ERR(e, ERR_INVALID, where, "holds %" PRId64 " examples, must be 1 to %d", n, INT32_MAX);
	if (__builtin_mul_overflow(per, floats ? 4 : 1, &total) || __builtin_mul_overflow(total, n, &total) ||
	    total > PTRDIFF_MAX / 2)
		return ERR(e, ERR_INVALID, where, "%" PRId64 " examples of %" PRId64 " values are too many", n, per);
	*bytes = (size_t)total;
	return 0;
}

int raw_alloc(struct raw *r, bool floats, const char *where, struct err *e)
{
	size_t bytes = 0, n;
	void *data, *labels;

	if (check_sizes(r, floats, &bytes, where, e) < 0)
		return -1;
	n = (size_t)(r->n_train + r->n_test);
	data = block_new(bytes);
	labels = block_new(n * sizeof(int32_t));
	if (floats)
		r->f32 = data;
	else
		r->u8 = data;
	if (r->task == TASK_REGRESS)
		r->target = labels;
	else
		r->label = labels;
	if (!data || !labels)
		return ERR(e, ERR_RUNTIME, where, "needs %zu MiB of memory, which the system refuses",
			   (bytes + n * sizeof(int32_t)) >> 20);
	return 0;
}

void raw_release(struct raw *r)
{
	block_free(r->u8, 0);
	block_free(r->f32, 0);
	block_free(r->label, 0);
	block_free(r->target, 0);
	memset(r, 0, sizeof *r);
}

int read_lines(const char ***lines, int *n, const char *path, struct arena *a, struct err *e)
{
	char *text;
	size_t len;
	int cap = 1;

	if (file_read(&text, &len, path, 16 << 20, true, e) < 0)
		return -1;
	for (size_t i = 0; i < len; i++)
		cap += text[i] == '\n';
	*lines = ARENA_ARRAY(a, const char *, cap);
	*n = 0;
	for (char *s = text, *end = text + len; s < end;) {
		char *nl = memchr(s, '\n', (size_t)(end - s)), *stop = nl ? nl : end;
		int size = (int)(stop - s);

		if (size > 0 && s[size - 1] == '\r')
			size--;
		(*lines)[(*n)++] = arena_printf(a, "%.*s", size, s);
		s = stop + 1;
	}
	while (*n > 0 && !(*lines)[*n - 1][0])
		(*n)--;
	mem_free(text);
	return 0;
}

int text_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int raw_check_names(const char *const *names, int n, const char *where, struct err *e)
{
	const char **sorted;
	int rc = 0;

	if (n < 1 || n > DATA_CLASSES_MAX)
		return ERR(e, ERR_INVALID, where, "names %d classes, must be 1 to %d", n, DATA_CLASSES_MAX);
	sorted = mem_new((size_t)n * sizeof *sorted);
	memcpy(sorted, names, (size_t)n * sizeof *sorted);
	qsort(sorted, (size_t)n, sizeof *sorted, text_order);
	if (!sorted[0][0])
		rc = ERR(e, ERR_INVALID, where, "the name of a class is empty");
	for (int i = 1; i < n && rc == 0; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			rc = ERR(e, ERR_INVALID, where, "two classes have the same name \"%s\"", sorted[i]);
	mem_free(sorted);
	return rc;
}

int raw_name_classes(struct raw *r, const char *dir, const char *const *names, int n, struct err *e)
{
	char *file = path_join(r->arena, dir, "class_names.txt");
	const char *where = n ? "names" : file, **own = (const char **)names;
	int top = -1;

	for (int64_t i = 0; i < r->n_train + r->n_test; i++)
		if (r->label[i] > top)
			top = r->label[i];
	if (!n && file_exists(file) && read_lines(&own, &n, file, r->arena, e) < 0)
		return -1;
	if (n && top >= n)
		return ERR(e, ERR_INVALID, where, "names %d classes, but the files hold label %d", n, top);
	r->classes = n ? n : top + 1;
	r->class_names = ARENA_ARRAY(r->arena, const char *, r->classes);
	for (int i = 0; i < r->classes; i++)
		r->class_names[i] = n ? arena_strdup(r->arena, own[i]) : arena_printf(r->arena, "%d", i);
	return n ? raw_check_names(r->class_names, r->classes, where, e) : 0;
}

bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int list_names(const char ***names, int *n, const char *dir, const char *ending, bool cut, struct arena *a,
	       struct err *e)
{
	size_t tail = ending ? strlen(ending) : 0;
	DIR *d = opendir(dir);
	const char **v = NULL;
	struct dirent *ent;
	int cap = 0;

	*n = 0;
	if (!d)
		return ERR(e, ERR_INVALID, dir, "cannot be opened as a folder: %s", strerror(errno));
	while ((ent = readdir(d))) {
		size_t len = strlen(ent->d_name);

		if (ent->d_name[0] == '.' || is_folder(path_join(a, dir, ent->d_name)) != !ending ||
		    (ending && (len <= tail || strcasecmp(ent->d_name + len - tail, ending) != 0)))
			continue;
		GROW(v, *n, cap);
		v[(*n)++] = arena_printf(a, "%.*s", (int)(cut ? len - tail : len), ent->d_name);
	}
	closedir(d);
	*names = ARENA_ARRAY(a, const char *, *n + 1);
	if (*n) {
		qsort(v, (size_t)*n, sizeof *v, text_order);
		memcpy(*names, v, (size_t)*n * sizeof *v);
	}
	mem_free(v);
	return 0;
}

char *find_file(struct arena *a, const char *dir, const char *stem, const char *const *endings)
{
	for (int i = 0; endings[i]; i++) {
		for (int gz = 0; gz < 2; gz++) {
			char *p = path_join(a, dir, arena_printf(a, "%s%s%s", stem, endings[i], gz ? ".gz" : ""));

			if (file_exists(p))
				return p;
		}
	}
	return NULL;
}

int array_shape(struct shape *s, const struct array_view *v, const char *name, struct err *e)
{
	for (int i = 1; i < v->rank; i++)
		if (v->d[i] < 1 || v->d[i] > SHAPE_DIM_MAX)
			return ERR(e, ERR_INVALID, name, "dimension %d is %" PRId64 ", must be 1 to %d", i + 1, v->d[i],
				   SHAPE_DIM_MAX);
	if (v->rank <= 2)
		*s = shape_vector(v->rank == 2 ? (int)v->d[1] : 1);
	else if (v->rank == 3)
		*s = shape_image(1, (int)v->d[1], (int)v->d[2]);
	else
		*s = shape_image((int)v->d[1], (int)v->d[2], (int)v->d[3]);
	return 0;
}

static double element(const struct array_view *v, int64_t i)
{
	const uint8_t *p = v->data + i * v->item_bytes;
	uint64_t bits = 0;
	uint32_t word;
	double d;
	float f;

	for (int b = 0; b < v->item_bytes; b++)
		bits |= (uint64_t)p[b] << 8 * (v->big_endian ? v->item_bytes - 1 - b : b);
	if (v->kind == 'u')
		return (double)bits;
	if (v->kind == 'i')
		return (double)((int64_t)(bits << (64 - 8 * v->item_bytes)) >> (64 - 8 * v->item_bytes));
	if (v->item_bytes == 8) {
		memcpy(&d, &bits, sizeof d);
		return d;
	}
	word = (uint32_t)bits;
	memcpy(&f, &word, sizeof f);
	return (double)f;
}

void array_copy(struct raw *r, int64_t at, const struct array_view *v)
{
	int64_t per = shape_count(&r->shape);

	if (r->u8) {
		memcpy(r->u8 + at * per, v->data, (size_t)v->count);
		return;
	}
	for (int64_t i = 0; i < v->count; i++)
		r->f32[at * per + i] = (float)element(v, i);
}

int array_labels(struct raw *r, int64_t at, const struct array_view *v, const char *name, struct err *e)
{
	for (int64_t i = 0; i < v->count; i++) {
		double x = element(v, i);

		if (!(x >= 0 && x < DATA_CLASSES_MAX) || x != floor(x))
			return ERR(e, ERR_INVALID, name, "label %" PRId64 " is %g, must be a whole number from 0 to %d",
				   i, x, DATA_CLASSES_MAX - 1);
		r->label[at + i] = (int32_t)x;
	}
	return 0;
}
