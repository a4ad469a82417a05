/* dataset/metadata.h - slices by a column of metadata: {"column": "light", "is": ["dusk", "night"]}, or {"column":
 * "age", "from": 18, "to": 30} for numbers (both ends belong to it).
 *
 * The column is one of the CSV file (also a dropped one), or of a table beside the data: metadata.csv in the folder, or
 * the file named by "metadata", with a header and a row for every example in the order of the files, training examples
 * first.
 */
#ifndef NAB_DATASET_METADATA_H
#define NAB_DATASET_METADATA_H

#include "dataset/dataset.h"
#include "dataset/format.h"

/* Says what is wrong with such a slice. */
int metadata_check(const struct json *slice, const struct json_in *in);

/* Before reading: names the columns that the slices need, so that a reader that has columns hands them out. */
void metadata_want(struct raw *r, const struct json *slices);
/* After reading: r->member, a row of marks for every such slice, in their order. */
int metadata_read(struct raw *r, const struct dataset_spec *spec, struct err *e);

#endif
