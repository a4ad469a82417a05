/* export/tfrecord.c - see tfrecord.h. */
#include "export/tfrecord.h"

#include "base/str.h"

uint32_t crc32c(const void *data, size_t n)
{
	static const uint32_t by_4_bits[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
						0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
						0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
	const unsigned char *p = data;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ by_4_bits[crc & 15];
		crc = crc >> 4 ^ by_4_bits[crc & 15];
	}
	return ~crc;
}

static void masked(struct str *out, const void *data, size_t n)
{
	uint32_t crc = crc32c(data, n);

	str_add_bytes(out, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

void tfrecord_add(struct str *out, const void *data, size_t n)
{
	size_t at = out->len;

	str_add_bytes(out, n, 8);
	masked(out, out->s + at, 8);
	str_addn(out, data, n);
	masked(out, data, n);
}
