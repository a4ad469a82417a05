/* wasm/library.h - the block library as the page's editor carries it. */
#ifndef NAB_WASM_LIBRARY_H
#define NAB_WASM_LIBRARY_H

struct library_file {
	const char *name; /* "residual.json"; NULL ends the list */
	const char *text;
};

extern const struct library_file library_files[];

#endif
