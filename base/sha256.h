/* base/sha256.h - SHA-256 (FIPS 180-4): where others check our digests. For identities of our own, base/hash.h. */
#ifndef NAB_BASE_SHA256_H
#define NAB_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BASE64 = 45 /* with the NUL */ };

void sha256(const void *data, size_t n, uint8_t out[SHA256_BYTES]);

/* The digest in base64 (RFC 4648), as a Content-Security-Policy writes it. Returns buf. */
char *sha256_base64(char buf[SHA256_BASE64], const void *data, size_t n);

#endif
