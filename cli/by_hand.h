/* cli/by_hand.h - what `nab train`, `nab ablate` and `nab vary` share: their flags, the study made of them, and
 *training.
 *
 * The study has the conditions of --study; else those that the first model, if it is a stored run, was trained under
 * (recipe, seeds, data set, objective, backend and what else decides a run's result); else defaults. Flags change
 *single ones. So children train as their parent did, and a parent's own result is found in its store and reused.
 *
 * A command's flags begin with the common ones:
 *
 *	struct flags { struct by_hand hand; int count; };
 *	static const struct opt flags[] = { BY_HAND_FLAGS, OPT_INT(struct flags, count, ...), OPT_END };
 */
#ifndef NAB_CLI_BY_HAND_H
#define NAB_CLI_BY_HAND_H

#include "cli/study_file.h"
#include "cli/target.h"

struct by_hand {
	const char *study, *data, *recipe, *store, *name, *backend, *seed;
	struct opt_strs devices;
	int epochs, seeds, threads;
	bool no_wait, retry_failed;
	bool keep_open; /* no flag: keys of --recipe with open places are left to the command */
};

/* --seed is left to the commands: that of `nab vary` is not of training; and `nab ablate` has an --epochs of its own.
 */
#define BY_HAND_SOURCES                                                                                 \
	OPT_STR(struct by_hand, study, NULL, "study file whose data set, recipe and devices are used"), \
	    OPT_STR(struct by_hand, data, NULL,                                                         \
		    "data set, if no study is given (default: that of the stored run, else glyphs)"),   \
	    OPT_STR(struct by_hand, recipe, NULL, "JSON file with a recipe, whole or in part")
#define BY_HAND_MACHINE                                                                                          \
	OPT_INT(struct by_hand, seeds, 0, 0, 1000,                                                               \
		"runs of every model, with different seeds; 0: as the study or the stored run has, else 1"),     \
	    OPT_STR(struct by_hand, store, NULL,                                                                 \
		    "file for the results; default: the study's, else that of the stored run, else COMMAND.db"), \
	    OPT_STR(struct by_hand, name, NULL, "name of the new study in the store"),                           \
	    OPT_STR(struct by_hand, backend, NULL, "cpu, cuda or ref"),                                          \
	    OPT_INT(struct by_hand, threads, 0, 0, 1024, "threads of a slot"),                                   \
	    OPT_STRS(struct by_hand, devices, "device (cpu:0, cuda:0); may be repeated"),                        \
	    OPT_BOOL(struct by_hand, no_wait, 0, "hand the work to the running coordinator and return"),         \
	    OPT_BOOL(struct by_hand, retry_failed, 0, "try runs again that ended failed, out of memory or timed out")
#define BY_HAND_FLAGS                                                                                     \
	BY_HAND_SOURCES, OPT_INT(struct by_hand, epochs, 0, 0, 1000000, "epochs; 0: as the recipe says"), \
	    BY_HAND_MACHINE

/* A model or run to start from; --set is kept for the study. */
int by_hand_target(struct cli *c, const struct by_hand *h, const char *text, struct target *out, struct err *e);

/* The study of the command ("train", "vary"), for items that begin with `first`. default_name: its name in the store
 * when neither --name nor --study give one; characters that names may not have are replaced. In the arena's care. */
int by_hand_study(struct cli *c, const struct by_hand *h, const struct target *first, const char *command,
		  const char *default_name, struct study *y, struct err *e);

/* The keys of --recipe that have open places, in *out (NULL if there are none): for commands that set keep_open. Lives
 * in c->arena. */
int by_hand_open_recipe(struct cli *c, const struct by_hand *h, const struct json **out, struct err *e);

/* Trains as engine_train() does, showing progress; runs[n]. Signals become exit codes. */
int by_hand_train(struct cli *c, const struct by_hand *h, const struct study *y, const char *kind,
		  const struct engine_item *items, int n, int64_t *runs, struct engine_outcome *out, struct err *e);

/* What a command ends with: lost runs are exit status 4. */
int by_hand_lost(const struct engine_outcome *out, struct err *e);

#endif
