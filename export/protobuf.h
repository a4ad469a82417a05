/* export/protobuf.h - writing messages of Protocol Buffers, version 3 wire format
 * (https://protobuf.dev/programming-guides/encoding/): a message is its fields one after the other, each a key
 * (number << 3 | wire type) and a value. A message is built in a text that may hold NUL bytes; fields are written in
 * the order of the calls.
 */
#ifndef NAB_EXPORT_PROTOBUF_H
#define NAB_EXPORT_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

struct str;

void pb_int(struct str *out, int field, int64_t v); /* int32, int64, enum, bool */
void pb_float(struct str *out, int field, float v);
void pb_double(struct str *out, int field, double v);
void pb_bytes(struct str *out, int field, const void *data, size_t n);
void pb_text(struct str *out, int field,
	     const char *s); /* NULL: left out; readers refuse broken UTF-8, which becomes '?' */
void pb_message(struct str *out, int field, struct str *message); /* which is then empty */

#endif
