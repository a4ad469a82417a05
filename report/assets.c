/* report/assets.c - see assets.h. Paths are relative to the root of the source tree, where the compiler runs. */
#include "report/assets.h"

#include <stddef.h>

#define ASSET(name, path)                                                                              \
	extern const char name[];                                                                      \
	__asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"" path "\"\n.byte 0\n" \
		".popsection\n")

/* clang-format off: one list, used thrice */
#define STYLES(X)                             \
	X(css_core, "core.css")               \
	X(css_selector, "selector.css")       \
	X(css_leaderboard, "leaderboard.css") \
	X(css_history, "history.css")         \
	X(css_overview, "overview.css")       \
	X(css_drawer, "drawer.css")           \
	X(css_models, "models.css")           \
	X(css_handcraft, "handcraft.css")     \
	X(css_parallel, "parallel.css")

#define SCRIPTS(X)                          \
	X(js_core, "core.js")               \
	X(js_selector, "selector.js")       \
	X(js_plot, "plot.js")               \
	X(js_overview, "overview.js")       \
	X(js_leaderboard, "leaderboard.js") \
	X(js_history, "history.js")         \
	X(js_unpack, "unpack.js")           \
	X(js_examples, "examples.js")       \
	X(js_curves, "curves.js")           \
	X(js_confusion, "confusion.js")     \
	X(js_layers, "layers.js")           \
	X(js_models, "models.js")           \
	X(js_drawer, "drawer.js")           \
	X(js_missed, "missed.js")           \
	X(js_parallel, "parallel.js")       \
	X(js_progress, "progress.js")       \
	X(js_edits, "edits.js")             \
	X(js_engine, "engine.js")           \
	X(js_handcraft, "handcraft.js")     \
	X(js_main, "main.js")
/* clang-format on */

#define DEFINE(name, path)  ASSET(name, "report/page/" path);
#define POINTER(name, path) name,
#define PATH(name, path)    "report/page/" path,

ASSET(page_editor, "build/wasm/editor.b64");
STYLES(DEFINE)
SCRIPTS(DEFINE)

const char *const page_styles[] = { STYLES(POINTER) NULL };
const char *const page_scripts[] = { SCRIPTS(POINTER) NULL };
const char *const page_asset_files[] = { STYLES(PATH) SCRIPTS(PATH) NULL };
