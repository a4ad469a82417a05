/* tests/fuzz/fuzz_csv.c - text tables, opened as data sets through a file in memory; the first byte chooses options. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "dataset/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const options[] = {
	"{}",
	"{\"header\": \"yes\", \"label\": \"0\"}",
	"{\"header\": \"no\", \"task\": \"regression\"}",
	"{\"delimiter\": \";\", \"categorical\": \"0\"}",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dataset_spec spec = { 0 };
	struct dataset *d = NULL;
	struct json *json;
	const char *text;
	char path[64];
	int fd;

	if (size < 1)
		return 0;
	fd = memfd_create("fuzz", 0);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		__builtin_trap();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	opt_defaults(&spec, dataset_opts);
	text = options[data[0] % 4];
	if (json_parse(&json, text, strlen(text), "options", NULL) < 0)
		__builtin_trap();
	spec.format = "csv";
	spec.dir = path;
	spec.options = json;
	if (dataset_open(&d, &spec, NULL) == 0) {
		assert(d->n_split[SPLIT_TRAIN] > 0 && d->channels > 0 && d->std[0] > 0);
		dataset_close(d);
	}
	json_free(json);
	close(fd);
	return 0;
}
