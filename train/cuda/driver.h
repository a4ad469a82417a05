/* train/cuda/driver.h - NVIDIA's driver and the devices that it shows: for nab doctor. No context is made on a device.
 */
#ifndef NAB_TRAIN_CUDA_DRIVER_H
#define NAB_TRAIN_CUDA_DRIVER_H

#include "train/cuda/abi.h"

/* Adds the parts "driver" and "runtime", and the devices or the part "device" that says why there are none. */
void driver_find(struct cuda_found *out);

/* Appends a part. */
struct cuda_part *driver_part(struct cuda_found *out, const char *name);

#endif
