/* cli/progress.c - see progress.h. */
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/run_log.h"
#include "cli/terminal.h"
#include "report/metric.h"

enum { SLOTS = 256, PLAIN_EVERY_S = 30 };

struct slot {
	bool used, busy;
	char device[96], label[64];
	int attempt, epoch, epochs;
	int64_t step, steps;
	double loss, accuracy;
	const struct metric *metric; /* of the accuracy */
};

struct progress {
	const struct cli *cli;
	struct run_log *log;
	bool live; /* a terminal that can be redrawn */
	struct slot slots[SLOTS];
	int n_slots, drawn; /* lines on the screen now */
	int64_t done, total;
	int in_flight;
	double eta, best, started, last_plain;
	char best_label[64];
};

struct progress *progress_new(const struct cli *c, const struct study *y, const char *store)
{
	struct progress *p = mem_new(sizeof *p);

	p->cli = c;
	p->log = run_log_new(y, store);
	p->live = !c->quiet && isatty(STDERR_FILENO) && strcmp(c->color, "never");
	p->best = (double)NAN;
	p->eta = (double)NAN;
	p->started = p->last_plain = clock_mono();
	return p;
}

char *progress_duration(char *buf, double s)
{
	if (!(s >= 0))
		snprintf(buf, 32, "unknown");
	else if (s < 10)
		snprintf(buf, 32, "%.1f s", s);
	else if (s < 60)
		snprintf(buf, 32, "%.0f s", s);
	else if (s < 3600)
		snprintf(buf, 32, "%d min %02d s", (int)s / 60, (int)s % 60);
	else
		snprintf(buf, 32, "%d h %02d min", (int)(s / 3600), (int)(s / 60) % 60);
	return buf;
}

static void erase(struct progress *p)
{
	if (p->drawn)
		fprintf(stderr, "\033[%dA\033[J", p->drawn);
	p->drawn = 0;
}

static int screen_width(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

/* Lines of slots that can be drawn over again. */
static int screen_slots(void)
{
	enum { OTHERS = 4 };
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 2 * OTHERS ? w.ws_row - OTHERS : 20;
}

static void put_line(struct progress *p, const struct str *t)
{
	fprintf(stderr, "%.*s\n", screen_width() - 1, str_get(t));
	p->drawn++;
}

/* The epoch that is worked on, from 1. */
static int shown(const struct slot *s)
{
	return s->epoch < s->epochs ? s->epoch + 1 : s->epochs;
}

static void slot_line(const struct slot *s, struct str *t)
{
	double part =
	    s->epochs ? ((double)s->epoch + (s->steps ? (double)s->step / (double)s->steps : 0)) / s->epochs : 0;
	int bar = (int)(20 * (part > 1 ? 1 : part));
	char text[METRIC_TEXT];

	str_add(t, "  ");
	cell_text(t, s->device, 8, true);
	str_addc(t, ' ');
	if (!s->busy) {
		str_add(t, "waiting");
		return;
	}
	str_addf(t, "[%.*s%*s] ", bar, "####################", 20 - bar, "");
	cell_text(t, s->label, 24, true);
	str_addf(t, " epoch %d/%d", shown(s), s->epochs);
	if (!isnan(s->loss))
		str_addf(t, "  loss %.4f", s->loss);
	if (!isnan(s->accuracy))
		str_addf(t, "  validation %s", metric_text(text, s->metric, s->accuracy));
	if (s->attempt > 1)
		str_addf(t, "  attempt %d", s->attempt);
}

static void total_line(const struct progress *p, struct str *t)
{
	char spent[32], left[32];

	str_addf(t, "  %lld of %lld runs", (long long)p->done, (long long)p->total);
	if (!isnan(p->best))
		str_addf(t, ", best score %.4f (%s)", p->best, p->best_label);
	if (p->in_flight)
		str_addf(t, ", %d in flight", p->in_flight);
	str_addf(t, ", %s", progress_duration(spent, clock_mono() - p->started));
	if (!isnan(p->eta))
		str_addf(t, ", about %s left", progress_duration(left, p->eta));
}

static void draw(struct progress *p)
{
	struct str t = { 0 };
	int most = screen_slots();

	erase(p);
	for (int i = 0; i < p->n_slots && p->drawn < most; i++) {
		if (!p->slots[i].used || (p->in_flight > most && !p->slots[i].busy))
			continue;
		str_clear(&t);
		slot_line(&p->slots[i], &t);
		put_line(p, &t);
	}
	str_clear(&t);
	total_line(p, &t);
	put_line(p, &t);
	str_release(&t);
}

static void plain_status(struct progress *p)
{
	struct str t = { 0 };

	if (clock_mono() - p->last_plain < PLAIN_EVERY_S)
		return;
	p->last_plain = clock_mono();
	total_line(p, &t);
	for (int i = 0; i < p->n_slots; i++)
		if (p->slots[i].busy)
			str_addf(&t, "; %s %s epoch %d/%d", p->slots[i].device, p->slots[i].label, shown(&p->slots[i]),
				 p->slots[i].epochs);
	fprintf(stderr, "%s\n", str_get(&t));
	str_release(&t);
}

static void say(struct progress *p, const struct str *t)
{
	if (p->cli->quiet)
		return;
	if (p->live)
		erase(p);
	fprintf(stderr, "%s\n", str_get(t));
}

static void result_text(struct progress *p, const struct engine_event *v, struct str *t)
{
	bool good = v->state == STATE_DONE;

	str_addf(t, "%s%-10s%s %-24s", cli_paint(p->cli->paint_err, good ? "\033[32m" : "\033[33m"),
		 v->cached ? "cached" : run_state_names[v->state], cli_paint(p->cli->paint_err, "\033[0m"), v->label);
	if (good)
		str_addf(t, " score %.4f", v->score);
	if (v->record)
		str_addf(t, "  loss %.4f / %.4f  epochs %d", v->record->train_loss, v->record->val_loss,
			 v->record->epoch);
	if (v->text && v->text[0])
		str_addf(t, "  %s", v->text);
}

static void update_slot(struct progress *p, const struct engine_event *v)
{
	struct slot *s;

	if (v->slot < 0 || v->slot >= SLOTS)
		return;
	s = &p->slots[v->slot];
	p->n_slots = v->slot >= p->n_slots ? v->slot + 1 : p->n_slots;
	if (!s->used)
		s->loss = s->accuracy = (double)NAN;
	s->used = true;
	if (v->device)
		snprintf(s->device, sizeof s->device, "%s", v->device);
	if (v->kind == ENGINE_RUN) {
		s->busy = true;
		snprintf(s->label, sizeof s->label, "%s", v->label ? v->label : "");
		s->attempt = v->attempt;
		s->epoch = v->epoch;
		s->epochs = v->epochs;
		s->step = s->steps = 0;
		s->loss = s->accuracy = (double)NAN;
	} else if (v->kind == ENGINE_STEP) {
		s->epoch = v->epoch > 0 ? v->epoch - 1 : 0; /* the one in progress, from 1 */
		s->epochs = v->epochs ? v->epochs : s->epochs;
		s->step = v->step;
		s->steps = v->steps;
		s->loss = v->loss;
	} else if (v->kind == ENGINE_EPOCH && v->record) {
		s->epoch = v->record->epoch;
		s->accuracy = v->record->val_accuracy;
		s->metric = metric_of_task(v->task);
		s->step = 0;
	} else if (v->kind == ENGINE_RESULT || v->kind == ENGINE_RETRY) {
		s->busy = false;
	}
}

static void show_event(struct progress *p, const struct engine_event *v)
{
	struct str t = { 0 };

	p->done = v->done;
	p->total = v->total;
	p->eta = v->eta;
	p->in_flight = v->in_flight;
	update_slot(p, v);
	switch (v->kind) {
	case ENGINE_RESULT:
		if (v->state == STATE_DONE && !(v->score <= p->best)) {
			p->best = v->score;
			snprintf(p->best_label, sizeof p->best_label, "%s", v->label ? v->label : "");
		}
		result_text(p, v, &t);
		break;
	case ENGINE_CANDIDATE:
		if (p->cli->verbose)
			str_addf(&t, "candidate  %-24s %s", v->label, v->text ? v->text : "");
		break;
	case ENGINE_RETRY:
		str_addf(&t, "again      %-24s %s", v->label ? v->label : "", v->text ? v->text : "");
		break;
	case ENGINE_STARTED:
	case ENGINE_PAUSED:
	case ENGINE_RESUMED:
	case ENGINE_NOTE:
		str_add(&t, v->text ? v->text : "");
		break;
	case ENGINE_RUN:
	case ENGINE_STEP:
	case ENGINE_EPOCH:
	case ENGINE_TICK:
		break;
	}
	if (t.len)
		say(p, &t);
	if (p->live)
		draw(p);
	else if (!p->cli->quiet)
		plain_status(p);
	str_release(&t);
}

/* Names and reasons are others' texts. */
void progress_event(void *arg, const struct engine_event *v)
{
	bool foreign = v->kind == ENGINE_RESULT || v->kind == ENGINE_RETRY || v->kind == ENGINE_CANDIDATE;
	struct progress *p = arg;
	struct engine_event clean = *v;
	struct str label = { 0 }, text = { 0 };

	run_log_event(p->log, v);
	cell_text(&label, v->label, 0, true);
	cell_text(&text, v->text, 0, true);
	clean.label = v->label ? str_get(&label) : NULL;
	clean.text = v->text && foreign ? str_get(&text) : v->text;
	show_event(p, &clean);
	str_release(&label);
	str_release(&text);
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	if (p->live)
		erase(p);
	run_log_free(p->log);
	mem_free(p);
}
