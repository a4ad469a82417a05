/* export/tfrecord.h - the framing of TensorFlow's record files (tensorflow/core/lib/io/record_writer.h): a record is
 *
 *	uint64 length, uint32 masked CRC-32C of the length, byte data[length], uint32 masked CRC-32C of the data
 *
 * in little-endian order; masked = rotate right by 15, plus 0xa282ead8. CRC-32C is Castagnoli's polynomial (RFC 3720,
 *B.4).
 */
#ifndef NAB_EXPORT_TFRECORD_H
#define NAB_EXPORT_TFRECORD_H

#include <stddef.h>
#include <stdint.h>

struct str;

uint32_t crc32c(const void *data, size_t n);
void tfrecord_add(struct str *out, const void *data, size_t n);

#endif
