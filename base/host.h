/* base/host.h - what this program and this machine are, for the provenance of results. */
#ifndef NAB_BASE_HOST_H
#define NAB_BASE_HOST_H

#include <stddef.h>

#define NAB_VERSION "0.1.0"

/* The processor's name as the system tells it ("AMD EPYC"), "unknown" if it does not; into buf, returns it. */
char *host_processor(char *buf, size_t size);

#endif
