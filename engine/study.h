/* engine/study.h - the study document: what a user edits, and what is stored, fully rendered.
 *
 *	{ "study": "fashion-100k", "dataset": {...}, "space": "spaces/blocks-100k.json" or {...},
 *	  "search": {"strategy": "markov", "candidates": 20, "seed": "42", ...}, "baselines": ["models/lenet5.json"],
 *	  "train": {recipe, keys may be choices}, "seed": "1", "replicates": 1, "objective": "accuracy",
 *	  "stop": {"accuracy": 0.95, "seconds": 3600, "epochs": 0}, "devices": ["cpu:0", "cpu:1"], "in_flight": 0,
 *	  "store": "fashion.db", "backend": "cpu", "threads": 1, "tune": false, "limits": {"max_disk": 0, ...} }
 *
 * Reading a document fills in every default, loads the space and the baselines it names, and makes the folder of the
 * data set absolute: the rendered document needs no file but the data. What is rendered reads back as itself.
 *
 * Devices are slots of cores ("cpu:0") and cards, by index or by their own name ("cuda:0", "cuda:GPU-3f2a..."). A study
 * has one backend: results of different ones are not the same numbers, so where a run is trained may not depend on
 * what happens to be free. Where devices are mixed, those of the other kind serve models that are pinned to them (by
 * the "device" of a layer: "cpu", "cuda", or a device of the list).
 *
 * A study is what was stored. Running it again resumes it: budgets ("stop", search.candidates), "devices",
 * "in_flight", "store", "limits", "log" may have been changed, any other difference is an error (study_difference()).
 */
#ifndef NAB_ENGINE_STUDY_H
#define NAB_ENGINE_STUDY_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/model.h"
#include "arch/recipe.h"
#include "base/err.h"
#include "base/opt.h"
#include "dataset/dataset.h"
#include "search/search.h"

struct arena;
struct json;
struct json_in;
struct str;

struct study_stop {      /* totals of the study, however often it is resumed; 0: no such limit */
	double accuracy; /* a search candidate whose score reaches it ends the search (judged in index order) */
	double seconds;  /* of wall clock: no further run is started then */
	int64_t epochs;  /* trained by search candidates (judged in index order) */
};

struct study_limits {
	int64_t max_disk;          /* bytes of checkpoints and weights: the least useful files go first; 0: no limit */
	int64_t memory;            /* bytes that one run may plan; 0: no limit */
	double run_seconds;        /* wall clock of one run; makes the study depend on the machine's speed */
	double silence;            /* seconds without a word after which a worker is killed */
	double disk_wait;          /* seconds to wait for space on a full disk before giving up (resumable) */
	int attempts;              /* of a run that ends its worker at the same step again and again */
	int checkpoint_every;      /* epochs */
	double checkpoint_seconds; /* and at least so much time, but for a run's last */
};

enum device_kind { DEVICE_CPU, DEVICE_CUDA, DEVICE_KIND_COUNT };
extern const char *const device_kind_names[]; /* "cpu", "cuda" */

struct study {
	const char *study;            /* its name */
	const struct json *dataset;   /* as rendered */
	const struct json *space;     /* as rendered: the whole space; NULL if none */
	const struct json *search;    /* as rendered */
	const struct json *baselines; /* list of whole models; NULL if none */
	const struct json *train;     /* as rendered: a recipe whose values may be choices */
	const char *seed;             /* of training: replicate r has the seed `seed` + r */
	int replicates;               /* runs of every candidate */
	const char *objective;        /* "accuracy", "balanced_accuracy", "f1_macro", "top5", "loss", "slice:NAME" */
	struct study_stop stop;
	struct opt_strs devices; /* "cpu:0", "cuda:0"; empty: all of the backend's kind that this process may use */
	int in_flight;           /* runs at a time on one card, at most; 0: STUDY_IN_FLIGHT */
	const char *store;       /* path of the store */
	const char *backend;     /* of all runs that are not pinned to the other kind of device */
	int threads;             /* of one slot */
	bool tune;               /* measure the backend's algorithm choices */
	struct study_limits limits;
	struct opt_strs log; /* what cli/ writes beside the store while runs train: "tensorboard" */

	/* from the above */
	struct dataset_spec spec;
	struct search_cfg search_cfg;
	struct space *the_space; /* NULL if none */
	struct graph **models;   /* of the baselines */
	int n_models;
	uint64_t seed0;
	const struct json *doc; /* rendered */
};

extern const struct opt study_opts[]; /* over struct study; the parts with a grammar of their own are OPT_JSON */

/* Reads a document; `dir` is the folder that its paths are relative to (NULL: the working directory). Everything lives
 * in `a`; mistakes go to `in`, all of them in one go. need_space: a study without "space" is an error. */
int study_read(struct study *y, const struct json *doc, const char *dir, const struct block_path *lib, bool need_space,
	       struct arena *a, const struct json_in *in);

/* The recipe of a study without choices (baselines, models given by hand): every choice takes its first value. */
int study_recipe(struct recipe *r, const struct study *y, struct arena *a, struct err *e);
struct json *study_recipe_json(const struct study *y); /* the same as a document; caller frees */

/* What may not change on resume, as text to hash. */
void study_fixed(struct str *out, const struct json *doc);
/* "search.seed: \"1\" is now \"2\"" a line for every difference that resuming does not allow; nothing if none. */
void study_difference(struct str *out, const struct json *old, const struct json *now);

/* JSON Schema of the document; caller frees. */
struct json *study_schema(void);
void study_help(struct str *out);

/* Slots of cores by default: one for every core that this process may use, "cpu:0" ... */
struct opt_strs study_default_devices(int threads, struct arena *a);

enum { STUDY_IN_FLIGHT = 16 };

/* The kind of a device or of a pin ("cuda:1", "cuda"); DEVICE_KIND_COUNT: of none. */
enum device_kind study_device_kind(const char *device);
enum device_kind study_kind(const struct study *y); /* that its backend runs on */
/* What trains on devices of a kind. */
const char *study_backend(const struct study *y, enum device_kind kind);
/* Of recipes that do not say it: bf16 on cards, else fp32. */
enum precision study_precision(enum device_kind kind);

#endif
