/* base/pack.c - see pack.h. */
#include "base/pack.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/str.h"

void base64_add(struct str *out, const void *data, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *b = data;
	size_t len = (n + 2) / 3 * 4, at = 0;
	char *text = mem_new(len + 1);

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v =
		    (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);

		for (int k = 18; k >= 0; k -= 6)
			text[at++] = digit[v >> k & 63];
	}
	for (size_t k = n % 3; k > 0 && k < 3; k++)
		text[len - 3 + k] = '=';
	str_addn(out, text, len);
	mem_free(text);
}

static voidpf zalloc(voidpf opaque, uInt items, uInt size)
{
	(void)opaque;
	return mem_new((size_t)items * size);
}

static void zfree(voidpf opaque, voidpf p)
{
	(void)opaque;
	mem_free(p);
}

void pack_add(struct str *out, const void *data, size_t n)
{
	z_stream z = { .zalloc = zalloc, .zfree = zfree };
	uint8_t *to;
	size_t cap;
	int rc;

	assert(n <= UINT_MAX / 2);
	rc = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	assert(rc == Z_OK);
	cap = deflateBound(&z, (uLong)n);
	to = mem_new(cap + 1);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)n;
	z.next_out = to;
	z.avail_out = (uInt)cap;
	rc = deflate(&z, Z_FINISH);
	assert(rc == Z_STREAM_END);
	(void)rc;
	base64_add(out, to, z.total_out);
	deflateEnd(&z);
	mem_free(to);
}
