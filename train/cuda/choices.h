/* train/cuda/choices.h - which engine was chosen for an operation, kept in a file from run to run: the same choice is
 * then made again, and quickly. The file is $NAB_CACHE/cuda-plans.json, else $XDG_CACHE_HOME/nab/cuda-plans.json, else
 * ~/.cache/nab/cuda-plans.json: one JSON object, a line for each choice.
 *
 * A key names the device, the versions of the libraries and everything about the operation. A file that is not ours, or
 * broken, counts as empty and is written anew; a folder that cannot be written to is no error: choices then live as
 * long as the process. NAB_CACHE= (empty) turns the file off. Thread-safe; processes may share the file: it is replaced
 * as a whole, and what others added meanwhile is kept.
 */
#ifndef NAB_TRAIN_CUDA_CHOICES_H
#define NAB_TRAIN_CUDA_CHOICES_H

#include <stdbool.h>

/* A short text in words, and the library's own description of the plan (JSON, may be empty). Both allocated, freed by
 * the caller. false: not known. */
bool choices_get(const char *key, char **note, char **plan);

/* Remembers a choice; choices_save() writes what is new. */
void choices_put(const char *key, const char *note, const char *plan);
void choices_save(void);

#endif
