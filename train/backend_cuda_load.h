/* train/backend_cuda_load.h - finds and opens the CUDA plugin (train/cuda/abi.h), and says what is missing.
 *
 * The plugin is NAB_CUDA_PLUGIN (a path; then nothing else is tried), else backend_cuda.so beside the executable, in
 * ../lib/nab/ of its folder (where `make install` puts it) or in its build/release/. It is opened once and stays. All
 * functions may be called by any thread.
 */
#ifndef NAB_TRAIN_BACKEND_CUDA_LOAD_H
#define NAB_TRAIN_BACKEND_CUDA_LOAD_H

#include "base/err.h"
#include "train/cuda/abi.h"

/* The plugin, or NULL with e (ERR_RUNTIME): what is missing and where it was looked for. No driver, library or card is
 * needed for it: a failure is not remembered, the next call looks again. */
const struct cuda_plugin *cuda_load(struct err *e);

/* Its file, or "" before it was opened. */
const char *cuda_load_path(void);

/* What is there, the plugin itself first ("plugin", then its own parts), and the devices. 0 if networks can be trained
 * here; -1 with e: the first thing that is missing. *out is filled in either case. */
int cuda_find(struct cuda_found *out, struct err *e);

#endif
