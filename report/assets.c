/* report/assets.c - see assets.h. Paths are relative to the root of the source tree, where the compiler runs. */
#include "report/assets.h"

#define ASSET(name, path) \
	__asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n")

ASSET(page_css, "report/page.css");
ASSET(page_js, "report/page.js");
