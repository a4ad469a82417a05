/* export/tensorboard.h - stored runs as TensorBoard's event files: DIR/<study>/<label>/events.out.tfevents.nab, a
 * folder a run (with -r<replicate> behind the label from the second on).
 *
 * A file is a function of what the store holds: scalars of every epoch, the model as a graph whose scopes are its
 * blocks, the recipe as hyper-parameters, the model's JSON and the findings as texts. What comes later in a run comes
 * later in the file; so bringing a file up to date means to append what is missing, whatever was written before, and a
 * file that was cut off heals. A file that holds something else (a run that was tried again) is replaced.
 *
 * Formats: TFRecord (tfrecord.h) of Event messages (tensorflow/core/util/event.proto, framework/summary.proto,
 * framework/graph.proto, node_def.proto, attr_value.proto, tensor.proto), file version "brain.Event:2";
 * hyper-parameters as the hparams plugin keeps them (tensorboard/plugins/hparams/plugin_data.proto); texts as tensors
 * of strings (plugin "text").
 */
#ifndef NAB_EXPORT_TENSORBOARD_H
#define NAB_EXPORT_TENSORBOARD_H

#include <stdint.h>

#include "base/err.h"

struct arena;
struct graph;
struct store;
struct str;

/* Brings the file of a run up to date. ERR_RUNTIME if it cannot be written. */
int tensorboard_write(struct store *s, int64_t run, const char *dir, struct err *e);

/* The path of that file, and what it should hold now. */
int tensorboard_events(struct str *out, char **path, struct store *s, int64_t run, const char *dir, struct arena *a,
		       struct err *e);

/* The model as a GraphDef. */
void tensorboard_graph(struct str *out, const struct graph *g);

#endif
