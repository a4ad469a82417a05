/* export/export.h - a trained model as a folder of files for another framework. One file export/export_<name>.c per
 * format, one row in export/exporters.def.
 *
 * The caller gathers everything in a job: nothing here reads the store or runs a network.
 */
#ifndef NAB_EXPORT_EXPORT_H
#define NAB_EXPORT_EXPORT_H

#include "arch/graph.h"
#include "arch/recipe.h"
#include "arch/weights.h"
#include "base/err.h"

struct json;
struct store;

struct export_job { /* all borrowed */
	const struct graph *graph;
	const struct weights *weights;
	const struct recipe *recipe;   /* how it was trained, or NULL: then there is no training code */
	const struct json *provenance; /* object of texts in the order in which they are to be shown: "tool", "run",
					  "seed", "dataset", "metric" ...; or NULL */

	/* What the network sees: (raw - mean[c]) / std[c] per channel. channels 0: raw values as they are. */
	const float *mean, *std;
	int channels;
	const char *const *class_names; /* of the first output, or NULL */

	/* Inputs as the network sees them and the logits that they gave here, for the check of the exported code:
	 * input[k] is [examples][...shape of input k], logits[k] is [examples][width of output k]. 0: no check. */
	int examples;
	const float *const *input;
	const float *const *logits;

	const char *dir; /* made if it is not there; files in it are replaced */
};

struct exporter {
	const char *name; /* of --to: "pytorch" */
	const char *help;
	/* Writes the files of a model. ERR_INVALID if the format cannot express the model, ERR_RUNTIME if a file cannot
	 * be written. NULL: what is exported is not a model but ... */
	int (*run)(const struct export_job *job, struct err *e);
	/* ... what is stored of a run; may be called for many runs with the same folder. */
	int (*stored)(struct store *s, int64_t run, const char *dir, struct err *e);
};

extern const struct exporter *const exporters[]; /* NULL-terminated */

/* The exporter of this name, or NULL with e (and a suggestion). */
const struct exporter *exporter_find(const char *name, struct err *e);

#endif
