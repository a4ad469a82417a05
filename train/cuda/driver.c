/* train/cuda/driver.c - which driver and devices there are, and what is wrong with them. */
#include "train/cuda/driver.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/cuda/card.h"

#define DRIVER "libcuda.so.1"

/* NVIDIA's management library: the driver's own version and free memory, without a context on the device. It comes with
 * the driver; where it does not, these two are not told. */
struct nvml {
	void *so;
	int (*init)(void);
	int (*shutdown)(void);
	int (*version)(char *buf, unsigned size);
	int (*by_uuid)(const char *uuid, void **device);
	int (*memory)(void *device, unsigned long long total_free_used[3]);
};

static void say(struct cuda_part *part, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct cuda_part *part, const char *fmt, ...)
{
	size_t n = strlen(part->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(part->text + n, sizeof part->text - n, fmt, ap);
	va_end(ap);
}

struct cuda_part *driver_part(struct cuda_found *out, const char *name)
{
	struct cuda_part *part = &out->part[out->n_parts++];

	memset(part, 0, sizeof *part);
	snprintf(part->name, sizeof part->name, "%s", name);
	return part;
}

static void *symbol(void *so, const char *name, int *missing)
{
	void *p = so ? dlsym(so, name) : NULL;

	*missing |= !p;
	return p;
}

static void nvml_open(struct nvml *m)
{
	int missing = 0;

	m->so = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	*(void **)&m->init = symbol(m->so, "nvmlInit_v2", &missing);
	*(void **)&m->shutdown = symbol(m->so, "nvmlShutdown", &missing);
	*(void **)&m->version = symbol(m->so, "nvmlSystemGetDriverVersion", &missing);
	*(void **)&m->by_uuid = symbol(m->so, "nvmlDeviceGetHandleByUUID", &missing);
	*(void **)&m->memory = symbol(m->so, "nvmlDeviceGetMemoryInfo", &missing);
	if (!missing && m->init() == 0)
		return;
	if (m->so)
		dlclose(m->so);
	memset(m, 0, sizeof *m);
}

static void nvml_close(struct nvml *m)
{
	if (!m->so)
		return;
	m->shutdown();
	dlclose(m->so);
}

static int64_t free_bytes(const struct nvml *m, const char *uuid)
{
	unsigned long long memory[3] = { 0 };
	void *device = NULL;

	if (!m->so || m->by_uuid(uuid, &device) != 0 || m->memory(device, memory) != 0)
		return -1;
	return (int64_t)memory[1];
}

/* ---- driver --------------------------------------------------------------------------------------------- */

static const char *path_of(void *so)
{
	struct link_map *map = NULL;

	return dlinfo(so, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0] ? map->l_name : DRIVER;
}

static void say_error(struct cuda_part *part, const char *path, cudaError_t rc)
{
	int version = 0;

	cudaDriverGetVersion(&version);
	if (rc == cudaErrorStubLibrary)
		say(part,
		    "%s is not a driver but the CUDA toolkit's stub for linking: take its folder out of "
		    "LD_LIBRARY_PATH",
		    path);
	else if (rc == cudaErrorInsufficientDriver)
		say(part, "%s is too old: it knows CUDA %d.%d, the plugin needs %d.%d; install a newer NVIDIA driver",
		    path, version / 1000, version % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
	else
		say(part, "%s does not work: %s (%s)", path, cudaGetErrorString(rc), cudaGetErrorName(rc));
}

static void say_version(struct cuda_part *part, const char *path, const struct nvml *m)
{
	char name[80] = "";
	int version = 0;

	cudaDriverGetVersion(&version);
	if (m->so)
		m->version(name, sizeof name);
	say(part, "%s%sCUDA %d.%d, %s", name, name[0] ? ", " : "", version / 1000, version % 1000 / 10, path);
}

/* Number of devices; the part says what is wrong if the driver cannot be used. */
static int look_for_driver(struct cuda_found *out, const struct nvml *m)
{
	struct cuda_part *part = driver_part(out, "driver");
	void *so = dlopen(DRIVER, RTLD_LAZY | RTLD_LOCAL);
	cudaError_t rc;
	int n = 0;

	if (!so) {
		say(part,
		    "%s; looked in LD_LIBRARY_PATH and the system's folders; it comes with NVIDIA's driver (a "
		    "container "
		    "needs to be given it)",
		    dlerror());
		return 0;
	}
	rc = cudaGetDeviceCount(&n);
	part->ok = rc == cudaSuccess || rc == cudaErrorNoDevice;
	if (part->ok)
		say_version(part, path_of(so), m);
	else
		say_error(part, path_of(so), rc);
	cudaGetLastError();
	if (rc != cudaSuccess)
		n = 0;
	dlclose(so);
	return n;
}

/* ---- devices -------------------------------------------------------------------------------------------- */

static void write_uuid(char *out, size_t size, const unsigned char *b)
{
	snprintf(out, size, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static void describe(struct cuda_device *d, const struct cudaDeviceProp *p, const struct nvml *m)
{
	snprintf(d->name, sizeof d->name, "%.127s", p->name);
	write_uuid(d->uuid, sizeof d->uuid, (const unsigned char *)p->uuid.bytes);
	d->bytes = (int64_t)p->totalGlobalMem;
	d->free_bytes = free_bytes(m, d->uuid);
	d->major = p->major;
	d->minor = p->minor;
	d->processors = p->multiProcessorCount;
	d->too_old = card_too_old(p->major, p->minor);
}

static void no_device(struct cuda_found *out)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");
	struct cuda_part *part = driver_part(out, "device");

	if (visible)
		say(part, "the driver shows none (CUDA_VISIBLE_DEVICES is \"%s\")", visible);
	else
		say(part, "the driver shows none");
}

static void old_devices(struct cuda_found *out)
{
	const struct cuda_device *d = out->device;
	int old = 0;

	while (old < out->n_devices && d[old].too_old)
		old++;
	if (old == out->n_devices)
		say(driver_part(out, "device"), "%s has compute capability %d.%d: too old, 7.5 is the first that works",
		    d->name, d->major, d->minor);
}

static void look_for_devices(struct cuda_found *out, int n, const struct nvml *m)
{
	struct cudaDeviceProp p;

	for (int i = 0; i < n && i < CUDA_DEVICES; i++) {
		cudaError_t rc = cudaGetDeviceProperties(&p, i);

		if (rc != cudaSuccess) {
			say(driver_part(out, "device"), "cuda:%d: %s", i, cudaGetErrorString(rc));
			return;
		}
		describe(&out->device[out->n_devices++], &p, m);
	}
	old_devices(out);
}

void driver_find(struct cuda_found *out)
{
	struct nvml m = { 0 };
	struct cuda_part *runtime;
	int n;

	nvml_open(&m);
	n = look_for_driver(out, &m);
	runtime = driver_part(out, "runtime");
	runtime->ok = 1;
	say(runtime, "CUDA %d.%d, inside the plugin", CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
	if (n > 0)
		look_for_devices(out, n, &m);
	else if (out->part[0].ok)
		no_device(out);
	nvml_close(&m);
}
