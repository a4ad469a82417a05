/* engine/internal.h - private to engine/ and its tests: what the coordinator holds in memory.
 *
 * A work is a study that is being run; candidates and tasks (runs) of it mirror the store's rows. Everything of a work
 * lives in its arena until the coordinator ends.
 */
#ifndef NAB_ENGINE_INTERNAL_H
#define NAB_ENGINE_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/hash.h"
#include "engine/engine.h"
#include "engine/message.h"
#include "engine/study.h"
#include "search/search.h"
#include "store/store.h"

struct arena;
struct json;
struct work;

struct job { /* a run */
	int64_t id;
	struct candidate *candidate;
	int replicate;
	uint64_t seed;
	enum run_state state;
	double score;       /* NAN unless done */
	int epochs;         /* of its result */
	struct job *parent; /* of this engine, whose end it waits for; NULL: none */
	bool held;          /* a worker has it */
	int deaths;         /* in a row, in the epoch `death_epoch`, by its own fault or that of a neighbour */
	int death_epoch;
	bool suspect; /* it was in flight when its worker ended by its own fault: it runs alone until it is past there
		       */
};

struct candidate {
	int64_t id, model, number;
	struct work *work;
	enum store_origin origin;
	const char *label, *recipe; /* recipe: JSON text, complete */
	const char *device;         /* that it is pinned to ("cuda", "cpu:1"), or NULL: any of the study's backend */
	bool surplus;
	int64_t start_run; /* continued or inherited from; if paired: by replicate 0 */
	bool paired;       /* replicate r starts from replicate r of that run's candidate */
	struct job *jobs;
	int n_jobs;
	struct proposal *proposal; /* kept while the search may want it, else NULL */
	struct cost cost;
};

enum { NOT_JUDGED = -1 };

struct work {
	struct arena *arena;
	struct study study; /* as stored, with today's budgets */
	int64_t id;         /* study in the store */
	const char *kind;
	const char *data_identity, *env;
	struct candidate **candidates; /* in the order in which they were made */
	int n, cap;
	int settled;           /* candidates[0, settled) are final */
	double elapsed, began; /* seconds of earlier coordinators; clock when this one took it up */
	/* the search, NULL for work given by hand */
	struct search *search;
	struct shape example; /* of the data, unscaled */
	struct search_ctx search_ctx;
	struct arena *proposals;      /* search_ask()'s; reset after each unless the strategy learns from them */
	struct candidate **by_number; /* search candidates by index */
	int n_asked, cap_asked;
	bool learns;    /* the strategy looks at results: proposals and checkpoints are kept for it */
	bool exhausted; /* no more candidates */
	int judged;     /* search candidates [0, judged) are final and were told to the stop rules */
	int64_t epochs; /* trained by them */
	int last;       /* index of the candidate that met a target, or NOT_JUDGED */
	char stopped[160];
};

/* How many runs a device has in flight: climbs along the examples that it trains on in a second. */
struct climb {
	int open, most; /* 1 <= open <= most */
	int step;       /* of the next move; its sign is the direction */
	double rate;    /* of the window before; 0: none yet */
};

struct slot {      /* room for one run on a device */
	int index; /* in the engine */
	struct device *device;
	struct job *job; /* NULL: idle */
	struct store_attempt attempt;
	bool had_checkpoint; /* when the attempt began */
	bool stopping;       /* told to stop */
	bool cleared;        /* and that because it is no suspect any more */
	double heard;        /* clock of its last word; 0: none yet (it may wait for memory) */
	int epoch, epochs;   /* completed in this attempt; of the recipe */
	int64_t step, steps, batch;
	double loss;
};

enum device_state { DEVICE_DOWN, DEVICE_STARTING, DEVICE_UP };

struct device {           /* cores or a card, and the worker process that serves it */
	const char *name; /* as the study has it */
	enum device_kind kind;
	const char *visible; /* CUDA_VISIBLE_DEVICES of its worker, or NULL */
	int *cores, n_cores;
	struct slot *slots; /* of the engine's */
	int n_slots;
	enum device_state state;
	pid_t pid;
	struct channel channel;
	double not_before, heard; /* clocks: when it may be started again; last word */
	int early_deaths;         /* in a row, before it was ready */
	bool silent;              /* killed for its silence */
	bool gone;                /* given up; other devices of its kind go on */
	char why[240];            /* what its worker said last about the device, or "" */
	int64_t oom_kills;        /* of the machine, when its last attempt began */
	struct climb climb;
	double since; /* clock when the window began in which examples are counted; 0: none, too few runs are there */
	int64_t examples;
};

enum { CLIENTS = 16 };

struct engine {
	const struct engine_conf *conf;
	struct store *store;
	char *store_path, *files; /* folder of checkpoints and weights */
	char host[64];
	struct work **works;
	int n_works;
	struct device *devices;
	int n_devices;
	struct slot *slots; /* of all devices, one after the other */
	int n_slots, threads;
	int signal_fd, listen_fd;
	sigset_t old_mask;
	struct channel clients[CLIENTS];
	int signals, last_signal;         /* how many came; the last one */
	double began, ticked, disk_since; /* disk_since: clock since when the disk is full, or 0 */
	double run_seconds;               /* summed over runs that ended here */
	int run_count;
	bool data_gone;
	struct arena *arena;
};

/* ---- events.c: what is shown ---- */
void engine_emit(struct engine *g, struct engine_event v);
void engine_note(struct engine *g, enum engine_event_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts a line into the store's events (notes do so themselves), if there is room on the disk. study 0: of all. */
void engine_remember(struct engine *g, int64_t study, const char *kind, const char *text);

/* ---- rules.c: decisions, pure functions of what is in memory ---- */
bool candidate_final(const struct candidate *c);
/* Mean score of its done runs; NAN if there is none. */
double candidate_score(const struct candidate *c);
/* Looks at search candidates in index order as far as they are final; sets w->last and w->stopped when a target is
 * met. Returns how many became judged. */
int work_judge(struct work *w);
/* How many search candidates the study wants as far as is known: its budget, or less after a target was met. */
int64_t work_wanted(const struct work *w);
/* Whether time is left for another run. */
bool work_in_time(const struct work *w, double now);
/* Whether candidate c (by what is known now) is beyond what was asked for. */
bool work_is_surplus(const struct work *w, const struct candidate *c);
/* The queued run to start next on a device, or NULL: baselines, work by hand, the search; by number, then replicate. A
 * suspect has a device that can hold several runs for itself, and comes first where nothing is in flight. */
struct job *engine_pick(struct engine *g, const struct device *d, double now);
/* Whether a run of w waits, for whatever device. */
bool work_waits(const struct work *w);
/* Whether a run for this pin (NULL: none) may go to the device. */
bool device_serves(const struct device *d, const struct study *y, const char *pin);
int device_busy(const struct device *d); /* its runs in flight */
/* A window has passed with `rate` examples a second: changes how many runs are in flight. */
void climb_move(struct climb *c, double rate);
/* What a death means: counts it. Returns true if the run has failed for good. */
bool job_died(struct job *t, int epoch, int most);
/* Whether everything is done that may be done. */
bool work_finished(const struct work *w, double now);

/* ---- persist.c: transactions that wait for a full disk ---- */
typedef int persist_fn(struct engine *g, void *arg, struct err *e);
/* Runs fn in a transaction of its own. When the disk is full it is tried again and again, for limits.disk_wait seconds.
 */
int engine_persist(struct engine *g, persist_fn *fn, void *arg, struct err *e);

/* ---- works.c: studies and candidates, in the store and in memory ---- */
int work_open(struct work **out, struct engine *g, const struct study *y, const char *kind, struct err *e);
int work_start_search(struct engine *g, struct work *w, struct err *e);
void work_free(struct work *w);
/* Proposes the next candidate. 1: done; 0: not now or never; -1. */
int work_ask(struct engine *g, struct work *w, struct err *e);
/* Adds models by hand; runs[n] gets the first run of each (an older one's if it is there already). */
int work_add_items(struct engine *g, struct work *w, const struct engine_item *items, int n, int64_t *runs,
		   struct err *e);
/* A task of w has become final: tells the search, applies the stop rules. */
int work_settle(struct engine *g, struct work *w, struct candidate *c, struct err *e);
int work_finish(struct engine *g, struct work *w, bool interrupted, struct err *e);

/* ---- devices.c: worker processes ---- */
/* Also checks that the devices are there. */
int devices_open(struct engine *g, const struct study *y, struct err *e);
/* Starts its worker, or gives the device up: an error if that was the last one of its kind. */
int device_start(struct engine *g, struct device *d, struct err *e);
void device_kill(struct device *d);
/* Reaps a worker that has ended; returns its wait status. */
int device_reap(struct device *d);
void devices_close(struct engine *g);
void slot_stop(struct slot *s); /* tells the worker to end the run at its epoch */
int64_t oom_kills(void);        /* of the machine since it was started */

/* ---- attempts.c: runs on slots ---- */
/* 0; 1: the run cannot start where it should (it is infeasible now, the slot is free still); -1. */
int attempt_begin(struct engine *g, struct slot *s, struct job *t, struct err *e);
int attempt_message(struct engine *g, struct device *d, struct message *m, struct err *e);
/* The worker of a device has ended. */
int attempts_lost(struct engine *g, struct device *d, struct err *e);

/* ---- files.c: checkpoints and weights ---- */
char *file_of_run(const struct engine *g, int64_t run, enum file_kind kind, struct arena *a);
int files_retain(struct engine *g, struct work *w, struct err *e); /* --max-disk */

/* ---- origin.c: where runs start ---- */
struct origin {             /* what a candidate's proposal says about it */
	bool paired;        /* with start_run: see struct candidate */
	struct json *edits; /* in the arena's care; NULL: none */
	const char *file;   /* name of pretrained weights, or NULL */
	const char *digest; /* of that file */
	const char *device; /* see struct candidate */
};

void origin_read(struct origin *o, const char *proposal, struct arena *a);
/* Tells a worker where the run starts. 1: told; 0: it cannot start there, why[] says so; -1. */
int origin_put(struct json *body, struct engine *g, const struct job *j, char *why, size_t size, struct err *e);
/* A copy of pretrained weights beside the store: the run can be repeated when the user's file is gone. */
int origin_keep_file(struct engine *g, const char *path, const char *digest, struct err *e);
/* Runs whose files waiting runs of the store start from; caller frees *list with mem_free (also after -1). */
int origin_needed(int64_t **list, int *n, struct store *s, struct arena *a, struct err *e);

/* ---- submit.c ---- */
int submit_listen(struct engine *g, struct err *e);
int submit_accept(struct engine *g);
int submit_serve(struct engine *g, struct channel *c, struct err *e);
void submit_close(struct engine *g);

/* ---- coordinator.c ---- */
int engine_open(struct engine *g, const struct study *y, const struct engine_conf *c, struct err *e);
int engine_run(struct engine *g, struct err *e);
void engine_close(struct engine *g);
/* Takes in signals that have come. */
void engine_listen(struct engine *g);

#endif
