/* report/view_parallel.c - the page: hyper-parameters, costs and accuracy of all models as parallel coordinates. What
 * its script draws stands in the rows (report/page_rows.c). */
#include "report/page.h"

const struct page_view view_parallel = { .id = "parallel", .title = "Parallel coordinates" };
