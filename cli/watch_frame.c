/* cli/watch_frame.c - see watch_frame.h. */
#include "cli/watch_frame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/progress.h"
#include "cli/target.h"
#include "cli/terminal.h"

/* ---- reading -------------------------------------------------------------------------------------------- */

static int pick_studies(struct watch *w, struct store *s, const char *name, struct arena *a, struct err *e)
{
	struct store_study *all;
	int64_t only;
	int n;

	if (cli_study_id(s, name, &only, a, e) < 0 || store_studies(s, &all, &n, a, e) < 0)
		return -1;
	w->study = ARENA_ARRAY(a, struct watch_study, n + 1);
	for (int i = 0; i < n; i++)
		if (only ? all[i].id == only : all[i].state != STUDY_FINISHED || i == n - 1)
			w->study[w->n_studies++].study = all[i];
	if (!w->n_studies)
		return ERR(e, ERR_INVALID, store_path(s), "holds no study yet");
	return 0;
}

static int64_t whole(const struct json *v, int64_t otherwise)
{
	double x = json_number(v);

	return x >= 0 && x < 1e15 ? (int64_t)x : otherwise;
}

/* Runs that the study asks for; at least those that are there. */
static int64_t wanted(const struct store_study *y, int64_t there)
{
	struct json *doc = NULL;
	int64_t n;

	if (y->state == STUDY_FINISHED || strcmp(y->kind, "search") ||
	    json_parse(&doc, y->config, strlen(y->config), "study", NULL) < 0)
		return there;
	n = whole(json_get(json_get(doc, "search"), "candidates"), 0) + json_count(json_get(doc, "baselines"));
	n *= whole(json_get(doc, "replicates"), 1);
	json_free(doc);
	return n > there ? n : there;
}

static int epochs_wanted(const struct store_item *it)
{
	const char *text = it->candidate.recipe;
	struct json *recipe = NULL;
	int n = 0;

	if (text && json_parse(&recipe, text, strlen(text), "recipe", NULL) == 0)
		n = (int)whole(json_get(recipe, "epochs"), 0);
	json_free(recipe);
	return n;
}

static int read_run(struct watch *w, struct store *s, const struct store_item *it, struct arena *a, struct err *e)
{
	struct watch_run *r = &w->run[w->n_runs++];
	double spent = 0;

	r->item = it;
	r->epochs = epochs_wanted(it);
	r->left = (double)NAN;
	r->device = it->device ? it->device : "";
	if (store_epochs(s, it->run.id, &r->epoch, &r->n, a, e) < 0)
		return -1;
	for (int i = 0; i < r->n; i++)
		spent += r->epoch[i].seconds;
	if (r->n && spent > 0 && r->epochs >= r->n)
		r->left = spent / r->n * (r->epochs - r->n);
	return 0;
}

static int by_score(const void *a, const void *b)
{
	const struct store_item *x = *(const struct store_item *const *)a, *y = *(const struct store_item *const *)b;

	if (x->result.score != y->result.score)
		return x->result.score < y->result.score ? 1 : -1;
	return (x->run.id > y->run.id) - (x->run.id < y->run.id);
}

static int by_end(const void *a, const void *b)
{
	const struct store_item *x = *(const struct store_item *const *)a, *y = *(const struct store_item *const *)b;
	double p = isnan(x->ended) ? 0 : x->ended, q = isnan(y->ended) ? 0 : y->ended;

	if (p != q)
		return p < q ? -1 : 1;
	return (x->run.id > y->run.id) - (x->run.id < y->run.id);
}

/* Models that start from trained weights are not ranked with the others. */
static void rank(struct watch *w, const struct store_item **list, int n, struct arena *a)
{
	double best = -INFINITY;
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (!isnan(list[i]->result.score) && !store_candidate_inherits(&list[i]->candidate))
			list[kept++] = list[i];
	w->best_so_far = ARENA_ARRAY(a, double, kept + 1);
	for (int i = 0; i < kept; i++)
		w->best_so_far[w->n_so_far++] = best = fmax(best, list[i]->result.score);
	if (kept)
		qsort(list, (size_t)kept, sizeof *list, by_score);
	for (int i = 0; i < kept && i < WATCH_BEST; i++)
		w->best[w->n_best++] = list[i];
}

static void sort_out(struct watch *w, struct arena *a)
{
	const struct store_item **done = ARENA_ARRAY(a, const struct store_item *, w->n_items + 1);
	int n = 0;

	for (int i = 0; i < w->n_items; i++) {
		const struct store_item *it = &w->items[i];

		if (run_state_final(it->run.state))
			done[n++] = it;
		if (it->run.state == STATE_QUEUED && w->queued++ < WATCH_QUEUED)
			w->waiting[w->n_waiting++] = it;
	}
	if (n)
		qsort(done, (size_t)n, sizeof *done, by_end);
	for (int i = n; i-- > 0 && w->n_failures < WATCH_FAILED;)
		if (done[i]->run.state != STATE_DONE)
			w->failure[w->n_failures++] = done[i];
	rank(w, done, n, a);
}

/* Every run to come is taken to last as long as those before it, on as many devices as are at work now. */
static double time_left(const struct watch *w, const struct watch_study *y, const struct store_item *items, int n)
{
	double spent = 0, left = 0;
	int64_t ended = 0;
	int slots = 0;

	for (int i = 0; i < n; i++)
		if (items[i].run.state == STATE_DONE && items[i].result.seconds > 0) {
			spent += items[i].result.seconds;
			ended++;
		}
	for (int i = 0; i < w->n_runs; i++) {
		const struct watch_run *r = &w->run[i];

		if (r->item->candidate.study != y->study.id)
			continue;
		slots++;
		if (isnan(r->left) && !ended)
			return (double)NAN;
		left += isnan(r->left) ? spent / (double)ended : r->left;
	}
	if (!slots || (!ended && y->total > y->done + slots))
		return (double)NAN;
	if (ended)
		left += (double)(y->total - y->done - slots) * spent / (double)ended;
	return left / slots;
}

/* A copy of n elements with room for so many more. */
static void *with_room(const void *list, int n, int more, size_t size, struct arena *a)
{
	void *all = arena_alloc(a, ((size_t)n + (size_t)more + 1) * size);

	if (n)
		memcpy(all, list, (size_t)n * size);
	return all;
}

static int read_study(struct watch *w, struct watch_study *y, struct store *s, struct arena *a, struct err *e)
{
	struct store_query q = { .study = y->study.id, .order = ORDER_RUN };
	struct store_item *items;
	int n;

	if (store_list(s, &q, &items, &n, a, e) < 0)
		return -1;
	w->items = with_room(w->items, w->n_items, n, sizeof *items, a);
	if (n)
		memcpy(w->items + w->n_items, items, (size_t)n * sizeof *items);
	w->n_items += n;
	w->run = with_room(w->run, w->n_runs, n, sizeof *w->run, a);
	for (int i = 0; i < n; i++) {
		y->done += run_state_final(items[i].run.state);
		y->failed += run_state_final(items[i].run.state) && items[i].run.state != STATE_DONE;
		if (items[i].run.state == STATE_RUNNING && read_run(w, s, &items[i], a, e) < 0)
			return -1;
	}
	y->total = wanted(&y->study, n);
	y->left = time_left(w, y, items, n);
	w->finished &= y->study.state == STUDY_FINISHED;
	return 0;
}

/* "cpu:2" before "cpu:10". */
static int by_device(const void *a, const void *b)
{
	const struct watch_run *x = a, *y = b;
	int c = strverscmp(x->device, y->device);

	return c ? c : (x->item->run.id > y->item->run.id) - (x->item->run.id < y->item->run.id);
}

int watch_read(struct watch *w, struct store *s, const char *study, struct arena *a, struct err *e)
{
	memset(w, 0, sizeof *w);
	w->path = store_path(s);
	w->finished = true;
	store_holder(store_path(s), w->holder, sizeof w->holder);
	if (pick_studies(w, s, study, a, e) < 0 || metrics_read(&w->metrics, s, a, e) < 0)
		return -1;
	for (int i = 0; i < w->n_studies; i++)
		if (read_study(w, &w->study[i], s, a, e) < 0)
			return -1;
	if (w->n_runs)
		qsort(w->run, (size_t)w->n_runs, sizeof *w->run, by_device);
	sort_out(w, a);
	return 0;
}

/* ---- a screen ------------------------------------------------------------------------------------------- */

struct screen {
	struct str *out;
	const struct look *look;
	struct str line;
	int lines;
};

static const char *paint(const struct screen *c, const char *code)
{
	return c->look->paint ? code : "";
}

static void end_line(struct screen *c)
{
	if (!c->look->height || c->lines < c->look->height) {
		cell_cut(c->out, str_get(&c->line), c->look->width);
		str_addc(c->out, '\n');
	}
	c->lines++;
	str_clear(&c->line);
}

static void heading(struct screen *c, const char *text)
{
	end_line(c);
	str_addf(&c->line, "%s%s%s", paint(c, "\033[1m"), text, paint(c, "\033[0m"));
	end_line(c);
}

static void text(struct screen *c, const char *s, int width)
{
	cell_text(&c->line, s, width, c->look->utf8);
}

static void bar(struct screen *c, double part, int width)
{
	str_addf(&c->line, "%s%s", c->look->utf8 ? "▕" : "[", paint(c, "\033[36m"));
	cell_bar(&c->line, part, width, c->look->utf8);
	str_addf(&c->line, "%s%s", paint(c, "\033[0m"), c->look->utf8 ? "▏" : "]");
}

static void study_line(struct screen *c, const struct watch_study *y)
{
	char left[32];

	text(c, y->study.name, 24);
	str_addc(&c->line, ' ');
	bar(c, y->total ? (double)y->done / (double)y->total : 0, 24);
	str_addf(&c->line, " %lld of %lld runs", (long long)y->done, (long long)y->total);
	if (y->failed)
		str_addf(&c->line, ", %s%lld without success%s", paint(c, "\033[33m"), (long long)y->failed,
			 paint(c, "\033[0m"));
	str_addf(&c->line, ", %s", study_state_names[y->study.state]);
	if (!isnan(y->left) && y->study.state != STUDY_FINISHED)
		str_addf(&c->line, ", about %s left", progress_duration(left, y->left));
	end_line(c);
}

static void run_line(struct screen *c, const struct watch *w, const struct watch_run *r)
{
	const struct metric *m = metric_of_study(&w->metrics, r->item->candidate.study);
	double *loss = mem_new((size_t)(r->n + 1) * sizeof *loss);
	int wide = c->look->width >= 130 ? 20 : 10, used = 0;
	char left[32], accuracy[METRIC_TEXT];

	str_add(&c->line, "  ");
	text(c, r->device, 8);
	text(c, r->item->candidate.label, 22);
	str_addc(&c->line, ' ');
	bar(c, r->epochs ? (double)r->n / r->epochs : 0, 10);
	str_addf(&c->line, " epoch %3d/%-3d ", r->n < r->epochs ? r->n + 1 : r->n, r->epochs);
	for (int i = 0; i < r->n; i++)
		loss[i] = r->epoch[i].train_loss;
	if (r->n) {
		str_add(&c->line, "loss ");
		used = cell_spark(&c->line, loss, r->n, wide, c->look->utf8);
		str_addf(&c->line, "%*s %.4f", wide - used, "", loss[r->n - 1]);
	}
	if (r->n && !isnan(r->epoch[r->n - 1].val_accuracy))
		str_addf(&c->line, "  validation %7s", metric_text(accuracy, m, r->epoch[r->n - 1].val_accuracy));
	if (!isnan(r->left))
		str_addf(&c->line, "  %s left", progress_duration(left, r->left));
	end_line(c);
	mem_free(loss);
}

static void queue_line(struct screen *c, const struct watch *w)
{
	str_addf(&c->line, "  %lld run%s:", (long long)w->queued, w->queued == 1 ? "" : "s");
	for (int i = 0; i < w->n_waiting; i++) {
		str_add(&c->line, i ? ", " : " ");
		text(c, w->waiting[i]->candidate.label, 0);
	}
	str_add(&c->line, w->queued > w->n_waiting ? ", ..." : "");
	end_line(c);
}

static void best_line(struct screen *c, const struct watch *w, const struct store_item *it)
{
	const struct metric *m = metric_of_study(&w->metrics, it->candidate.study);
	char params[32], accuracy[METRIC_TEXT];

	str_addf(&c->line, "  %8.4f  ", it->result.score);
	text(c, it->candidate.label, 24);
	str_addf(&c->line, " %9s",
		 isnan(it->result.val_accuracy) ? "-" : metric_text(accuracy, m, it->result.val_accuracy));
	str_addf(&c->line, " %12s parameters  ", str_thousands(params, it->params));
	text(c, it->summary, 0);
	end_line(c);
}

static void failure_line(struct screen *c, const struct store_item *it)
{
	str_add(&c->line, "  ");
	text(c, it->candidate.label, 24);
	str_addf(&c->line, " %s%-10s%s ", paint(c, "\033[33m"), run_state_names[it->run.state], paint(c, "\033[0m"));
	text(c, it->result.reason, 0);
	end_line(c);
}

static void head(struct screen *c, const struct watch *w)
{
	str_add(&c->line, paint(c, "\033[1m"));
	text(c, w->path, 0);
	str_add(&c->line, paint(c, "\033[0m"));
	if (w->holder[0]) {
		str_add(&c->line, ", in use by ");
		text(c, w->holder, 0);
	} else {
		str_add(&c->line,
			w->finished ? ", finished" : ", no coordinator is at work: run the same command to go on");
	}
	end_line(c);
	end_line(c);
}

static void best_lines(struct screen *c, const struct watch *w)
{
	heading(c, "best so far");
	for (int i = 0; i < w->n_best; i++)
		best_line(c, w, w->best[i]);
	if (w->n_so_far < 3)
		return;
	str_add(&c->line, "  ");
	cell_spark(&c->line, w->best_so_far, w->n_so_far, c->look->width > 60 ? 60 : c->look->width - 20,
		   c->look->utf8);
	str_addf(&c->line, "  best score after each of %d runs", w->n_so_far);
	end_line(c);
}

void watch_frame(struct str *out, const struct watch *w, const struct look *look)
{
	struct screen c = { .out = out, .look = look };

	head(&c, w);
	for (int i = 0; i < w->n_studies; i++)
		study_line(&c, &w->study[i]);
	if (w->n_runs)
		heading(&c, w->holder[0] ? "running" : "was running");
	for (int i = 0; i < w->n_runs; i++)
		run_line(&c, w, &w->run[i]);
	if (w->queued) {
		heading(&c, "queued");
		queue_line(&c, w);
	}
	if (w->n_best)
		best_lines(&c, w);
	if (w->n_failures)
		heading(&c, "without success, latest first");
	for (int i = 0; i < w->n_failures; i++)
		failure_line(&c, w->failure[i]);
	str_release(&c.line);
}

/* ---- lines and JSON ------------------------------------------------------------------------------------- */

void watch_line(struct str *out, const struct watch *w)
{
	char left[32];

	for (int i = 0; i < w->n_studies; i++) {
		const struct watch_study *y = &w->study[i];

		str_add(out, i ? "; " : "");
		cell_text(out, y->study.name, 0, true);
		str_addf(out, ": %s, %lld of %lld runs", study_state_names[y->study.state], (long long)y->done,
			 (long long)y->total);
		if (y->failed)
			str_addf(out, ", %lld without success", (long long)y->failed);
		if (!isnan(y->left) && y->study.state != STUDY_FINISHED)
			str_addf(out, ", about %s left", progress_duration(left, y->left));
	}
	if (w->n_best) {
		str_addf(out, "; best %.4f (", w->best[0]->result.score);
		cell_text(out, w->best[0]->candidate.label, 0, true);
		str_addc(out, ')');
	}
	for (int i = 0; i < w->n_runs && w->holder[0]; i++) {
		const struct watch_run *r = &w->run[i];

		str_add(out, "; ");
		cell_text(out, r->device, 0, true);
		str_addc(out, ' ');
		cell_text(out, r->item->candidate.label, 0, true);
		str_addf(out, " epoch %d/%d", r->n < r->epochs ? r->n + 1 : r->n, r->epochs);
	}
	if (!w->holder[0] && !w->finished)
		str_add(out, "; no coordinator is at work: run the same command to go on");
	str_addc(out, '\n');
}

void watch_ended(struct str *out, const struct store_item *it)
{
	str_addf(out, "%-10s ", run_state_names[it->run.state]);
	cell_text(out, it->candidate.label, 24, true);
	if (!isnan(it->result.score))
		str_addf(out, " score %.4f", it->result.score);
	if (it->result.reason) {
		str_addc(out, ' ');
		cell_text(out, it->result.reason, 0, true);
	}
	str_addc(out, '\n');
}

static struct json *item_json(const struct store_item *it)
{
	struct json *v = json_object();

	json_put(v, "run", json_num((double)it->run.id));
	json_put(v, "label", json_str(it->candidate.label ? it->candidate.label : ""));
	json_put(v, "study", json_str(it->study));
	json_put(v, "state", json_str(run_state_names[it->run.state]));
	if (run_state_final(it->run.state))
		json_put(v, "score", json_num(it->result.score));
	if (it->result.reason)
		json_put(v, "reason", json_str(it->result.reason));
	json_put(v, "params", json_num((double)it->params));
	return v;
}

static struct json *run_json(const struct watch_run *r)
{
	struct json *v = item_json(r->item), *loss = json_array();

	json_put(v, "device", json_str(r->device));
	json_put(v, "epoch", json_num(r->n));
	json_put(v, "epochs", json_num(r->epochs));
	for (int i = 0; i < r->n; i++)
		json_push(loss, json_num(r->epoch[i].train_loss));
	json_put(v, "train_loss", loss);
	json_put(v, "val_accuracy", json_num(r->n ? r->epoch[r->n - 1].val_accuracy : (double)NAN));
	json_put(v, "seconds_left", json_num(r->left));
	return v;
}

struct json *watch_json(const struct watch *w)
{
	struct json *doc = json_object(), *list, *v;

	json_put(doc, "store", json_str(w->path));
	json_put(doc, "holder", w->holder[0] ? json_str(w->holder) : json_null());
	json_put(doc, "finished", json_bool(w->finished));
	list = json_put(doc, "studies", json_array());
	for (int i = 0; i < w->n_studies; i++) {
		v = json_push(list, json_object());
		json_put(v, "study", json_str(w->study[i].study.name));
		json_put(v, "kind", json_str(w->study[i].study.kind));
		json_put(v, "state", json_str(study_state_names[w->study[i].study.state]));
		json_put(v, "done", json_num((double)w->study[i].done));
		json_put(v, "failed", json_num((double)w->study[i].failed));
		json_put(v, "total", json_num((double)w->study[i].total));
		json_put(v, "seconds_left", json_num(w->study[i].left));
	}
	list = json_put(doc, "running", json_array());
	for (int i = 0; i < w->n_runs; i++)
		json_push(list, run_json(&w->run[i]));
	json_put(doc, "queued", json_num((double)w->queued));
	list = json_put(doc, "best", json_array());
	for (int i = 0; i < w->n_best; i++)
		json_push(list, item_json(w->best[i]));
	list = json_put(doc, "failures", json_array());
	for (int i = 0; i < w->n_failures; i++)
		json_push(list, item_json(w->failure[i]));
	return doc;
}
