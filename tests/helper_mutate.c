#include "tests/helper_mutate.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "mutate/mutate.h"
#include "space/space.h"
#include "tests/helper_graphs.h"

enum { FILES_MAX = 64, OPS_MAX = 64, CHAIN = 6, LARGE = 120 };

static const char *const dirs[] = { "configs/blocks" };
static const struct block_path lib = { dirs, 1 };

struct pool {
	struct arena *arena; /* of the models and spaces */
	struct graph *models[FILES_MAX];
	struct space *spaces[FILES_MAX];
	int n_models, n_spaces;
};

struct count {
	int64_t tried, senseless, refused, valid;
	char last[200]; /* a reason */
};

static int names_in(const char *dir, char names[FILES_MAX][300])
{
	struct dirent **found;
	int n = scandir(dir, &found, NULL, alphasort), k = 0;

	for (int i = 0; i < n; i++) {
		if (strstr(found[i]->d_name, ".json") && k < FILES_MAX)
			snprintf(names[k++], 300, "%s/%s", dir, found[i]->d_name);
		free(found[i]);
	}
	free(found);
	return k;
}

static void load_pool(struct pool *p)
{
	char names[FILES_MAX][300];
	struct diag d = { 0 };
	struct err e = { 0 };

	p->arena = arena_new();
	p->n_models = names_in("configs/models", names);
	for (int i = 0; i < p->n_models; i++)
		assert_int_equal(model_load(&p->models[i], names[i], &lib, p->arena, &d, &e), 0);
	p->n_spaces = names_in("configs/spaces", names);
	for (int i = 0; i < p->n_spaces; i++)
		assert_int_equal(space_load(&p->spaces[i], names[i], &lib, p->arena, &d, &e), 0);
	assert_true(p->n_models > 0 && p->n_spaces > 0);
	diag_release(&d);
}

static void same_hash(struct hash128 x, struct hash128 y)
{
	assert_true(x.lo == y.lo && x.hi == y.hi);
}

static char doing[1000]; /* the edit at hand */

/* The first line in which two prints differ. */
static void same_text(const char *a, const char *b)
{
	const char *line_a = a, *line_b = b;

	for (; *a && *a == *b; a++, b++)
		if (*a == '\n') {
			line_a = a + 1;
			line_b = b + 1;
		}
	if (*a || *b)
		fail_msg("%s: printed as\n%.*s\nread and printed as\n%.*s", doing, (int)strcspn(line_a, "\n"), line_a,
			 (int)strcspn(line_b, "\n"), line_b);
}

static void round_trip(const struct graph *g, struct arena *a)
{
	struct str one = { 0 }, two = { 0 };
	struct graph *again;
	struct cost c, d;

	model_print(&one, g);
	again = graph_reread(a, one.s, one.len);
	model_print(&two, again);
	same_text(str_get(&one), str_get(&two));
	same_hash(graph_hash(g), graph_hash(again));
	same_hash(graph_digest(g), graph_digest(again));
	assert_int_equal(graph_cost(g, &c, NULL), 0);
	assert_int_equal(graph_cost(again, &d, NULL), 0);
	assert_memory_equal(&c, &d, sizeof c);
	assert_int_equal(again->n_groups, g->n_groups);
	str_release(&one);
	str_release(&two);
}

/* A layer of the child that has an id of the parent is of the same kind; at least one survives or the rest is new. */
static void ids_hold(const struct graph *child, const struct graph *parent)
{
	for (int i = 0; i < child->n_nodes; i++) {
		int was = graph_find(parent, child->nodes[i].id);

		assert_int_equal(graph_find(child, child->nodes[i].id), i);
		assert_int_equal(graph_find_group(parent, child->nodes[i].id), -1);
		if (was >= 0)
			assert_int_equal(parent->nodes[was].kind, child->nodes[i].kind);
	}
	assert_int_equal(child->n_outputs, parent->n_outputs);
	for (int k = 0; k < child->n_outputs; k++) {
		const struct shape *s = graph_shape(child, child->outputs[k].from);

		assert_true(s->type == TENSOR_VECTOR && s->d[0] == parent->outputs[k].classes);
	}
}

/* The recorded edits give the same model again, and say the same. */
static void repeats(const struct graph *child, const struct graph *parent, const struct mutate_log *log,
		    const struct mutate_env *env, struct arena *a)
{
	struct json_in in = { log->edits, NULL, NULL };
	struct mutate_log second;
	struct graph *again;

	assert_int_equal(mutate_apply(&again, parent, log->edits, env, &second, a, &in), 1);
	same_hash(graph_digest(child), graph_digest(again));
	assert_string_equal(log->words, second.words);
	assert_true(json_equal(log->edits, second.edits));
}

static void check_child(const struct graph *child, const struct graph *parent, const struct mutate_log *log,
			const struct mutate_env *env, struct arena *a)
{
	struct hash128 x = graph_hash(child), y = graph_hash(parent);

	assert_true(log->words && log->words[0] && !log->refusal);
	assert_false(x.lo == y.lo && x.hi == y.hi);
	round_trip(child, a);
	ids_hold(child, parent);
	repeats(child, parent, log, env, a);
}

static struct place any_place(const struct graph *g, struct rng *r)
{
	int k = (int)rng_below(r, (uint32_t)(g->n_nodes + g->n_groups));

	return k < g->n_nodes ? (struct place){ k, -1 } : (struct place){ -1, k - g->n_nodes };
}

/* One pair; `was` is the digest of g. Returns the child, or NULL. */
static struct graph *try_one(const struct graph *g, struct hash128 was, const struct mutate_env *env,
			     struct count *count, struct arena *a, struct rng *r)
{
	int op = 0;
	struct diag diag = { 0 };
	struct str text = { 0 };
	struct mutate_log log;
	struct json *edit;
	struct json_in in;
	struct graph *child;
	int rc;

	while (mutations[op])
		op++;
	op = (int)rng_below(r, (uint32_t)op);
	count += op;
	count->tried++;
	edit = mutate_draw(mutations[op], g, any_place(g, r), env, r);
	if (!edit) {
		count->senseless++;
		return NULL;
	}
	json_print(&text, edit);
	snprintf(doing, sizeof doing, "%s", str_get(&text));
	str_release(&text);
	in = (struct json_in){ edit, &diag, NULL };
	rc = mutate_apply(&child, g, edit, env, &log, a, &in);
	same_hash(was, graph_digest(g));
	if (rc < 0)
		fail_msg("%s drew a wrong edit: %s: %s", mutations[op]->name, doing,
			 diag.n ? diag.items[0].msg : "(no message)");
	if (rc == 0) {
		count->refused++;
		assert_true(log.refusal && log.refusal[0] && !child);
		snprintf(count->last, sizeof count->last, "%s", log.refusal);
	} else {
		count->valid++;
		check_child(child, g, &log, env, a);
	}
	json_free(edit);
	diag_release(&diag);
	return child;
}

static struct graph *some_model(const struct pool *p, struct mutate_env *env, struct arena *a, struct rng *r)
{
	uint32_t kind = rng_below(r, 10);
	const struct space *s = p->spaces[rng_below(r, (uint32_t)p->n_spaces)];
	struct space_target t = { shape_image(1, 28, 28), TASK_CLASSIFY, 10 };
	struct graph *g;

	env->space = rng_below(r, 4) ? s : NULL;
	if (kind < 2)
		return random_graph(a, r);
	if (kind < 5)
		return p->models[rng_below(r, (uint32_t)p->n_models)];
	space_own_target(s, &t);
	assert_int_equal(space_sample(&g, s, &t, r, a, NULL, NULL), 0);
	return g;
}

void check_mutations(int pairs, uint64_t seed)
{
	struct count count[OPS_MAX] = { 0 };
	struct arena *a = arena_new();
	struct pool p = { 0 };
	struct rng r;
	int done = 0;

	rng_init(&r, seed, 1);
	load_pool(&p);
	while (done < pairs) {
		struct mutate_env env = { 0 };
		struct graph *g = some_model(&p, &env, a, &r);
		struct hash128 was;

		if (g->n_nodes > LARGE && rng_below(&r, 4)) { /* large ones take long and show little more */
			arena_reset(a);
			continue;
		}
		was = graph_digest(g);
		for (int k = 0; k < CHAIN && done < pairs; k++, done++) {
			struct graph *child = try_one(g, was, &env, count, a, &r);

			if (child && rng_below(&r, 2)) { /* mutants are mutated again */
				g = child;
				was = graph_digest(g);
			}
		}
		arena_reset(a);
	}
	for (int i = 0; mutations[i]; i++)
		print_message("%-16s %6lld tried: %6lld valid, %6lld refused, %6lld no sense there%s%s\n",
			      mutations[i]->name, (long long)count[i].tried, (long long)count[i].valid,
			      (long long)count[i].refused, (long long)count[i].senseless,
			      count[i].last[0] ? "; such as: " : "", count[i].last);
	arena_free(p.arena);
	arena_free(a);
}
