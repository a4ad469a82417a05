/* engine/engine.h - the batch engine: takes candidates from a search (or by hand), has them trained by worker
 * processes, records everything, survives kills, resumes exactly.
 *
 * The coordinator is the process that calls engine_search() or engine_train(); it is the one writer of the store. For
 * every device it starts one long-lived worker, `program worker`, which calls engine_worker_main(). A run is sent to a
 * worker as an attempt; its epochs stream back and are stored one transaction each; its result is another. A worker
 * that dies costs an attempt of each run that it had: they start again from their last checkpoints, and if the fault
 * was one of theirs, one by one. A card has as many runs in flight as make it fastest. The results are a function of
 * the study alone: not of the number of devices or of runs in flight, nor of kills, nor of the order in which runs
 * finish.
 *
 * While the calls run, SIGINT and SIGTERM are taken over: the first lets running epochs end, checkpoints and requeues
 * their runs, and returns ERR_INTERRUPTED; the second ends the workers at once.
 */
#ifndef NAB_ENGINE_ENGINE_H
#define NAB_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"
#include "train/train.h"

struct graph;
struct json;
struct study;

enum engine_event_kind {
	ENGINE_STARTED,   /* study opened: text says new or resumed */
	ENGINE_CANDIDATE, /* proposed: label, text: summary of the model */
	ENGINE_RUN,       /* an attempt begins: slot, device, run, label, attempt */
	ENGINE_STEP,      /* progress: epoch, epochs, step, steps, loss (at most a few a second and slot) */
	ENGINE_EPOCH,     /* record */
	ENGINE_RESULT,    /* state, score, record of the last epoch; text: reason or NULL; cached */
	ENGINE_RETRY,     /* an attempt failed and the run is queued again; text: why */
	ENGINE_PAUSED,    /* the disk is full: text */
	ENGINE_RESUMED,
	ENGINE_NOTE, /* text */
	ENGINE_TICK  /* about once a second: refresh what is shown */
};

struct engine_event {
	enum engine_event_kind kind;
	int slot;           /* -1: none */
	const char *device; /* of the slot */
	int64_t run;
	const char *label, *text;
	int attempt, epoch, epochs;
	int64_t step, steps;
	double loss;
	const struct epoch_record *record; /* or NULL */
	enum run_state state;
	double score;
	bool cached;
	enum task task; /* what the run's accuracy is of */
	/* always: */
	int64_t done, total; /* runs finished, and in all as far as is known */
	double eta;          /* seconds until all are done, NAN: unknown */
	int in_flight;       /* runs that are on cards now */
};

struct engine_conf {
	const char *program; /* absolute path of the binary that has the `worker` command */
	const char *store;   /* overrides the study's; NULL: the study's */
	bool fresh_only;     /* do not reuse results of the same identity from other studies */
	bool retry_failed;   /* runs that ended failed, oom or timeout are tried again */
	bool no_wait;        /* hand work over to a running coordinator and return */
	int lanes;           /* for tests: runs at a time on every device; 0: as the study says */
	void (*on_event)(void *arg, const struct engine_event *v); /* may be NULL */
	void *arg;
};

struct engine_outcome {
	int64_t study;    /* id */
	int64_t done;     /* runs of the study that are done, now */
	int64_t other;    /* final in another way: diverged, oom, ... */
	int64_t lost;     /* failed by the machine's fault: exit status 4 */
	int64_t best_run; /* 0: none */
	double best_score;
	int signal;        /* that interrupted, or 0 */
	bool handed_over;  /* to the coordinator that holds the store */
	char stopped[160]; /* why the search ended: "20 candidates", "accuracy 0.95 reached by fashion-100k-7" */
};

/* Runs (or resumes) a search study to its end. 0 with *out; -1: ERR_INTERRUPTED (resumable; out->signal),
 * ERR_INVALID (an edited study, with the differences), ERR_BUSY, ERR_INFEASIBLE, ERR_RUNTIME (resumable). */
int engine_search(const struct study *y, const struct engine_conf *c, struct engine_outcome *out, struct err *e);

/* A model to train by hand. */
struct engine_item {
	const struct graph *graph;
	const struct json *recipe;     /* complete or partial; NULL: the study's */
	const char *label;             /* NULL: the model's name, else "model" */
	const struct graph *made_from; /* the model it is a change of (stored with it), or NULL */
	const struct json *change;     /* what was changed (mutate_change()), or NULL */
	int replicates;                /* 0: the study's */

	/* Where it starts; by default from scratch. */
	int64_t start_run;   /* inherits the final weights of this run; replicate by replicate: see start_item */
	int start_item;      /* 1 + index of an earlier item: every replicate inherits from that item's run of the same
				replicate, once it is done; 0: none */
	const char *weights; /* a safetensors file instead (a pretrained baseline), or NULL */
	const struct json *edits; /* with start_run or start_item: edits that made this model of that one (carry.h) */
};

/* Trains models in a study of the given kind ("train", "ablate", "vary"), which is made or continued; items that it
 * has already are not trained again. runs (may be NULL) gets the id of each item's first run. While another coordinator
 * holds the store, the work is handed to it: out->handed_over, and (unless no_wait) this call follows the store until
 * the runs are done. */
int engine_train(const struct study *y, const char *kind, const struct engine_item *items, int n, int64_t *runs,
		 const struct engine_conf *c, struct engine_outcome *out, struct err *e);

/* The worker: serves runs that come over the socket `fd` until it is closed. Returns the exit status. */
int engine_worker_main(int fd);

/* Where the numbers of a run are: the path of its weights file (in the arena), following cached results; ERR_RUNTIME
 * if they were not kept. */
struct arena;
int engine_weights_path(char **path, struct store *s, int64_t run, struct arena *a, struct err *e);

/* Storing an evaluation made elsewhere (`nab test`, `nab eval`): per-class numbers and slices are computed here. */
int engine_store_evaluation(struct store *s, int64_t run, const struct evaluation *v, const struct dataset *d,
			    struct err *e);

#endif
