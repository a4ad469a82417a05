/* arch/shape.h - shape and meaning of one tensor, without its batch axis. The logical layout is channels first.
 *
 *	image     [channels, height, width]
 *	vector    [features]
 *	sequence  [channels, steps]   the time axis may be open: then `steps` is the longest, and examples carry a
 *length tokens    [steps]             whole numbers (indices into an embedding); may be open, too
 */
#ifndef NAB_ARCH_SHAPE_H
#define NAB_ARCH_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

enum tensor_type { TENSOR_IMAGE, TENSOR_VECTOR, TENSOR_SEQUENCE, TENSOR_TOKENS, TENSOR_TYPE_COUNT };

enum { SHAPE_DIMS = 3, SHAPE_DIM_MAX = 1 << 24 };

struct shape {
	enum tensor_type type;
	bool open;         /* sequence and tokens only */
	int d[SHAPE_DIMS]; /* unused dimensions are 0 */
};

extern const char *const tensor_type_names[]; /* "image", ..., NULL-terminated */

int shape_rank(const struct shape *s);
int64_t shape_count(const struct shape *s); /* elements; never overflows: every dimension is at most SHAPE_DIM_MAX */
bool shape_equal(const struct shape *a, const struct shape *b);
char *shape_text(char buf[48], const struct shape *s); /* "16x14x14" */

static inline struct shape shape_image(int c, int h, int w)
{
	return (struct shape){ TENSOR_IMAGE, false, { c, h, w } };
}

static inline struct shape shape_vector(int n)
{
	return (struct shape){ TENSOR_VECTOR, false, { n, 0, 0 } };
}

static inline struct shape shape_sequence(int c, int t, bool open)
{
	return (struct shape){ TENSOR_SEQUENCE, open, { c, t, 0 } };
}

#endif
