/* report/view_selector.c - the page: by what models are judged and which of them are shown, above everything else. The
 * bar is the script's: without one there is nothing to choose. */
#include <stddef.h>

#include "report/page.h"

const struct page_view view_selector = { .id = "selector" };
