/* export/export_tensorboard.c - the exporter of event files (tensorboard.h). */
#include "export/export.h"
#include "export/tensorboard.h"

const struct exporter exporter_tensorboard = { .name = "tensorboard",
					       .help = "event files: curves, graph, hyper-parameters of stored runs",
					       .stored = tensorboard_write };
