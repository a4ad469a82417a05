/* export/export.c - the table of exporters. */
#include "export/export.h"

#include <string.h>

#include "base/str.h"

#define EXPORTER(name) extern const struct exporter exporter_##name;
#include "export/exporters.def"
#undef EXPORTER

const struct exporter *const exporters[] = {
#define EXPORTER(name) &exporter_##name,
#include "export/exporters.def"
#undef EXPORTER
	NULL
};

enum { COUNT = sizeof exporters / sizeof *exporters - 1 };

const struct exporter *exporter_find(const char *name, struct err *e)
{
	const char *names[COUNT], *near;
	struct str all = { 0 };

	for (int i = 0; i < COUNT; i++)
		if (strcmp(exporters[i]->name, name) == 0)
			return exporters[i];
	for (int i = 0; i < COUNT; i++) {
		names[i] = exporters[i]->name;
		str_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	near = str_nearest(name, names, COUNT);
	if (near)
		ERR(e, ERR_USAGE, NULL, "unknown format \"%s\" (did you mean \"%s\"?)", name, near);
	else
		ERR(e, ERR_USAGE, NULL, "unknown format \"%s\": there is %s", name, str_get(&all));
	str_release(&all);
	return NULL;
}
