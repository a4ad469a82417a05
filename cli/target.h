/* cli/target.h - what users name on the command line: data sets, backends, models and stored runs. */
#ifndef NAB_CLI_TARGET_H
#define NAB_CLI_TARGET_H

#include "arch/recipe.h"
#include "arch/weights.h"
#include "cli/cli.h"
#include "dataset/dataset.h"
#include "store/store.h"
#include "train/backend.h"

/* A data set: "glyphs", "format:folder" ("idx:data/mnist"), or a JSON file that holds a specification or a study. */
int cli_open_data(struct cli *c, const char *text, struct dataset **out, struct err *e);

/* A model file, or a run of the store ("best", a run's number, a candidate's label, a model's name or hash). */
struct target {
	struct graph *graph;
	const char *name;         /* for messages and file names */
	const char *weights_path; /* file of the run's final weights, or NULL */
	struct store_item item;   /* of the run; item.run.id 0: a model file */
	const char *recipe;       /* JSON of the run's recipe, or NULL */
	const char *store;        /* path of the store it is in, or NULL */
	const char *config;       /* JSON of its study, or NULL */
	const char *data_spec;    /* JSON of the data set of its study, or NULL */
	const char *data_digest;  /* identity (digest and splits) of the data it was trained on, or NULL */
};

int cli_target(struct cli *c, const char *text, const char *store, struct target *out, struct err *e);

/* Whether of two runs of a store one model is an ancestor of the other, or they share one. */
int target_related(struct store *s, const struct target *a, const struct target *b, bool *out, struct err *e);

/* The data set of a target: `data` if the user gave one, else that of its study; the digest is checked. */
int cli_target_data(struct cli *c, const struct target *t, const char *data, struct dataset **out, struct err *e);
/* Its weights: from `path` if given, else those of the run. */
int cli_target_weights(const struct target *t, const char *path, struct weights **out, struct err *e);

/* Opens a backend by name ("" or NULL: the preferred one that works here). */
int cli_backend(const char *name, int threads, const struct backend **b, struct backend_ctx **ctx, struct err *e);

/* The store to use: --store, else $NAB_STORE, else the only *.db in the working directory. */
int cli_store_path(struct cli *c, const char *flag, const char **out, struct err *e);
int cli_open_store(struct cli *c, const char *flag, struct store **out, struct err *e); /* for reading */
#define OPT_STORE(S) OPT_STR(S, store, NULL, "the store; default: $NAB_STORE, else the only *.db file here")

/* The study that --study names; 0 if it names none (NULL). */
int cli_study_id(struct store *s, const char *name, int64_t *out, struct arena *a, struct err *e);

#endif
