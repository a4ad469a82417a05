/* cli/cmd_doctor.c - nab doctor: libraries, backends, devices (as a list to paste into a study), tools, the store. */
#include <glob.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/host.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"
#include "train/backend_cuda_load.h"

struct flags {
	const char *store;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, store, NULL, "also check this store: pages, indices, references"),
	OPT_END,
};

static int allowed_cpus(int *list, int most)
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 0;
	for (int i = 0; i < CPU_SETSIZE && n < most; i++)
		if (CPU_ISSET(i, &set))
			list[n++] = i;
	return n;
}

static bool on_path(const char *program, char *where, size_t size)
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : ""; *p;) {
		size_t n = strcspn(p, ":");

		snprintf(where, size, "%.*s/%s", (int)n, p, program);
		if (access(where, X_OK) == 0)
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

static struct json *add_row(struct json *list, const char *name, bool ok, const char *text)
{
	struct json *v = json_push(list, json_object());

	json_put(v, "name", json_str(name));
	json_put(v, "ok", json_bool(ok));
	json_put(v, "text", json_str(text));
	return v;
}

static void check_backends(struct json *list)
{
	for (int i = 0; backends[i]; i++) {
		struct err e = { 0 };
		char text[512];
		bool ok = backends[i]->probe(&e) == 0;

		if (ok)
			backends[i]->describe(text, sizeof text);
		else
			err_text(&e, text, sizeof text);
		add_row(list, backends[i]->name, ok, text);
	}
}

static struct json *gpu_row(struct cli *c, struct json *list, const struct cuda_device *d, const char *name)
{
	const char *spare =
	    d->free_bytes < 0 ? "" : arena_printf(c->arena, " (%.1f free)", (double)d->free_bytes / (1 << 30));
	const char *text = arena_printf(c->arena, "%s, %.1f GiB%s, %d multiprocessors, compute capability %d.%d%s, %s",
					d->name, (double)d->bytes / (1 << 30), spare, d->processors, d->major, d->minor,
					d->too_old ? ": too old" : "", d->uuid);

	return add_row(list, name, !d->too_old, text);
}

/* The plugin, driver, libraries and cards; the names of those that networks can be trained on. */
static void check_cuda(struct cli *c, struct json *list, struct json *cards)
{
	struct cuda_found found;
	bool usable = cuda_find(&found, NULL) == 0;

	for (int i = 0; i < found.n_parts; i++)
		add_row(list, found.part[i].name, found.part[i].ok, found.part[i].text);
	for (int i = 0; i < found.n_devices; i++) {
		const struct cuda_device *d = &found.device[i];
		const char *name = arena_printf(c->arena, "cuda:%d", i);
		struct json *row = gpu_row(c, list, d, name);

		json_put(row, "card", json_str(d->name));
		json_put(row, "uuid", json_str(d->uuid));
		json_put(row, "memory_bytes", json_num((double)d->bytes));
		if (d->free_bytes >= 0)
			json_put(row, "free_bytes", json_num((double)d->free_bytes));
		if (usable && !d->too_old)
			json_push(cards, json_str(name));
	}
}

static void check_tools(struct json *list)
{
	static const char *const tools[][2] = {
		{ "gnuplot", "figures beside the report; everything else works without it" },
		{ "rsvg-convert", "PNG pictures from the SVG charts" },
		{ "python3", "running exported PyTorch code" },
	};
	char where[1024];

	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
		bool ok = on_path(tools[i][0], where, sizeof where);

		add_row(list, tools[i][0], ok, ok ? where : tools[i][1]);
	}
}

static struct json *device_list(void)
{
	struct json *devices = json_array();
	int cpu[1024], n = allowed_cpus(cpu, 1024);
	char name[32];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "cpu:%d", i);
		json_push(devices, json_str(name));
	}
	return devices;
}

static int check_store(struct cli *c, struct json *doc, struct err *e)
{
	const struct flags *f = c->flags;
	struct store *s = NULL;
	char holder[160];
	int rc;

	if (!f->store)
		return 0;
	if (store_open(&s, f->store, STORE_READ, e) < 0)
		return -1;
	rc = store_check(s, e);
	store_close(s);
	if (rc == 0)
		add_row(json_put(doc, "store", json_array()), f->store, true,
			store_holder(f->store, holder, sizeof holder)
			    ? arena_printf(c->arena, "sound, in use by %s", holder)
			    : "sound, not in use");
	return rc;
}

static void print_rows(struct str *t, const char *title, const struct json *list)
{
	if (!list)
		return;
	str_addf(t, "%s\n", title);
	JSON_EACH(v, list)
		str_addf(t, "  %-14s %-8s %s\n", json_string(json_get(v, "name")),
			 json_true(json_get(v, "ok")) ? "ok" : "missing", json_string(json_get(v, "text")));
}

static void print_devices(struct str *t, const char *what, const struct json *devices)
{
	str_addf(t, "%s: \"devices\": ", what);
	json_print(t, devices);
	str_addc(t, '\n');
}

static int run(struct cli *c, struct err *e)
{
	struct json *doc = json_object(), *cpus = device_list(), *cards = json_array(), *devices;
	struct str t = { 0 };
	char cpu[160];
	struct utsname u;
	int rc;

	uname(&u);
	host_processor(cpu, sizeof cpu);
	json_put(doc, "nab", json_str(NAB_VERSION));
	json_put(doc, "system", json_str(arena_printf(c->arena, "%s %s %s", u.sysname, u.release, u.machine)));
	json_put(doc, "processor", json_str(cpu));
	json_put(doc, "memory_bytes", json_num((double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE)));
	json_put(doc, "share", json_str(c->share));
	check_backends(json_put(doc, "backends", json_array()));
	check_cuda(c, json_put(doc, "cuda", json_array()), cards);
	check_tools(json_put(doc, "tools", json_array()));
	/* sqlite.org, "WAL reset bug": two connections that write; here only the coordinator ever does */
	add_row(
	    json_put(doc, "libraries", json_array()), "store", true,
	    arena_printf(c->arena,
			 "%s; one writer, read-only readers: outside the WAL-reset defect of versions before 3.51.3",
			 store_library()));
	devices = json_put(doc, "devices", json_copy(cpus));
	JSON_EACH(v, cards)
		json_push(devices, json_copy(v));
	rc = check_store(c, doc, e);
	if (rc == 0 && c->json) {
		cli_print_json(json_copy(doc));
	} else if (rc == 0) {
		str_addf(&t, "nab %s on %s\nprocessor %s, %d usable cores, %.1f GiB of memory\n", NAB_VERSION,
			 json_string(json_get(doc, "system")), cpu, json_count(cpus),
			 json_number(json_get(doc, "memory_bytes")) / (1 << 30));
		str_addf(&t, "configurations and block library: %s/configs%s\n", c->share,
			 file_exists(path_join(c->arena, c->share, "configs")) ? "" : " (not found: set NAB_SHARE)");
		print_rows(&t, "backends", json_get(doc, "backends"));
		print_rows(&t, "libraries", json_get(doc, "libraries"));
		print_rows(&t, "CUDA", json_get(doc, "cuda"));
		print_rows(&t, "tools", json_get(doc, "tools"));
		print_rows(&t, "store", json_get(doc, "store"));
		print_devices(&t, "for a study", cpus);
		if (json_count(cards))
			print_devices(&t, "for one on GPUs", cards);
		cli_print(&t);
	}
	str_release(&t);
	json_free(doc);
	json_free(cpus);
	json_free(cards);
	return rc;
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "[flags]",
	.help = "what works on this machine: backends, devices, tools, a store",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.max_args = 0,
	.run = run,
};
