/* store/store.h - everything that is recorded, in one SQLite file. The only home of sqlite3.h and of SQL.
 *
 * One writer: the coordinator opens the store for writing and holds a lock (a kernel lock on <store>.lock, which dies
 * with its holder; the file says who it is). Readers open it read-only at any time. What a call has written when it
 * returns survives a crash and a power cut (WAL, synchronous=FULL). Calls that belong together go between
 * store_begin() and store_commit(); every other call is a transaction of its own.
 *
 * Rows are plain structs. Writing: texts are borrowed for the call; NULL is stored as NULL where "may be NULL" is said.
 * Reading: texts, blobs and arrays live in the arena that is passed. Ids are positive; 0 means none. Times are seconds
 * since 1970. NAN in a number means unknown and is stored as NULL. JSON columns hold compact canonical text.
 *
 * What depends on the clock or on the machine (attempts, times, events, files) is kept in tables apart from the
 * trajectory (candidates, runs, results, epochs, evaluations), which is a function of the study alone.
 *
 * Errors: ERR_INVALID not a store, damaged, newer, on a network file system; ERR_BUSY another writer; ERR_RUNTIME
 * input/output. After a failed write store_disk_full() says whether the disk was full: then nothing was changed, and
 * the same call may be made again later.
 */
#ifndef NAB_STORE_STORE_H
#define NAB_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct str;
struct store;

#define STORE_DEFAULT "nab.db"

enum store_mode {
	STORE_READ,  /* read-only; several at a time, beside a writer */
	STORE_WRITE, /* the one writer; the file must exist */
	STORE_CREATE /* the one writer; the file is made if it is not there */
};

int store_open(struct store **out, const char *path, enum store_mode mode, struct err *e);
const char *store_library(void);   /* "SQLite 3.40.1" */
void store_close(struct store *s); /* rolls an open transaction back; accepts NULL */
const char *store_path(const struct store *s);
bool store_disk_full(const struct store *s);   /* the last failed write failed for want of space */
bool store_was_unclean(const struct store *s); /* the writer before did not close it; it was checked at opening */

/* A number that is another one after somebody else has written to the store since it was asked last. */
int store_version(struct store *s, int64_t *out, struct err *e);

/* Who holds the writer's lock, as "process 123 on host"; into buf. Returns false (and "") when nobody does. */
bool store_holder(const char *path, char *buf, size_t size);

/* Transactions. They do not nest. A failed call inside does not end the transaction: roll back. */
int store_begin(struct store *s, struct err *e);
int store_commit(struct store *s, struct err *e);
void store_rollback(struct store *s);

/* A consistent copy while others read and write; `to` must not exist. */
int store_backup(struct store *s, const char *to, struct err *e);
/* Full check of pages, indices and references: 0, or -1 with e: the first damage found. */
int store_check(struct store *s, struct err *e);

/* ---- data sets, studies --------------------------------------------------------------------------------- */

struct store_data {
	int64_t id;
	const char *digest; /* identity of the data: digest and splits (hash text); unique together with spec */
	const char *name;
	const char *spec; /* JSON of the specification, fully rendered */
	const char *info; /* JSON of dataset_info(): shape, task, classes, split sizes, mean, std, slices */
};

int store_data_put(struct store *s, struct store_data *d, struct err *e); /* finds or adds; sets d->id */
int store_data_get(struct store *s, int64_t id, struct store_data *out, struct arena *a, struct err *e);

struct store_slice {
	const char *name;
	const uint8_t *member; /* [n] 1 if the example belongs to it */
};

struct store_truth { /* what the examples of a split are, in its order: to judge stored predictions by */
	int split;   /* enum split of dataset/dataset.h */
	int64_t n;
	const uint16_t *label; /* [n] classes */
	const struct store_slice *slices;
	int n_slices;
};

int store_truth_put(struct store *s, int64_t data, const struct store_truth *t, struct err *e); /* replaces */
/* 1 found, 0 not there (a store of an older nab, or regression), -1 error. */
int store_truth_get(struct store *s, int64_t data, int split, struct store_truth *out, struct arena *a, struct err *e);

enum study_state { STUDY_OPEN, STUDY_FINISHED, STUDY_INTERRUPTED, STUDY_STATE_COUNT };
extern const char *const study_state_names[]; /* "open", ... NULL-terminated */

struct store_study {
	int64_t id;
	const char *name;   /* unique */
	const char *kind;   /* "search", "train", "ablate", "vary", ... */
	const char *config; /* JSON, fully rendered: authoritative */
	const char *digest; /* of the part of config that may not change on resume */
	const char *space;  /* JSON of the space, with its blocks; may be NULL */
	int64_t data;       /* its data set, or 0 */
	enum study_state state;
	const char *search; /* JSON: position of the search (random numbers, counts of rejections); may be NULL */
	const char *env;    /* JSON: versions, processor, backend, threads that its results are comparable under */
	double created;
};

int store_study_add(struct store *s, struct store_study *y, struct err *e); /* sets y->id and y->created */
/* 1 found, 0 not there, -1 error. */
int store_study_find(struct store *s, const char *name, struct store_study *out, struct arena *a, struct err *e);
int store_study_get(struct store *s, int64_t id, struct store_study *out, struct arena *a, struct err *e);
int store_studies(struct store *s, struct store_study **out, int *n, struct arena *a, struct err *e);
int store_study_set_config(struct store *s, int64_t id, const char *config, struct err *e);
int store_study_set_state(struct store *s, int64_t id, enum study_state state, struct err *e);
int store_study_set_search(struct store *s, int64_t id, const char *search, struct err *e);

/* ---- models --------------------------------------------------------------------------------------------- */

struct store_model {
	int64_t id;
	const char *hash;    /* graph_hash() as text: equal for isomorphic graphs */
	const char *digest;  /* graph_digest() as text: exact; unique */
	const char *name;    /* may be NULL */
	const char *json;    /* canonical model JSON, blocks embedded */
	const char *summary; /* one line */
	int64_t params, macs, activations, weight_bytes, train_bytes;
	int depth, layers;
	int64_t parent;     /* reading only: the model it was first made from, or 0 */
	const char *change; /* reading only: JSON of what was changed, or NULL */
};

int store_model_put(struct store *s, struct store_model *m, struct err *e); /* finds by digest or adds; sets m->id */
int store_model_get(struct store *s, int64_t id, struct store_model *out, struct arena *a, struct err *e);

/* ---- candidates and runs -------------------------------------------------------------------------------- */

enum store_origin { ORIGIN_SEARCH, ORIGIN_BASELINE, ORIGIN_USER, ORIGIN_COUNT };
extern const char *const store_origin_names[]; /* "search", "baseline", "user" */

struct store_candidate {
	int64_t id, study, model;
	enum store_origin origin;
	int64_t number;       /* from 0, within study and origin: the order of the search */
	const char *label;    /* what users call it: "lenet5", "fashion-100k-7"; unique in the study */
	const char *recipe;   /* JSON: the complete recipe */
	const char *proposal; /* JSON: recipe overrides, fidelity, continue-from, inherit-from */
	const char *key;      /* novelty: hash text; unique in the study */
	bool surplus;         /* beyond what the study's targets asked for */
	int64_t parent;       /* model it was made from, or 0 */
	const char *change;   /* JSON of what was changed, or NULL */
	int64_t start_run;    /* run whose weights it starts from, or 0 */
	bool resumes;         /* start_run is continued (optimizer and all), not only inherited from */
};

/* Adds a candidate; sets c->id. 1: added; 0: its key is in the study already (c->id: the one that has it). */
int store_candidate_add(struct store *s, struct store_candidate *c, struct err *e);
/* It starts from trained weights (of another run, or of a file), not from scratch. A run that is continued does not. */
bool store_candidate_inherits(const struct store_candidate *c);
int store_candidate_get(struct store *s, int64_t id, struct store_candidate *out, struct arena *a, struct err *e);
/* All of a study, by origin and number. */
int store_candidates(struct store *s, int64_t study, struct store_candidate **out, int *n, struct arena *a,
		     struct err *e);
int store_candidate_set_surplus(struct store *s, int64_t id, bool surplus, struct err *e);

enum run_state { /* of a run; from STATE_DONE on it is final */
		 STATE_QUEUED,
		 STATE_RUNNING,
		 STATE_DONE,
		 STATE_DIVERGED,
		 STATE_OOM,
		 STATE_TIMEOUT,
		 STATE_INFEASIBLE,
		 STATE_FAILED, /* it killed its worker again and again at the same place, or the backend failed */
		 STATE_COUNT
};
extern const char *const run_state_names[]; /* "queued", "running", "done", ... NULL-terminated */

static inline bool run_state_final(enum run_state s)
{
	return s >= STATE_DONE;
}

struct store_run {
	int64_t id, candidate;
	int replicate; /* from 0 */
	uint64_t seed; /* replicate seed */
	enum run_state state;
	const char *identity; /* hash text of everything that decides its bits */
	int64_t cached_from;  /* run of another study whose result this is, or 0 */
};

int store_run_add(struct store *s, struct store_run *r, struct err *e); /* sets r->id; unique (candidate, replicate) */
int store_run_get(struct store *s, int64_t id, struct store_run *out, struct arena *a, struct err *e);
/* All of a study, by origin, number and replicate. */
int store_runs(struct store *s, int64_t study, struct store_run **out, int *n, struct arena *a, struct err *e);
int store_run_set_state(struct store *s, int64_t id, enum run_state state, struct err *e); /* final: store_result_put */
/* The finished run (state done) of the given identity, or 0 in *id. */
int store_run_cached(struct store *s, const char *identity, int64_t *id, struct err *e);
/* Copies result, epochs, evaluations (not of the test split), predictions, findings and times of `from` to `to`. */
int store_run_copy(struct store *s, int64_t to, int64_t from, struct err *e);
/* Final and without success (failed, oom, timeout) back to queued, its result forgotten; attempts stay. */
int store_run_retry(struct store *s, int64_t id, struct err *e);

struct store_result {         /* one per run: a second one is refused */
	enum run_state state; /* final */
	const char *reason;   /* NULL when done */
	int epochs;           /* completed */
	int best_epoch;       /* by validation; 0: none */
	double best_accuracy;
	bool restored;                                             /* weights are those of best_epoch */
	double score;                                              /* what the study ranks by; higher is better */
	double train_loss, train_accuracy, val_loss, val_accuracy; /* of the final weights */
	int64_t bytes;                                             /* planned memory */
	double seconds;                                            /* kept apart, with the times */
};

/* Stores the result and moves the run to its final state. 1: stored; 0: it had a result already (kept). */
int store_result_put(struct store *s, int64_t run, const struct store_result *r, struct err *e);
int store_result_get(struct store *s, int64_t run, struct store_result *out, struct arena *a, struct err *e);

/* ---- attempts ------------------------------------------------------------------------------------------- */

enum attempt_state {
	ATTEMPT_RUNNING,
	ATTEMPT_DONE,    /* brought the result */
	ATTEMPT_STOPPED, /* asked to stop; checkpointed */
	ATTEMPT_DIED,    /* its worker ended: signal, exit, silence */
	ATTEMPT_LOST,    /* its coordinator ended */
	ATTEMPT_FAILED,  /* the backend reported a failure of the machine */
	ATTEMPT_STATE_COUNT
};
extern const char *const attempt_state_names[];

struct store_attempt {
	int64_t id, run;
	int number; /* from 1 */
	enum attempt_state state;
	const char *device; /* "cpu:0" */
	const char *host;
	int pid;
	double started, ended; /* ended: NAN while it runs */
	const char *reason;    /* may be NULL */
	int epoch;             /* epochs completed when it ended */
	int64_t step;          /* last step heard of: where a run dies again and again */
};

/* Adds the run's next attempt (sets a->id, a->number, a->started) and moves the run to running. */
int store_attempt_begin(struct store *s, struct store_attempt *a, struct err *e);
int store_attempt_end(struct store *s, int64_t id, enum attempt_state state, int epoch, int64_t step,
		      const char *reason, struct err *e);
int store_attempts(struct store *s, int64_t run, struct store_attempt **out, int *n, struct arena *a, struct err *e);
/* After a coordinator's end: its running attempts are marked lost, running runs queued. Returns their number or -1. */
int store_recover(struct store *s, struct err *e);

/* ---- what a run saw ------------------------------------------------------------------------------------- */

struct store_epoch {
	int epoch; /* from 1 */
	int64_t steps, examples;
	double rate, train_loss, train_accuracy, val_loss, val_accuracy, grad_norm;
	double seconds; /* kept apart, with the times */
};

int store_epoch_put(struct store *s, int64_t run, const struct store_epoch *r, struct err *e); /* replaces */
int store_epochs(struct store *s, int64_t run, struct store_epoch **out, int *n, struct arena *a, struct err *e);

struct store_evaluation {
	int split; /* enum split of dataset/dataset.h: 0 train, 1 validation, 2 test */
	int64_t n;
	int classes;
	double loss, accuracy, balanced_accuracy, top5, f1_macro, precision_macro, recall_macro;
	const int64_t *confusion;  /* [classes][classes], rows true; may be NULL */
	const uint16_t *predicted; /* [n] in the order of the split; may be NULL */
	const char *per_class;     /* JSON: list of {precision, recall, f1, n}; may be NULL */
	const char *slices;        /* JSON: {name: accuracy}; may be NULL */
};

int store_evaluation_put(struct store *s, int64_t run, const struct store_evaluation *v, struct err *e); /* replaces */
/* 1 found, 0 not there, -1 error. */
int store_evaluation_get(struct store *s, int64_t run, int split, struct store_evaluation *out, struct arena *a,
			 struct err *e);

struct store_finding {
	const char *code, *text;
	const char *layer; /* flat id, or NULL */
};

int store_finding_add(struct store *s, int64_t run, const struct store_finding *f, struct err *e);
int store_findings(struct store *s, int64_t run, struct store_finding **out, int *n, struct arena *a, struct err *e);

struct store_layer_time {
	const char *layer, *kind; /* flat id; name of the kind */
	double forward_s, backward_s;
	int64_t bytes;
	const char *fused_into; /* flat id, or NULL */
};

struct store_profile {
	const char *backend; /* with precision and threads: "cpu fp32 1 thread" */
	int batch;
	double optimizer_s, input_s, loss_s;
	int64_t weight_bytes, gradient_bytes, moment_bytes, activation_bytes, workspace_bytes, total_bytes;
	struct store_layer_time *layer;
	int n_layers;
};

int store_profile_put(struct store *s, int64_t model, const struct store_profile *p, struct err *e); /* replaces */
/* 1 found, 0 not there, -1 error. */
int store_profile_get(struct store *s, int64_t model, struct store_profile *out, struct arena *a, struct err *e);

/* ---- reads of the test split, files, events ------------------------------------------------------------- */

int store_test_read_add(struct store *s, int64_t run, const char *what, struct err *e);
int store_test_reads(struct store *s, int64_t run, int *n, struct err *e); /* run 0: all of the store */

struct store_test_read {
	int64_t run;
	double time;
	const char *what; /* the command */
};
/* Of a study, or (0) of all; oldest first. */
int store_test_read_list(struct store *s, int64_t study, struct store_test_read **out, int *n, struct arena *a,
			 struct err *e);

enum file_kind { FILE_CHECKPOINT, FILE_WEIGHTS, FILE_KIND_COUNT };

struct store_file { /* paths are relative to the folder of the store */
	int64_t run;
	enum file_kind kind;
	const char *path;
	int64_t bytes;
	double written;
	double score;         /* of the run, NAN if it has none yet: for retention */
	enum run_state state; /* of the run */
};

int store_file_put(struct store *s, int64_t run, enum file_kind kind, const char *path, int64_t bytes, struct err *e);
int store_file_drop(struct store *s, int64_t run, enum file_kind kind, struct err *e);
/* run 0: all files, oldest first. */
int store_files(struct store *s, int64_t run, struct store_file **out, int *n, struct arena *a, struct err *e);

struct store_event {
	int64_t id, study, run; /* 0: none */
	double time;
	const char *kind, *text;
};

int store_event_add(struct store *s, const struct store_event *v, struct err *e); /* id and time are set here */
/* The last `most` events (oldest first), of a study (those of the whole store among them) or (0) of all. */
int store_events(struct store *s, int64_t study, int most, struct store_event **out, int *n, struct arena *a,
		 struct err *e);

/* ---- joined views --------------------------------------------------------------------------------------- */

struct store_item { /* a run with what belongs to it; result fields are NAN or 0 until it is final */
	struct store_run run;
	struct store_candidate candidate;
	struct store_result result;
	int64_t model, params, macs, weight_bytes, train_bytes;
	int depth, layers;
	const char *study, *model_hash, *model_name, *summary;
	double balanced_accuracy, f1_macro, top5; /* of the validation evaluation */
	double test_accuracy;                     /* NAN unless the test split was read */
	double started, ended;                    /* first attempt's start, last one's end */
	int attempts;
	const char *device; /* of the last attempt, or NULL */
};

enum store_order {
	ORDER_RUN, /* id */
	ORDER_NUMBER,
	ORDER_SCORE,
	ORDER_ACCURACY,
	ORDER_LOSS,
	ORDER_PARAMS,
	ORDER_MACS,
	ORDER_SECONDS,
	ORDER_LABEL,
	ORDER_COUNT
};
extern const char *const store_order_names[]; /* "id", "number", "score", ... NULL-terminated */

struct store_query {                     /* zeroed: all runs by id */
	int64_t study, candidate, model; /* 0: any */
	unsigned states;                 /* bit set 1 << run_state; 0: any */
	enum store_order order;          /* unknown values last */
	bool descending;
	int limit; /* 0: none */
};

int store_list(struct store *s, const struct store_query *q, struct store_item **out, int *n, struct arena *a,
	       struct err *e);
int store_item_get(struct store *s, int64_t run, struct store_item *out, struct arena *a, struct err *e);

/* What a user wrote to name a run: a run's id, "best" (highest score), a candidate's label (its best replicate), a
 * model's name, or at least 6 digits of a model's hash. study 0: all. ERR_USAGE with a suggestion if nothing fits. */
int store_resolve(struct store *s, const char *text, int64_t study, int64_t *run, struct err *e);

/* The chain of models from `model` to its first ancestor: ids[0] = model. Returns their number (at most `most`). */
int store_lineage(struct store *s, int64_t model, int64_t *ids, int most, struct err *e);

struct store_summary {
	int64_t candidates, surplus;
	int64_t runs[STATE_COUNT];
	int64_t epochs;      /* trained, cached ones excluded */
	double seconds;      /* of training, over all attempts that brought a result */
	double best_score;   /* NAN if none */
	int64_t best_run;    /* 0 if none */
	int64_t file_bytes;  /* of checkpoints and weights */
	int64_t store_bytes; /* of the database */
	int test_reads;
};

int store_summarize(struct store *s, int64_t study, struct store_summary *out, struct err *e); /* study 0: all */

/* The study's final table as canonical text, a line a candidate, run, epoch, evaluation and finding, in the order of
 * the search: no ids, times, attempts. Two searches of one study are equal if and only if these texts are. */
int store_trajectory(struct store *s, int64_t study, struct str *out, struct err *e);

#endif
