/* train/cuda/choices.c - see choices.h. A line of the file is
 *	"key": { "note": "note", "plan": json },
 * with keys and notes that need no escapes, and the plan's JSON in one line. Only what this file writes is read: a line
 *in another form ends the reading.
 */
#include "train/cuda/choices.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct choice {
	char *key, *note, *plan;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards everything below */
static struct choice *all;
static size_t n_all, room;
static bool loaded, changed;

static const char head[] = "{ \"nab\": \"cuda plans 1\"", mid[] = "\": { \"note\": \"", last[] = "\", \"plan\": ";

static bool folder(char *out, size_t size)
{
	const char *own = getenv("NAB_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (own)
		snprintf(out, size, "%s", own);
	else if (xdg && *xdg == '/')
		snprintf(out, size, "%s/nab", xdg);
	else if (home && *home)
		snprintf(out, size, "%s/.cache/nab", home);
	else
		*out = 0;
	return *out != 0;
}

static struct choice *find(const char *key)
{
	for (size_t i = 0; i < n_all; i++) {
		if (!strcmp(all[i].key, key))
			return &all[i];
	}
	return NULL;
}

static bool plain(const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || (unsigned char)*s < ' ')
			return false;
	}
	return true;
}

/* The place of a key, a new one if need be; NULL without memory. */
static struct choice *place(const char *key)
{
	struct choice *c = find(key);

	if (c)
		return c;
	if (n_all == room) {
		struct choice *more = realloc(all, sizeof *more * (room + 512));

		if (!more)
			return NULL;
		all = more;
		room += 512;
	}
	all[n_all] = (struct choice){ .key = strdup(key) };
	return all[n_all].key ? &all[n_all++] : NULL;
}

static void put(const char *key, const char *note, const char *plan)
{
	struct choice *c = place(key);

	if (!c)
		return;
	free(c->note), free(c->plan);
	c->note = strdup(note);
	c->plan = strdup(plan);
}

/* ",\n\"key\": { ... }": splits a line in place. */
static bool read_line(char *line)
{
	char *key = line + 1, *note = strstr(line, mid), *plan, *end;

	if (*line != '"' || !note)
		return false;
	*note = 0;
	note += sizeof mid - 1;
	plan = strstr(note, last);
	if (!plan)
		return false;
	*plan = 0;
	plan += sizeof last - 1;
	end = strrchr(plan, '}');
	if (!end || end == plan || *plan != '{')
		return false;
	*end = 0;
	if (!plain(key) || !plain(note) || strlen(plan) < 2 || !strchr(plan, '}'))
		return false;
	if (!find(key))
		put(key, note, plan);
	return true;
}

static void load(void)
{
	char path[PATH_MAX], *line = NULL;
	size_t size = 0;
	FILE *f;

	if (!folder(path, sizeof path - 32))
		return;
	strcat(path, "/cuda-plans.json");
	f = fopen(path, "re");
	if (!f)
		return;
	if (getline(&line, &size, f) > 0 && !strncmp(line, head, sizeof head - 1)) {
		while (getline(&line, &size, f) > 0 && read_line(line))
			;
	}
	free(line);
	fclose(f);
}

static void load_once(void)
{
	if (!loaded)
		load();
	loaded = true;
}

bool choices_get(const char *key, char **note, char **plan)
{
	const struct choice *c;

	*note = *plan = NULL;
	pthread_mutex_lock(&lock);
	load_once();
	c = find(key);
	if (c && c->note && c->plan) {
		*note = strdup(c->note);
		*plan = strdup(c->plan);
	}
	pthread_mutex_unlock(&lock);
	if (*note && *plan)
		return true;
	free(*note), free(*plan);
	return false;
}

void choices_put(const char *key, const char *note, const char *plan)
{
	if (!plain(key) || !plain(note) || strchr(plan, '\n') || *plan != '{')
		return;
	pthread_mutex_lock(&lock);
	load_once();
	put(key, note, plan);
	changed = true;
	pthread_mutex_unlock(&lock);
}

static bool make_folders(char *path)
{
	for (char *at = path + 1;; at++) {
		char c = *at;

		if (c && c != '/')
			continue;
		*at = 0;
		if (mkdir(path, 0777) && errno != EEXIST)
			return false;
		*at = c;
		if (!c)
			return true;
	}
}

static void write_all(FILE *f)
{
	fprintf(f, "%s", head);
	for (size_t i = 0; i < n_all; i++) {
		if (all[i].note && all[i].plan)
			fprintf(f, ",\n\"%s%s%s%s%s }", all[i].key, mid, all[i].note, last, all[i].plan);
	}
	fprintf(f, "\n}\n");
}

/* Beside the file, then renamed: a reader sees the old one or the new one. */
static void save(void)
{
	char dir[PATH_MAX], path[PATH_MAX], temp[PATH_MAX + 32];
	FILE *f;
	int bad;

	if (!folder(dir, sizeof dir - 32) || !make_folders(dir))
		return;
	load(); /* what other processes added */
	snprintf(path, sizeof path, "%.*s/cuda-plans.json", PATH_MAX - 32, dir);
	snprintf(temp, sizeof temp, "%s.%ld", path, (long)getpid());
	f = fopen(temp, "we");
	if (!f)
		return;
	write_all(f);
	bad = ferror(f);
	bad |= fclose(f);
	if (bad || rename(temp, path))
		unlink(temp);
}

void choices_save(void)
{
	pthread_mutex_lock(&lock);
	if (changed)
		save();
	changed = false;
	pthread_mutex_unlock(&lock);
}
