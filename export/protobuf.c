/* export/protobuf.c - see protobuf.h. */
#include "export/protobuf.h"

#include <string.h>

#include "base/str.h"

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 }; /* wire types */

static void varint(struct str *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		str_addc(out, (char)(v | 0x80));
	str_addc(out, (char)v);
}

static void key(struct str *out, int field, int wire)
{
	varint(out, (uint64_t)field << 3 | (uint64_t)wire);
}

void pb_int(struct str *out, int field, int64_t v)
{
	key(out, field, VARINT);
	varint(out, (uint64_t)v);
}

void pb_float(struct str *out, int field, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof bits);
	key(out, field, FIXED32);
	str_add_bytes(out, bits, 4);
}

void pb_double(struct str *out, int field, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	key(out, field, FIXED64);
	str_add_bytes(out, bits, 8);
}

void pb_bytes(struct str *out, int field, const void *data, size_t n)
{
	key(out, field, LENGTH);
	varint(out, n);
	str_addn(out, data, n);
}

void pb_text(struct str *out, int field, const char *s)
{
	struct str clean = { 0 };

	if (!s)
		return;
	for (int n; *s; s += n ? n : 1) {
		n = str_utf8(s);
		str_addn(&clean, n ? s : "?", n ? (size_t)n : 1);
	}
	pb_bytes(out, field, str_get(&clean), clean.len);
	str_release(&clean);
}

void pb_message(struct str *out, int field, struct str *message)
{
	pb_bytes(out, field, str_get(message), message->len);
	str_clear(message);
}
